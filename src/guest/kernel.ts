import { ModelError } from '../base/errors.ts';
import type { Cycles } from '../base/ids.ts';
import { type Guest, type GuestCpu, GuestStop, Vector } from '../hypervisor/guest-port.ts';
import { frameOf, softWalk, walkSoftly } from '../hypervisor/mmu/guest-tables.ts';
import type { Vm } from '../hypervisor/vm.ts';
import type { Core } from '../machine/core.ts';
import { flushAsid, invalidateRange } from '../machine/flush.ts';
import { ITEM_OP, ITEM_PAGE, readItem } from '../machine/items.ts';
import { type PageTables, Pte } from '../machine/page-tables.ts';
import { runBlock, runToEdge, Stop } from '../machine/run.ts';
import { Cause, Leaf } from '../stats/leaves.ts';
import { AddressSpace, FaultOutcome } from './address-space.ts';
import { bootTables } from './boot.ts';
import type { GuestTables } from './frames.ts';
import { kernelInstructions as cost } from './kernel-costs.ts';
import { BLOCK_ITEMS, type KernelOptions } from './kernel-options.ts';
import { KernelPaths } from './kernel-paths.ts';
import { handlePageFault, outOfLargePages } from './page-faults.ts';
import { Process, State } from './process.ts';
import type { Requests } from './requests.ts';
import { RunQueue } from './run-queue.ts';
import { exit, type Kernel, systemCall } from './system-calls.ts';
import { moveOn } from './transfers.ts';
import { hugePagesOf } from './workloads/page-size.ts';
import { isReferenceLimited } from './workloads/trace.ts';
import { Op, type ProcessImage, type Workload } from './workloads/workload.ts';

/**
 * The guest kernel on one vCPU: runs processes, handles their faults and system calls, takes
 * interrupts. Kernel code and data are pages of the direct map, mapped large and global, and go
 * through the TLBs like any other; table entries are stored one by one through the direct map,
 * where shadow paging can trap them.
 */
export class GuestKernel implements Guest, Kernel {
  readonly vm: Vm;
  readonly workload: Workload;
  readonly paths: KernelPaths;
  readonly requests: Requests | null;
  readonly mhz: number;
  readonly sendBytes: number;
  readonly diskBytes: number;
  readonly #options: KernelOptions;
  readonly guest: GuestTables;
  readonly #tables: PageTables;
  readonly #queue = new RunQueue();
  #current: Process | null = null;
  #loaded: AddressSpace;
  readonly #spaces = new Map<number, Process>();
  #item: number;
  #itemEnd: number;
  /** Address spaces of ended processes that are yet to be torn down. */
  #dead: AddressSpace[] = [];
  #work = 0;
  #nextTick: Cycles = 0;
  readonly #tickPeriod: Cycles;
  /** User instructions executed. */
  #executed = 0;
  #mark = 0;
  readonly #walk = softWalk();

  constructor(options: KernelOptions) {
    const { vm, tables, workload } = options;
    this.vm = vm;
    this.paths = new KernelPaths(vm.name);
    this.requests = options.requests;
    this.mhz = options.mhz;
    this.sendBytes = options.sendBytes;
    this.diskBytes = options.diskBytes;
    this.#tables = tables;
    this.workload = workload;
    this.#options = options;
    this.#item = options.block;
    this.#itemEnd = options.block;
    this.#tickPeriod = workload.hz > 0 ? Math.round((options.mhz * 1e6) / workload.hz) : 0;
    this.guest = bootTables(vm, tables, hugePagesOf(workload.processes));
    for (const [index, image] of workload.processes.entries()) {
      const process = this.load(image, null);
      this.#spaces.set(index, process);
      this.#queue.push(process);
    }
    const { first } = this.#queue;
    if (!first) throw new ModelError(`VM ${vm.name} has no process`);
    this.#loaded = first.space;
  }

  /** Builds a process from an image; what existed before the run is mapped at no cost. */
  load(image: ProcessImage, cpu: GuestCpu | null, parent: Process | null = null): Process {
    const space = new AddressSpace(this.guest, cpu);
    for (const region of image.regions) {
      space.add(region);
      if (!region.populated) continue;
      const step = 1 << (region.pageShift - 12);
      for (let page = 0; page < region.pages; page += step) {
        const outcome = space.fault(null, region.start + page, region.writable);
        if (outcome !== FaultOutcome.Fixed) outOfLargePages(this.vm.name, region.name);
      }
    }
    return new Process(space, image.program, parent);
  }

