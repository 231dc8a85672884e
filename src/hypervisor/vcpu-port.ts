import type { Cycles } from '../base/ids.ts';
import type { Core } from '../machine/core.ts';
import { flushAsid, invalidateRange } from '../machine/flush.ts';
import { Cause, ExitReason, Leaf } from '../stats/leaves.ts';
import type { DiskService } from './disk.ts';
import { type DiskIo, Entry, type GuestCpu, type RequestSource } from './guest-port.ts';
import type { Hypervisor } from './hypervisor.ts';
import type { Mmu } from './mmu/mmu.ts';
import { decode } from './mmu/software-walks.ts';
import { ACK_BYTES, acksOf, linesOf, packetsOf } from './packets.ts';
import type { Vcpu } from './vm.ts';

/**
 * A vCPU's privileged operations. Under the VM's paging mode each becomes an exit, or a few cycles
 * of hardware.
 */
export class VcpuPort implements GuestCpu {
  protected readonly vcpu: Vcpu;
  protected readonly requests: RequestSource | null;
  readonly #hv: Hypervisor;
  readonly #mmu: Mmu;
  /** The guest's clock is that of another host, with cycles of another length. */
  readonly #foreign: boolean;

  /** `requests` null: nobody asks the VM for anything. */
  constructor(hypervisor: Hypervisor, vcpu: Vcpu, mmu: Mmu, requests: RequestSource | null) {
    this.#hv = hypervisor;
    this.vcpu = vcpu;
    this.requests = requests;
    this.#mmu = mmu;
    this.#foreign = vcpu.vm.clock.ticks !== hypervisor.engine.timebase.ticks;
  }

  get core(): Core {
    return this.#hv.machine.cores[this.vcpu.pcpu]!;
  }

  get until(): Cycles {
    return this.#hv.engine.horizon;
  }

