import type { Cycles } from '../base/ids.ts';
import type { Core } from '../machine/core.ts';
import { flushAsid, invalidateRange } from '../machine/flush.ts';
import { Cause, ExitReason, Leaf } from '../stats/leaves.ts';
import type { IoRequest } from './device-work.ts';
import type { Device } from './devices.ts';
import type { DiskService } from './disk.ts';
import { type DiskIo, Entry, type GuestCpu, type RequestSource, Vector } from './guest-port.ts';
import type { Hypervisor } from './hypervisor.ts';
import type { Mmu } from './mmu/mmu.ts';
import { decode } from './mmu/software-walks.ts';
import { ACK_BYTES, acksOf, packetsOf } from './packets.ts';
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

  startIo({ bytes, latency, write }: DiskIo, io: number): void {
    const { core } = this;
    const { vm } = this.vcpu;
    const { requestAccesses, requestBytes } = vm.devices.disk;
    const { work } = this.#hv;
    const requests = Math.max(1, Math.ceil(bytes / requestBytes));
    this.vcpu.vm.counters.disk_requests += requests;
    const whole = this.meant(latency);
    for (let i = 0; i < requests; i++) {
      const size = Math.min(requestBytes, bytes - i * requestBytes);
      this.#access(core, 'disk', requestAccesses, work.inlineRequestCycles(vm, size));
      const share = Math.round((whole * (i + 1)) / requests);
      this.askDisk({ bytes: size, latency: share, write, io });
    }
  }

  /** A request goes to the disk. */
  protected askDisk(request: IoRequest): void {
    this.serveDisk(request, this.core.now);
  }

  /** It is with the host at `now`: see DeviceWork. */
  protected serveDisk(request: IoRequest, now: Cycles): void {
    this.#hv.work.serve(this.vcpu, request, this.disk, now, (at) => this.diskAnswers(request, at));
  }

  /** The answer is in the guest's memory at `now`, and an interrupt is on its way. */
  protected diskAnswers(_request: IoRequest, _now: Cycles): void {}

  protected get disk(): DiskService {
    return this.#hv.disk;
  }

  send(bytes: number, io: number): void {
    const { work } = this.#hv;
    const { core } = this;
    const { vm } = this.vcpu;
    const { network } = vm.devices;
    const { sendBytes, kickAccesses, kickPieces } = network;
    for (let left = bytes; left > 0; left -= kickPieces * sendBytes) {
      const size = Math.min(left, kickPieces * sendBytes);
      const pieces = Math.ceil(size / sendBytes);
      this.#access(core, 'network', kickAccesses, work.inlineSendCycles(vm, pieces, size));
    }
    vm.counters.packets_sent += packetsOf(bytes);
    this.transmit(bytes, io);
  }

  acknowledge(bytes: number): void {
    const { core } = this;
    const { work } = this.#hv;
    const { vm } = this.vcpu;
    const { network } = vm.devices;
    const { kickAccesses, kickPieces } = network;
    const acks = acksOf(packetsOf(bytes));
    for (let left = acks; left > 0; left -= kickPieces) {
      const pieces = Math.min(left, kickPieces);
      const cycles = work.inlineSendCycles(vm, pieces, pieces * ACK_BYTES);
      this.#access(core, 'network', kickAccesses, cycles);
    }
    vm.counters.packets_sent += acks;
    this.transmitAcks(acks);
  }

  /** What was sent is with the host. */
  protected transmit(bytes: number, io: number): void {
    this.#hv.work.send(this.vcpu, bytes, io, this.core.now);
  }

  protected transmitAcks(acks: number): void {
    this.#hv.work.sendAcks(this.vcpu, acks, this.core.now);
  }

  takeCompletion(): number {
    return this.vcpu.completed.shift() ?? Number.NaN;
  }

  takeRequest(): Cycles {
    return this.requests?.take() ?? Number.NaN;
  }

  endRequest(arrival: Cycles): void {
    this.leaves(arrival, this.core.now);
  }

  /** The answer to a request is with the card at `now`, and leaves as soon as the wire is free. */
  protected leaves(arrival: Cycles, now: Cycles): void {
    this.#hv.work.whenSent(this.vcpu, now, (at) => this.answerLeft(arrival, at));
  }

  protected answerLeft(arrival: Cycles, now: Cycles): void {
    this.requests?.finish(arrival, this.told(now));
  }

  /**
   * Accesses to registers of a device, the last of which is its doorbell. Each is an exit with the
   * part in the hypervisor and that of a device model in user space; the last one also does `work`,
   * which is the host's. Without a hypervisor, or to a device of the VM's own, each is an uncached
   * access.
   */
  #access(core: Core, device: Device, accesses: number, work: Cycles): void {
    const { machine, work: host, world } = this.#hv;
    const { vcpu } = this;
    const { decoded, registers } = vcpu.vm.devices[device];
    const stalls = host.stalls(vcpu.vm, device);
    for (let i = 1; i <= accesses; i++) {
      vcpu.vm.counters.doorbells++;
      if (!world.virtualized || registers === 'direct') {
        core.charge(Leaf.GuestKernel, machine.processor.instructions.io);
        if (world.virtualized && i === accesses) core.charge(Leaf.HostDevice, work);
        continue;
      }
      world.exit(vcpu, core, ExitReason.Ioio);
      if (decoded) this.#decode(core, ExitReason.Ioio);
      world.perform(core, ExitReason.Ioio, 'deviceKernel');
      const model = registers === 'user' && !stalls ? world.deviceModel(core, vcpu.vm.id) : 0;
      core.charge(Leaf.HostDevice, model + (i === accesses ? work : 0));
      world.resume(vcpu, core, ExitReason.Ioio);
    }
    if (stalls && accesses > 0) host.stall(vcpu, device, accesses, core.now);
  }

  accessPorts(count: number): void {
    const { machine, world } = this.#hv;
    const { core, vcpu } = this;
    for (let i = 0; i < count; i++) {
      if (!world.virtualized) {
        core.charge(Leaf.GuestKernel, machine.processor.instructions.io);
        continue;
      }
      world.exit(vcpu, core, ExitReason.Ioio);
      world.perform(core, ExitReason.Ioio, 'deviceKernel');
      world.resume(vcpu, core, ExitReason.Ioio);
    }
  }

  #decode(core: Core, reason: ExitReason): void {
    const { machine, world } = this.#hv;
    const { vcpu } = this;
    decode({ tables: machine.tables, vm: vcpu.vm, world }, vcpu, core, reason);
  }

  endOfInterrupt(vectors: number): void {
    const { disk, network } = this.vcpu.vm.devices;
    const { core } = this;
    if ((vectors & Vector.Device) !== 0) this.#access(core, 'disk', disk.interruptAccesses, 0);
    if ((vectors & Vector.Network) !== 0) {
      this.#access(core, 'network', network.interruptAccesses, 0);
    }
    if (this.#hv.costs.eoiExits) this.#writeApic();
  }

  /** A write to a register of the local APIC, which the hypervisor emulates. */
  #writeApic(): void {
    const hv = this.#hv;
    if (!hv.world.virtualized) return;
    const { core, vcpu } = this;
    hv.world.exit(vcpu, core, ExitReason.ApicAccess);
    if (!hv.costs.x2apic) this.#decode(core, ExitReason.ApicAccess);
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
