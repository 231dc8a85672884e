import type { Cycles } from '../base/ids.ts';
import { Entry, type Guest, type GuestCpu, GuestStop, Vector } from '../hypervisor/guest-port.ts';
import { frameOf, softWalk, walkSoftly } from '../hypervisor/mmu/guest-tables.ts';
import type { Core } from '../machine/core.ts';
import { ITEM_OP, ITEM_PAGE, readItem } from '../machine/items.ts';
import { Stretch } from '../machine/learned/stretch.ts';
import { Pte } from '../machine/page-tables.ts';
import { runBlock, runToEdge, Stop } from '../machine/run.ts';
import type { AddressSpace } from './address-space.ts';
import type { GuestShared } from './kernel-options.ts';
import { Op } from './workloads/workload.ts';

/**
 * What every guest does on a vCPU: executes the items of a block, hands faults and operations to
 * its kernel, takes interrupts and timer ticks. `KernelCpu` and `TraceKernel` say the rest.
 */
export abstract class VcpuLoop implements Guest {
  /** First item of this vCPU's block. */
  protected readonly firstItem: number;
  /** Visits that are skipped, after those of the block. */
  protected readonly stretch = new Stretch();
  /** Which of its program's mixes the visits of the block are of. */
  protected mix = 0;
  readonly #shared: GuestShared;
  #item: number;
  #itemEnd: number;
  /** Steps completed, less the number of the item that comes next. */
  #stepsBase: number;
  #stopAt = Infinity;
  /** The core while it executes this vCPU's items. */
  #running: Core | null = null;
  readonly #tickPeriod: Cycles;
  #nextTick: Cycles = 0;
  readonly #walk = softWalk();
  /** Its visit has faulted, and comes again. */
  #again = false;
  /** It executes the program; else the kernel, which is there since `#since` if it runs. */
  #inUser = true;
  #since: Cycles = Number.NaN;

  constructor(shared: GuestShared, block: number) {
    const { kernel, mhz, workload } = shared;
    this.#shared = shared;
    this.firstItem = block;
    this.#item = block;
    this.#itemEnd = block;
    this.#stepsBase = -block;
    const hz = workload.hz ?? kernel.hz;
    this.#tickPeriod = hz > 0 ? Math.round((mhz * 1e6) / hz) : 0;
  }

  /** The address space in CR3. */
  abstract readonly space: AddressSpace;
  abstract grantReferences(references: number): void;
  /** Asks for more items, after scheduling; `Time` means there is something to execute. */
  protected abstract refill(cpu: GuestCpu): GuestStop;
  protected abstract pageFault(cpu: GuestCpu, vpn: number, write: boolean): void;
  /** An item that is no visit: its three arguments as in `Op`. */
  protected abstract operation(cpu: GuestCpu, op: number, a: number, b: number, c: number): void;
  /** User instructions have been executed since the last call. */
  protected abstract executed(instructions: number): void;
  /** Whoever was to wait until now waits no longer. */
  protected abstract wakeDue(cpu: GuestCpu): void;

  get root(): number {
    return this.#inUser ? this.space.userRoot : this.space.root;
  }