  clock(): Cycles {
    if (this.#foreign) this.trapClock();
    return this.told(this.core.now);
  }

  /** The exit of a clock read that the hypervisor has to answer. */
  protected trapClock(): void {
    const { core, vcpu } = this;
    const { world } = this.#hv;
    world.exit(vcpu, core, ExitReason.Ioio);
    world.resume(vcpu, core, ExitReason.Ioio);
  }

  /**
   * What the guest takes a time of this host for: the time-stamp counter goes on at the rate that
   * the guest has measured when it booted.
   */
  protected told(now: Cycles): Cycles {
    const { clock } = this.vcpu.vm;
    return this.#foreign ? clock.passed(this.#hv.engine.timebase.engine(now)) : now;
  }

  /** When this host's clock has reached what is `time` to the guest. */
  protected meant(time: Cycles): Cycles {
    return this.#foreign ? this.#hv.engine.timebase.from(this.vcpu.vm.clock, time) : time;
  }

  enterKernel(how: Entry): void {
    const { exception, syscall } = this.#hv.machine.processor.instructions;
    this.core.charge(Leaf.GuestKernel, how === Entry.SystemCall ? syscall : exception);
  }

  leaveKernel(how: Entry): void {
    const { iret, sysret } = this.#hv.machine.processor.instructions;
    this.core.charge(Leaf.GuestKernel, how === Entry.SystemCall ? sysret : iret);
  }

  loadCr3(root: number): void {
    const vcpu = this.vcpu;
    const same = vcpu.guestRoot === root;
    vcpu.guestRoot = root;
    this.#mmu.onCr3Write(vcpu, this.core, root, same);
  }

  loadTagged(root: number, space: number): void {
    const { core } = this;
    this.vcpu.guestRoot = root;
    this.vcpu.context.space = space;
    this.#mmu.useRoot(this.vcpu, core);
    core.asid = (core.asid & 0xffff) | (space << 16);
  }

  dropTranslations(vpn: number, pages: number): void {
    const { core } = this;
    if (pages === 0) flushAsid(core, core.asid, core.vcpu, false, Cause.Cr3);
    else invalidateRange(core, vpn, pages, Cause.Invlpg);
  }

  invlpg(vpn: number): void {
    this.#mmu.onInvlpg(this.vcpu, this.core, vpn);
  }

  storePte(slot: number, entry: number): void {
    this.vcpu.vm.counters.guest_pte_writes++;
    this.#mmu.storePte(this.vcpu, this.core, slot, entry);
  }

  startIo({ bytes, latency, write }: DiskIo): Cycles {
    const hv = this.#hv;
    const { core } = this;
    const { requestBytes, requestLine } = hv.devices.disk;
    const requests = Math.max(1, Math.ceil(bytes / requestBytes));
    this.vcpu.vm.counters.disk_requests += requests;
    const whole = this.meant(latency);
    let due = core.now;
    for (let i = 0; i < requests; i++) {
      const size = Math.min(requestBytes, bytes - i * requestBytes);
      this.#doorbell(core, linesOf(size) * requestLine);
      const share = Math.round((whole * (i + 1)) / requests);
      due = this.askDisk({ bytes: size, latency: share, write });
    }
    return this.told(due);
  }

  /** A request goes to the disk. Returns when it is answered, as far as can be foreseen. */
  protected askDisk(request: DiskIo): Cycles {
    return this.serveDisk(request, this.core.now);
  }

  /** It is with the disk at `now`, which interrupts when it answers. Returns when. */
  protected serveDisk(request: DiskIo, now: Cycles): Cycles {
    const due = this.disk.serve(request, now);
    this.#hv.interrupts.completeIo(this.vcpu, due);
    return due;
  }

  protected get disk(): DiskService {
    return this.#hv.disk;
  }

  send(bytes: number): Cycles {
    const hv = this.#hv;
    const { core } = this;
    const { sendBytes, kickPieces, sendPiece, sendLine } = hv.devices.network;
    for (let left = bytes; left > 0; left -= kickPieces * sendBytes) {
      const size = Math.min(left, kickPieces * sendBytes);
      const pieces = Math.ceil(size / sendBytes);
      this.#doorbell(core, pieces * sendPiece + linesOf(size) * sendLine);
    }
    this.vcpu.vm.counters.packets_sent += packetsOf(bytes);
    return this.told(this.transmit(bytes));
  }

  acknowledge(bytes: number): void {
    const { core } = this;
    const { kickPieces, sendPiece, sendLine } = this.#hv.devices.network;
    const acks = acksOf(packetsOf(bytes));
    for (let left = acks; left > 0; left -= kickPieces) {
      const pieces = Math.min(left, kickPieces);
      this.#doorbell(core, pieces * (sendPiece + linesOf(ACK_BYTES) * sendLine));
    }
    this.vcpu.vm.counters.packets_sent += acks;
    this.transmitAcks(acks);
  }

  /**
   * The card puts what was sent on the wire. Returns when the last acknowledgement arrives, as far
   * as can be foreseen.
   */
  protected transmit(bytes: number): Cycles {
    return this.#hv.network.send(this.vcpu, bytes, this.core.now);
  }

  protected transmitAcks(acks: number): void {
    this.#hv.network.sendAcks(acks, this.core.now);
  }

  takeRequest(): Cycles {
    return this.requests?.take() ?? Number.NaN;
  }

  endRequest(arrival: Cycles): void {
    this.leaves(arrival, this.core.now);
  }

  /** The answer to a request is with the card at `now`, and leaves as soon as the wire is free. */
  protected leaves(arrival: Cycles, now: Cycles): void {
    this.#hv.network.whenSent(now, (at) => this.answerLeft(arrival, at));
  }

  protected answerLeft(arrival: Cycles, now: Cycles): void {
    this.requests?.finish(arrival, this.told(now));
  }

  /**
   * One doorbell write: exit, the part in the hypervisor, the device model in user space and its
   * work on what the doorbell announces. Without a hypervisor it is an uncached access.
   */
  #doorbell(core: Core, work: Cycles): void {
    const hv = this.#hv;
    const vcpu = this.vcpu;
    vcpu.vm.counters.doorbells++;
    if (!hv.world.virtualized) {
      core.charge(Leaf.GuestKernel, hv.machine.processor.instructions.io);
      return;
    }
    hv.world.exit(vcpu, core, ExitReason.Ioio);
    hv.world.perform(core, ExitReason.Ioio, 'deviceKernel');
    core.charge(Leaf.HostDevice, hv.world.deviceModel(core, vcpu.vm.id) + work);
    hv.world.resume(vcpu, core, ExitReason.Ioio);
  }

  endOfInterrupt(): void {
    if (this.#hv.costs.eoiExits) this.#writeApic();
  }

  /** A write to a register of the local APIC, which the hypervisor emulates. */
  #writeApic(): void {
    const hv = this.#hv;
    if (!hv.world.virtualized) return;
    const vcpu = this.vcpu;
    const { core } = this;
    hv.world.exit(vcpu, core, ExitReason.ApicAccess);
    const { tables } = hv.machine;
    const deps = { tables, vm: vcpu.vm, world: hv.world };
    if (!hv.costs.x2apic) decode(deps, vcpu, core, ExitReason.ApicAccess);
    hv.world.perform(core, ExitReason.ApicAccess, 'apicAccess');
    hv.world.resume(vcpu, core, ExitReason.ApicAccess);
  }

  setTimer(cyclesFromNow: Cycles): void {
    if (this.#hv.costs.timerExits) this.#writeApic();
    const { now } = this.core;
    const due = this.#foreign ? this.meant(this.told(now) + cyclesFromNow) : now + cyclesFromNow;
    this.#hv.interrupts.armTimer(this.vcpu, due);
  }

  clearTimer(): void {
    this.#hv.interrupts.disarmTimer(this.vcpu);
  }
}