  /** Top tables of the processes that exist. */
  get roots(): number[] {
    return [...this.#spaces.values()].map((process) => process.space.root);
  }

  get root(): number {
    return this.#loaded.root;
  }

  /** The address space in CR3. */
  get space(): AddressSpace {
    return this.#loaded;
  }

  /**
   * What the running address space says about a page: its guest frame (-1 = not mapped), and W and
   * D of its entry.
   */
  translate(vpn: number): { frame: number; writable: boolean; dirty: boolean } {
    const { level, entry } = walkSoftly(this.#tables, this.#loaded.root, vpn, this.#walk);
    if (level === 0) return { frame: -1, writable: false, dirty: false };
    const writable = (entry & Pte.Writable) !== 0;
    return { frame: frameOf(this.#walk, vpn), writable, dirty: (entry & Pte.Dirty) !== 0 };
  }

  get busy(): boolean {
    return this.#current !== null || this.#queue.crowded;
  }

  grantReferences(references: number): void {
    if (references === 0) return;
    for (const { program } of this.#spaces.values()) {
      if (isReferenceLimited(program)) program.limit(references);
    }
  }

  run(cpu: GuestCpu): GuestStop {
    const { core } = cpu;
    core.item = this.#item;
    core.itemEnd = this.#itemEnd;
    core.retired = 0;
    const stop = this.#loop(cpu);
    this.#account(core);
    core.settle();
    this.#item = core.item;
    this.#itemEnd = core.itemEnd;
    return stop;
  }

  /** Books the user instructions executed since the last call. */
  #account(core: Core): void {
    const { retired } = core;
    core.retired = 0;
    this.#executed += retired;
    if (this.#current) this.#current.quantum -= retired;
    const { marks, onMark } = this.#options;
    while (this.#executed >= marks[this.#mark]!) onMark(this.#mark++);
  }

  #loop(cpu: GuestCpu): GuestStop {
    const { core } = cpu;
    if (this.#tickPeriod > 0 && this.#nextTick <= core.time) this.#armTick(cpu);
    for (;;) {
      core.settle();
      const { until } = cpu;
      if (core.time >= until) return GuestStop.Time;
      if (core.item === core.itemEnd) {
        if (core.full) return GuestStop.Time;
        const stop = this.#refill(cpu);
        if (stop !== GuestStop.Time) return stop;
        continue;
      }
      const limit = Math.min(until - core.time, 2 ** 30);
      const near = core.time + limit > core.cut.far;
      const stop = near ? runToEdge(core, limit) : runBlock(core, limit);
      if (core.time > core.cut.edge) core.cut.inVisit(core);
      if (stop === Stop.Fault) {
        const store = (ITEM_OP[core.item]! & 255) === Op.Store;
        this.#pageFault(cpu, ITEM_PAGE[core.item]!, store);
      } else if (stop === Stop.Operation) {
        const [a, word, b, c] = readItem(core.item);
        const op = word & 255;
        if (op === Op.Starved) {
          core.item = core.itemEnd;
          return GuestStop.Starved;
        }
        core.item++;
        this.#operation(cpu, op, a, b, c);
        if (this.#work >= this.#options.stopAfter) return GuestStop.Done;
      }
    }
  }

  /**
   * Asks the current program for more, after scheduling; `Time` means that there is something to
   * execute.
   */
  #refill(cpu: GuestCpu): GuestStop {
    const { core } = cpu;
    this.#account(core);
    let process = this.#current;
    if (process) {
      if (process.quantum <= 0 && this.#queue.crowded) {
        this.#queue.push(process);
        process = null;
        this.#current = null;
      }
    }
    if (!process) {
      process = this.#queue.take();
      if (!process) return this.#idle(cpu);
      process.quantum = this.workload.quantumInstructions;
      this.#current = process;
      this.#switchTo(cpu, process);
    }
    if (process.transfer) {
      moveOn(this, cpu, process);
      return GuestStop.Time;
    }
    const { block } = this.#options;
    const { program } = process;
    const n = program.fill(block, BLOCK_ITEMS);
    if (n === 0) {
      if (isReferenceLimited(program)) return program.finished ? GuestStop.Done : GuestStop.Turn;
      if (!this.workload.kernel || (process.parent === null && this.#spaces.size === 1)) {
        return GuestStop.Done;
      }
      exit(this, cpu, process);
      return GuestStop.Time;
    }
    core.item = block;
    core.itemEnd = block + n;
    return GuestStop.Time;
  }

  #idle(cpu: GuestCpu): GuestStop {
    if (!this.#queue.anyBlocked) return GuestStop.Done;
    if (this.workload.kernel) this.paths.run(cpu, cost.idle, 8);
    cpu.core.settle();
    if (this.workload.tickless || this.#tickPeriod === 0) {
      this.#nextTick = 0;
      this.#armWakeUp(cpu);
    }
    return GuestStop.Halt;
  }

  /** Sets the timer to the next sleeper; without one it stays silent. */
  #armWakeUp(cpu: GuestCpu): void {
    const next = this.#queue.nextWakeUp;
    if (next === Infinity) cpu.clearTimer();
    else cpu.setTimer(Math.max(1, next - cpu.core.now));
  }

  #armTick(cpu: GuestCpu): void {
    this.#nextTick = cpu.core.now + this.#tickPeriod;
    cpu.setTimer(this.#tickPeriod);
  }

  #switchTo(cpu: GuestCpu, process: Process): void {
    if (this.#loaded === process.space) return;
    this.#loaded = process.space;
    this.vm.counters.guest_process_switches++;
    if (!this.workload.kernel) {
      cpu.loadTagged(process.space.root, this.#spaceNumber(process));
      return;
    }
    this.paths.run(cpu, cost.contextSwitch, 0);
    cpu.loadCr3(process.space.root);
    if (this.#dead.length > 0) this.#reap(cpu);
  }

  #spaceNumber(process: Process): number {
    for (const [number, candidate] of this.#spaces) if (candidate === process) return number;
    return 0;
  }

  #pageFault(cpu: GuestCpu, vpn: number, write: boolean): void {
    const { space } = this.#current!;
    handlePageFault(this, cpu, space, vpn, write, this.#options.instructions);
  }

  #operation(cpu: GuestCpu, op: number, a: number, b: number, c: number): void {
    const process = this.#current!;
    const { core } = cpu;
    this.#account(core);
    const { counters } = this.vm;
    if (op === Op.SwitchTo) {
      this.#switchSpace(cpu, a);
      return;
    }
    if (op === Op.Invalidate) {
      if (b === 0) flushAsid(core, core.asid, core.vcpu, false, Cause.Cr3);
      else invalidateRange(core, a, b, Cause.Invlpg);
      return;
    }
    if (op === Op.WorkDone) {
      this.#work += a;
      counters.work += a;
      return;
    }
    const { syscall, sysret } = this.#options.instructions;
    counters.syscalls++;
    core.charge(Leaf.GuestKernel, syscall);
    systemCall(this, cpu, process, op, a, b, c);
    core.charge(Leaf.GuestKernel, sysret);
  }

  /** The lines of a trace that follow belong to another address space. */
  #switchSpace(cpu: GuestCpu, number: number): void {
    let process = this.#spaces.get(number);
    const program = this.#current!.program;
    if (!process) {
      const { regions } = this.workload.processes[0]!;
      process = this.load({ regions, program }, null);
      this.#spaces.set(number, process);
    }
    process.program = program;
    process.quantum = this.#current!.quantum;
    this.#current = process;
    this.#switchTo(cpu, process);
  }

  // What system calls use.

  get crowded(): boolean {
    return this.#queue.crowded;
  }

  adopt(process: Process, number: number): void {
    if (number >= 0) this.#spaces.set(number, process);
    else this.#queue.push(process);
  }

  enter(cpu: GuestCpu, space: AddressSpace): void {
    this.#loaded = space;
    cpu.loadCr3(space.root);
  }

  block(cpu: GuestCpu, process: Process, state: State): void {
    this.#queue.block(process, state);
    this.#current = null;
    // A busy tickless kernel has nothing else that would wake a sleeper.
    if (state === State.Sleep && this.#tickPeriod === 0) this.#armWakeUp(cpu);
  }

  unblock(process: Process): void {
    this.#queue.unblock(process);
  }

  requeue(process: Process): void {
    this.#queue.push(process);
    this.#current = null;
  }

  bury(cpu: GuestCpu, process: Process): void {
    this.#current = null;
    this.#dead.push(process.space);
    // The kernel leaves the dying address space before it tears it down.
    const next = this.#queue.first;
    if (next) {
      this.vm.counters.guest_process_switches++;
      this.enter(cpu, next.space);
      this.#reap(cpu);
    }
  }

  /** Tears down the address spaces of ended processes, except the one in CR3. */
  #reap(cpu: GuestCpu): void {
    for (const space of this.#dead) {
      if (space !== this.#loaded) this.paths.run(cpu, space.destroy(cpu) * cost.perEntry, 10);
    }
    this.#dead = this.#dead.filter((space) => space === this.#loaded);
  }

  interrupt(cpu: GuestCpu, vectors: number): void {
    const { core } = cpu;
    const { exception, iret } = this.#options.instructions;
    core.charge(Leaf.GuestKernel, exception);
    if ((vectors & Vector.Timer) !== 0) {
      this.vm.counters.timer_ticks++;
      this.paths.run(cpu, cost.timerTick, 16);
      if (this.#tickPeriod > 0) this.#armTick(cpu);
    }
    if ((vectors & Vector.Device) !== 0) this.paths.run(cpu, cost.interrupt, 17, 2);
    if ((vectors & Vector.Network) !== 0) this.paths.run(cpu, cost.networkInterrupt, 18, 2);
    cpu.endOfInterrupt();
    this.#queue.wakeDue(core.now, this.requests);
    core.charge(Leaf.GuestKernel, iret);
  }
}
