import type { Cycles } from '../../base/ids.ts';
import type { Arrival } from '../../hypervisor/hypervisor.ts';
import { back, giveBack } from '../../hypervisor/mmu/backing.ts';
import type { Mmu } from '../../hypervisor/mmu/mmu.ts';
import { Request } from '../../hypervisor/vcpu-requests.ts';
import { Runstate, type Vm } from '../../hypervisor/vm.ts';
import type { Resident } from '../cluster.ts';
import type { Host } from '../host.ts';
import type { MovingVm } from './moving-vm.ts';

/**
 * A VM of the simulation on its way from one host to another: where times of the engine become
 * those of its hosts.
 */
export class PlacedVm implements MovingVm {
  readonly #member: Resident;
  readonly #from: Host;
  readonly #to: Host;
  readonly #mmu: Mmu;
  /** Whose memory it is at the target. */
  readonly #as: Vm;
  /** Host frames at the target of each guest frame; 0 = none. */
  readonly #backing: Int32Array;
  #moved = false;
  #giveBack = (): void => {};

  /** `as`: a second copy of it, which is made at the target; itself if it moves. */
  constructor(member: Resident, from: Host, to: Host, as: Vm = member.vm) {
    this.#member = member;
    this.#from = from;
    this.#to = to;
    this.#as = as;
    this.#mmu = from.hypervisor.mmuOf[member.vm.id]!;
    this.#backing = new Int32Array(member.vm.memoryPages);
  }

  get name(): string {
    return this.#member.vm.name;
  }

  get memoryPages(): number {
    return this.#member.vm.memoryPages;
  }

  get logCycles(): Cycles {
    return this.#mmu.logCycles ?? 0;
  }

  isEmpty(gfn: number): boolean {
    return this.#member.vm.p2m[gfn] === 0;
  }

  startLog(forgotten: (now: Cycles) => void): void {
    this.#mmu.startLog?.();
    this.#forget(forgotten);
  }

  isLogged(gfn: number): boolean {
    return this.#mmu.isLogged?.(gfn) ?? false;
  }

  takeLog(out: Int32Array, forgotten: (now: Cycles) => void): number {
    const count = this.#mmu.takeLog?.(out) ?? 0;
    this.#forget(forgotten);
    return count;
  }

  stopLog(): void {
    if (!this.#moved) this.#mmu.stopLog?.();
  }

  /** A vCPU that does not run forgets before it enters. */
  #forget(forgotten: (now: Cycles) => void): void {
    const { vcpu } = this.#member;
    const { engine, requests } = this.#from.hypervisor;
    const { timebase } = engine;
    const runs = vcpu.state === Runstate.Running;
    const told = (now: Cycles) => forgotten(timebase.engine(now));
    requests.ask(vcpu, Request.FlushTags, runs ? told : undefined);
    if (!runs) told(engine.here);
  }

  get #here(): Host {
    return this.#moved ? this.#to : this.#from;
  }

  pause(held: (now: Cycles) => void): void {
    const { hypervisor } = this.#here;
    const { timebase } = hypervisor.engine;
    hypervisor.pause(this.#member.vm, (now) => held(timebase.engine(now)));
  }

  unpause(now: Cycles): void {
    const { hypervisor } = this.#here;
    hypervisor.unpause(this.#member.vm, hypervisor.engine.timebase.local(now));
  }

  store(gfn: number): void {
    const { pageBytes, vm } = this.#member;
    if (this.#moved) {
      if (vm.p2m[gfn] === 0) vm.p2m[gfn] = this.#to.machine.memory.take(vm.home, vm.id);
      return;
    }
    const { hypervisor, machine } = this.#to;
    // Xen fills a new domain page by page; others take what backs a first touch.
    const bytes = hypervisor.upFront ? 4096 : pageBytes;
    const { id, memoryPages } = this.#as;
    back({ id, memoryPages, home: this.#home, p2m: this.#backing }, machine.memory, gfn, bytes);
  }

  drop(gfn: number): void {
    const frame = this.#backing[gfn]!;
    if (frame !== 0) this.#to.machine.memory.give(frame);
    this.#backing[gfn] = 0;
  }

  get #home(): number {
    return this.#as.id % this.#to.machine.nodeCount;
  }

  /** Where the VM finds its memory at the target. */
  protected get place(): Pick<Arrival, 'host' | 'home' | 'p2m'> {
    return { host: this.#to, home: this.#home, p2m: this.#backing };
  }

  move(now: Cycles): void {
    const { vm } = this.#member;
    this.#giveBack = this.#from.hypervisor.detach(vm);
    this.#moved = true;
    const { arriveAt } = this.#member;
    const { hypervisor } = this.#to;
    const at = hypervisor.engine.timebase.local(now);
    hypervisor.attach(vm, { ...arriveAt(this.#to), ...this.place }, at);
  }

  release(): void {
    this.#giveBack();
  }

  stay(): void {
    giveBack(this.#backing, this.#to.machine.memory);
  }

  onMiss(missed: ((gfn: number, now: Cycles) => void) | undefined): void {
    const { engine } = this.#to.hypervisor;
    const { timebase } = engine;
    this.#member.vm.missed = missed && ((gfn) => missed(gfn, timebase.engine(engine.here)));
  }
}