  /**
   * What the running address space says of a page: its guest frame (-1 = not mapped), W and D of
   * its entry.
   */
  translate(vpn: number): { frame: number; writable: boolean; dirty: boolean } {
    const { tables } = this.#shared.guest;
    const { level, entry } = walkSoftly(tables, this.space.root, vpn, this.#walk);
    if (level === 0) return { frame: -1, writable: false, dirty: false };
    const writable = (entry & Pte.Writable) !== 0;
    return { frame: frameOf(this.#walk, vpn), writable, dirty: (entry & Pte.Dirty) !== 0 };
  }

  run(cpu: GuestCpu): GuestStop {
    const { core } = cpu;
    core.item = this.#item;
    this.#running = core;
    if (!this.#inUser) this.#since = core.now;
    this.#bound(core);
    core.retired = 0;
    const stop = this.#loop(cpu);
    this.#account(core);
    this.#book(core);
    core.settle();
    this.#item = core.item;
    this.#running = null;
    return stop;
  }

  get steps(): number {
    return this.#stepsBase + (this.#running?.item ?? this.#item);
  }

  get quiet(): Cycles {
    const { left } = this.stretch;
    if (left === 0 || this.#item !== this.#itemEnd || !this.#inUser) return 0;
    return Math.floor((left * this.#shared.workload.cpiQ8) / 256);
  }

  stopAt(steps: number): void {
    this.#stopAt = steps;
  }

  /** Ends the block where the steps end that may be made. */
  #bound(core: Core): void {
    const left = this.#stopAt - this.steps;
    core.itemEnd = left < this.#itemEnd - core.item ? core.item + Math.max(0, left) : this.#itemEnd;
  }

  #loop(cpu: GuestCpu): GuestStop {
    const { core } = cpu;
    if (this.#tickPeriod > 0 && this.#nextTick === 0) this.#armTick(cpu);
    for (;;) {
      core.settle();
      const { until } = cpu;
      if (core.time >= until) return GuestStop.Time;
      if (this.stretch.left > 0 && core.item === this.#itemEnd) {
        if (this.#inUser) this.#skip(core, Math.min(until - core.time, 2 ** 30));
        else this.#leave(cpu);
        continue;
      }
      if (core.item === core.itemEnd) {
        if (core.full || this.steps >= this.#stopAt) return GuestStop.Time;
        this.#account(core);
        this.#stepsBase++;
        const stop = this.refill(cpu);
        this.#bound(core);
        if (stop !== GuestStop.Time) return stop;
        continue;
      }
      if (!this.#inUser) {
        this.#leave(cpu);
        continue;
      }
      const limit = Math.min(until - core.time, 2 ** 30);
      const near = core.time + limit > core.cut.far;
      const { learned, retired } = core;
      if (this.#again) core.itemEnd = core.item + 1;
      learned?.begin();
      const stop = near ? runToEdge(core, limit) : runBlock(core, limit);
      if (this.#again) {
        learned!.pass(core.retired - retired);
        this.#again = false;
        this.#bound(core);
      } else learned?.endVisits(this.mix, core.retired - retired);
      if (core.time > core.cut.edge) core.cut.inVisit(core);
      if (stop === Stop.Fault) {
        this.enter(cpu, Entry.Exception);
        const store = (ITEM_OP[core.item]! & 255) === Op.Store;
        this.pageFault(cpu, ITEM_PAGE[core.item]!, store);
        cpu.leaveKernel(Entry.Exception);
        this.#again = core.learned !== null;
        this.#stepsBase++;
        this.#bound(core);
      } else if (stop === Stop.Operation) {
        const [a, word, b, c] = readItem(core.item);
        const op = word & 255;
        if (op === Op.Starved) {
          core.item = this.#itemEnd;
          return GuestStop.Starved;
        }
        core.item++;
        this.#perform(cpu, op, a, b, c);
        if (this.#shared.progress.done) return GuestStop.Done;
      }
    }
  }

  /** Visits that are skipped take their time, up to `limit` cycles. */
  #skip(core: Core, limit: number): void {
    if (core.time + limit > core.cut.far) core.cut.begin(core);
    core.learned!.skipVisits(this.stretch, limit);
    if (core.time > core.cut.edge) core.cut.inVisit(core);
  }

  #perform(cpu: GuestCpu, op: number, a: number, b: number, c: number): void {
    this.#account(cpu.core);
    if (op === Op.WorkDone) {
      this.#shared.progress.finish(a);
      this.#shared.vm.counters.work += a;
    } else this.operation(cpu, op, a, b, c);
  }

  /** Books the user instructions executed since the last call. */
  #account(core: Core): void {
    const { retired } = core;
    core.retired = 0;
    this.executed(retired);
    this.#shared.progress.execute(retired);
  }

  /** The block holds `count` items to execute. */
  protected filled(core: Core, count: number): void {
    this.#stepsBase += core.item - this.firstItem;
    core.item = this.firstItem;
    this.#itemEnd = this.firstItem + count;
  }

  // Kernel and user mode.

  /** From user mode to the kernel. */
  protected enter(cpu: GuestCpu, how: Entry): void {
    const since = cpu.core.now;
    cpu.enterKernel(how);
    this.enterSpace(cpu, since);
  }

  /** Where user mode has top tables of its own, CR3 gets that of the kernel. */
  protected enterSpace(cpu: GuestCpu, since = cpu.core.now): void {
    if (!this.#inUser) return;
    this.#inUser = false;
    this.#since = since;
    if (this.#shared.kernel.pageTableIsolation) cpu.loadCr3(this.space.root);
  }

  #leave(cpu: GuestCpu): void {
    if (this.#shared.kernel.pageTableIsolation) cpu.loadCr3(this.space.userRoot);
    this.#book(cpu.core);
    this.#inUser = true;
  }

  /** Books the time in the kernel. */
  #book(core: Core): void {
    if (this.#inUser || Number.isNaN(this.#since)) return;
    this.#shared.vm.counters.kernel_cycles += core.now - this.#since;
    this.#since = Number.NaN;
  }

  // Interrupts.

  interrupt(cpu: GuestCpu, vectors: number): void {
    const { kernel, paths, vm } = this.#shared;
    const { instructions: cost } = kernel;
    this.enter(cpu, Entry.Exception);
    paths.run(cpu, cost.exception, 16);
    if ((vectors & Vector.Timer) !== 0) {
      vm.counters.timer_ticks++;
      paths.run(cpu, cost.timerTick, 16);
      if (kernel.tickPorts > 0) cpu.accessPorts(kernel.tickPorts);
      if (this.#tickPeriod > 0) this.#armTick(cpu);
    }
    if ((vectors & Vector.Device) !== 0) paths.run(cpu, cost.interrupt, 17, 2);
    if ((vectors & Vector.Network) !== 0) paths.run(cpu, cost.networkInterrupt, 18, 2);
    cpu.endOfInterrupt(vectors);
    this.wakeDue(cpu);
    cpu.leaveKernel(Entry.Exception);
    this.#book(cpu.core);
  }

  /** False: nothing comes by itself, the kernel has to set the timer for its sleepers. */
  protected get ticks(): boolean {
    return this.#tickPeriod > 0;
  }

  /** The ticks stop until the vCPU runs again. */
  protected stopTicks(): void {
    this.#nextTick = 0;
  }

  #armTick(cpu: GuestCpu): void {
    this.#nextTick = cpu.clock() + this.#tickPeriod;
    cpu.setTimer(this.#tickPeriod);
  }
}
