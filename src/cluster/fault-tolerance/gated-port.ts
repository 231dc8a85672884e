import type { Cycles } from '../../base/ids.ts';
import type { IoRequest } from '../../hypervisor/device-work.ts';
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
    else this.#gate.hold('answer', (now) => this.leaves(arrival, now));
  }

  /** A write changes the disk that others see: it waits, and the guest does not. */
  protected override askDisk(request: IoRequest): void {
    const gate = this.#gate;
    if (!gate.closed || !request.write || !gate.holdsWrites) {
      super.askDisk(request);
      return;
    }
    const { now } = this.core;
    gate.hold('write', (at) => this.serveDisk(request, Math.max(now, at)));
  }

  protected override transmit(bytes: number, io: number): void {
    const gate = this.#gate;
    if (!gate.closed) super.transmit(bytes, io);
    else gate.hold('packets', (at) => this.#hypervisor.work.send(this.vcpu, bytes, io, at));
  }

  protected override transmitAcks(acks: number): void {
    const gate = this.#gate;
    if (!gate.closed) super.transmitAcks(acks);
    else gate.hold('packets', (at) => this.#hypervisor.work.sendAcks(this.vcpu, acks, at));
  }
}
