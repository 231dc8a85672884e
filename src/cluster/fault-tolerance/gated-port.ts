import type { Cycles } from '../../base/ids.ts';
import type { RequestSource } from '../../hypervisor/guest-port.ts';
import type { Hypervisor } from '../../hypervisor/hypervisor.ts';
import type { Mmu } from '../../hypervisor/mmu/mmu.ts';
import { VcpuPort } from '../../hypervisor/vcpu-port.ts';
import type { Vcpu } from '../../hypervisor/vm.ts';

/** What leaves a guest: packets, the answer to a request with its last packet, a disk write. */
export type Output = 'packets' | 'answer' | 'write';

/** Holds what leaves a protected guest. */
export interface OutputGate {
  /** Outputs wait: not when it runs alone. */
  readonly closed: boolean;
  /** Disk writes are outputs. */
  readonly holdsWrites: boolean;
  /** How long an output of now will wait, as far as anybody knows. */
  readonly wait: Cycles;
  /** `release` is called when the output may leave; never if the host is lost before. */
  hold(what: Output, release: (now: Cycles) => void): void;
}

/** The port of a protected vCPU: what the guest sends passes a gate, and the guest goes on. */
export class GatedPort extends VcpuPort {
  readonly #hypervisor: Hypervisor;
  readonly #gate: OutputGate;

  constructor(
    gate: OutputGate,
    hypervisor: Hypervisor,
    vcpu: Vcpu,
    mmu: Mmu,
    requests: RequestSource | null,
  ) {
    super(hypervisor, vcpu, mmu, requests);
    this.#hypervisor = hypervisor;
    this.#gate = gate;
  }

  /** An answer has left the host when its last packet has. */
  override endRequest(arrival: Cycles): void {
    if (!this.#gate.closed) super.endRequest(arrival);
    else this.#gate.hold('answer', (now) => this.answerLeft(arrival, now));
  }

  protected answerLeft(arrival: Cycles, now: Cycles): void {
    this.requests?.finish(arrival, now);
  }

  protected override answerIo(bytes: number, due: Cycles): void {
    const gate = this.#gate;
    // An operation without bytes flushes what was written.
    if (!gate.closed || bytes > 0 || !gate.holdsWrites) {
      this.passIo(bytes, due);
      return;
    }
    const begin = this.core.now;
    gate.hold('write', (now) => this.passIo(bytes, due + Math.max(0, now - begin)));
  }

  /** The disk is asked, and answers at `due`. */
  protected passIo(bytes: number, due: Cycles): void {
    super.answerIo(bytes, due);
  }

  /** The guest's view of when a send is acknowledged takes the wait along. */
  protected override transmit(bytes: number): Cycles {
    const gate = this.#gate;
    if (!gate.closed) return super.transmit(bytes);
    const { network } = this.#hypervisor;
    const { now } = this.core;
    gate.hold('packets', (at) => void network.acknowledge(this.vcpu, bytes, at));
    return now + gate.wait + network.acknowledged(bytes);
  }
}
