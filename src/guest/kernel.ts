import { ModelError } from '../base/errors.ts';
import type { Cycles } from '../base/ids.ts';
import {
  DIRECT_MAP,
  type Guest,
  type GuestCpu,
  GuestStop,
  Vector,
} from '../hypervisor/guest-port.ts';
import { frameOf, softWalk, walkSoftly } from '../hypervisor/mmu/guest-tables.ts';
import type { Vm } from '../hypervisor/vm.ts';
import { heap } from '../machine/heap.ts';
import { type PageTables, PTE_SHIFT, Pte } from '../machine/page-tables.ts';
import { runBlock, Stop, visitKernel } from '../machine/run.ts';
import { Leaf } from '../stats/leaves.ts';
import { AddressSpace, type GuestTables, takeTable } from './address-space.ts';
import { kernelInstructions as cost, INSTRUCTIONS_PER_TEXT_VISIT } from './kernel-costs.ts';
import {
  GuestMemory,
  KERNEL_DATA,
  KERNEL_DATA_PAGES,
  KERNEL_TEXT,
  KERNEL_TEXT_PAGES,
} from './memory.ts';
import { Process, State } from './process.ts';
import type { Requests } from './requests.ts';
import { ITEM_WORDS, Op, type ProcessImage, type Workload } from './workloads/workload.ts';

/** Items of a visit block: one fill of a program. */
export const BLOCK_ITEMS = 256;

export interface KernelOptions {
  readonly vm: Vm;
  readonly tables: PageTables;
  readonly workload: Workload;
  /** First word of this vCPU's block in the heap. */
  readonly block: number;
  readonly mhz: number;
  /** Hardware costs the kernel causes directly, in cycles. */
  readonly instructions: {
    readonly syscall: number;
    readonly sysret: number;
    readonly exception: number;
    readonly iret: number;
  };
  /** Units of work after which the VM powers off; Infinity = never. */
  readonly stopAfter: number;
  /** User instructions after which it powers off; Infinity = never. */
  readonly stopAfterInstructions: number;
  readonly requests: Requests | null;
}

/**
 * The guest kernel on one vCPU: runs processes, handles their faults and system calls, takes interrupts. Kernel
 * code and data are pages of the direct map, mapped large and global, and go through the TLBs like any
 * other; table entries are stored one by one through the direct map, where shadow paging can trap them.
 */
export class GuestKernel implements Guest {
  readonly #vm: Vm;
  readonly #workload: Workload;
  readonly #options: KernelOptions;
  readonly guest: GuestTables;
  readonly #tables: PageTables;
  readonly #runnable: Process[] = [];
  readonly #blocked = new Set<Process>();
  #current: Process | null = null;
  /** The address space in CR3. */
  #loaded: AddressSpace;
  readonly #spaces = new Map<number, Process>();
  #item: number;
  #itemEnd: number;
  #textCursor = 0;
  #grant = 0;
  #work = 0;
  #nextTick: Cycles = 0;
  readonly #tickPeriod: Cycles;
  /** User instructions executed. */
  #executed = 0;

  constructor(options: KernelOptions) {
    const { vm, tables, workload } = options;
    this.#vm = vm;
    this.#tables = tables;
    this.#workload = workload;
    this.#options = options;
    this.#item = options.block;
    this.#itemEnd = options.block;
    this.#tickPeriod = workload.hz > 0 ? Math.round((options.mhz * 1e6) / workload.hz) : 0;
    const memory = new GuestMemory(vm.memoryPages, vm.name);
    const kernelTable = tables.alloc(memory.take());
    vm.nodeOfFrame[tables.frame[kernelTable]!] = kernelTable;
    this.guest = { vm, tables, memory, objects: new Map(), kernelTable };
    this.#buildDirectMap();
    for (const [index, image] of workload.processes.entries()) {
      const process = this.#load(image, null);
      this.#spaces.set(index, process);
      this.#runnable.push(process);
    }
    const first = this.#runnable[0];
    if (!first) throw new ModelError(`VM ${vm.name} has no process`);
    this.#loaded = first.space;
  }

  /** All guest memory from DIRECT_MAP on, in 2 MB global pages. */
  #buildDirectMap(): void {
    const { kernelTable } = this.guest;
    const flags = Pte.Present | Pte.Writable | Pte.Accessed | Pte.Dirty | Pte.Global | Pte.Large;
    for (let gfn = 0; gfn < this.#vm.memoryPages; gfn += 512) {
      const slot3 = (kernelTable << 9) | (gfn >>> 18);
      if ((this.#tables.entries[slot3]! & Pte.Present) === 0) {
        const node = takeTable(this.guest, null);
        const upper = Pte.Present | Pte.Writable | Pte.Accessed | Pte.Dirty;
        this.#tables.set(slot3, (node << PTE_SHIFT) | upper);
      }
      const node = this.#tables.entries[slot3]! >>> PTE_SHIFT;
      this.#tables.set((node << 9) | ((gfn >>> 9) & 511), (gfn << PTE_SHIFT) | flags);
    }
  }

  /** Builds a process from an image; what was there before the run is mapped at no cost. */
  #load(image: ProcessImage, cpu: GuestCpu | null, parent: Process | null = null): Process {
    const space = new AddressSpace(this.guest, cpu);
    for (const region of image.regions) {
      space.add(region);
      if (!region.populated) continue;
      const step = region.pageShift === 21 ? 512 : 1;
      for (let page = 0; page < region.pages; page += step) {
        if (!space.fault(null, region.start + page, region.writable)) this.#outOfPages(region.name);
      }
    }
    return new Process(space, image.program, parent);
  }

  #outOfPages(what: string): never {
    throw new ModelError(
      `VM ${this.#vm.name} has no large pages left for ${what}: give it more memory`,
    );
  }

  /** Every guest frame that something occupies at power-on: tables, kernel, populated pages. */
  eachUsedFrame(visit: (gfn: number) => void): void {
    const { memory } = this.guest;
    for (let gfn = 0; gfn < memory.highest; gfn++) visit(gfn);
  }

  get root(): number {
    return this.#loaded.root;
  }

  /** What the running address space says of a page: its guest frame (-1 = not mapped) and right to store. */
  translate(vpn: number): { frame: number; writable: boolean } {
    const walk = walkSoftly(this.#tables, this.#loaded.root, vpn, softWalk());
    if (walk.level === 0) return { frame: -1, writable: false };
    return { frame: frameOf(walk, vpn), writable: (walk.entry & Pte.Writable) !== 0 };
  }

  get busy(): boolean {
    return this.#current !== null || this.#runnable.length > 0;
  }

  grantReferences(references: number): void {
    this.#grant = references;
    if (references > 0)
      for (const process of this.#spaces.values()) limited(process)?.limit(references);
  }

  run(cpu: GuestCpu, until: Cycles): GuestStop {
    const { core } = cpu;
    core.item = this.#item;
    core.itemEnd = this.#itemEnd;
    const stop = this.#loop(cpu, until);
    core.settle();
    this.#item = core.item;
    this.#itemEnd = core.itemEnd;
    return stop;
  }

  #loop(cpu: GuestCpu, until: Cycles): GuestStop {
    const { core } = cpu;
    if (this.#tickPeriod > 0 && this.#nextTick <= core.time) this.#armTick(cpu);
    for (;;) {
      core.settle();
      if (core.time >= until) return GuestStop.Time;
      if (core.item === core.itemEnd) {
        const stop = this.#refill(cpu);
        if (stop !== GuestStop.Time) return stop;
        continue;
      }
      const limit = until - core.time;
      const stop = runBlock(core, Math.min(limit, 2 ** 30));
      if (stop === Stop.Fault) {
        this.#pageFault(cpu, heap[core.item]!, (heap[core.item + 1]! & 255) === Op.Store);
      } else if (stop === Stop.Operation) {
        const at = core.item;
        const op = heap[at + 1]! & 255;
        if (op === Op.Starved) {
          core.item = core.itemEnd;
          return GuestStop.Starved;
        }
        core.item = at + ITEM_WORDS;
        this.#operation(cpu, op, heap[at]!, heap[at + 2]!, heap[at + 3]!);
        if (this.#work >= this.#options.stopAfter) return GuestStop.Done;
      }
    }
  }

  /** Asks the current program for more, after scheduling; `Time` means there is something to execute. */
  #refill(cpu: GuestCpu): GuestStop {
    const { core } = cpu;
    let process = this.#current;
    if (process) {
      process.quantum -= core.retired;
      this.#executed += core.retired;
      core.retired = 0;
      if (this.#executed >= this.#options.stopAfterInstructions) return GuestStop.Done;
      const turn = limited(process);
      if (turn?.finished) return GuestStop.Done;
      if (this.#grant > 0 && turn?.remaining === 0) return GuestStop.Turn;
      if (process.quantum <= 0 && this.#runnable.length > 0) {
        this.#runnable.push(process);
        process = null;
        this.#current = null;
      }
    }
    if (!process) {
      process = this.#runnable.shift() ?? null;
      if (!process) return this.#idle(cpu);
      core.retired = 0;
      process.quantum = this.#workload.quantumInstructions;
      this.#current = process;
      this.#switchTo(cpu, process);
    }
    const { block } = this.#options;
    const n = process.program.fill(heap, block, BLOCK_ITEMS);
    if (n === 0) {
      if (!this.#workload.kernel || (process.parent === null && this.#spaces.size === 1)) {
        return GuestStop.Done;
      }
      this.#exit(cpu, process);
      return GuestStop.Time;
    }
    core.item = block;
    core.itemEnd = block + n * ITEM_WORDS;
    return GuestStop.Time;
  }

  #idle(cpu: GuestCpu): GuestStop {
    if (this.#blocked.size === 0) return GuestStop.Done;
    if (this.#workload.kernel) this.#path(cpu, cost.idle, 8);
    cpu.core.settle();
    let next = Infinity;
    for (const process of this.#blocked) {
      if (process.state === State.Sleep) next = Math.min(next, process.due);
    }
    this.#nextTick = 0;
    if (next === Infinity) cpu.clearTimer();
    else cpu.setTimer(Math.max(1, next - cpu.core.time));
    return GuestStop.Halt;
  }

  #armTick(cpu: GuestCpu): void {
    this.#nextTick = cpu.core.now + this.#tickPeriod;
    cpu.setTimer(this.#tickPeriod);
  }

  #switchTo(cpu: GuestCpu, process: Process): void {
    if (this.#loaded === process.space) return;
    this.#loaded = process.space;
    this.#vm.counters.guest_process_switches++;
    if (!this.#workload.kernel) {
      cpu.loadTagged(process.space.root, this.#spaceNumber(process));
      return;
    }
    this.#path(cpu, cost.contextSwitch, 0);
    cpu.loadCr3(process.space.root);
  }

  #spaceNumber(process: Process): number {
    for (const [number, candidate] of this.#spaces) if (candidate === process) return number;
    return 0;
  }

  /**
   * Executes a kernel path of so many instructions: visits to text pages of its own (`entry` picks where
   * the path begins) and to kernel data.
   */
  #path(cpu: GuestCpu, instructions: number, entry: number, dataPages = 0): void {
    const { core } = cpu;
    const visits = Math.max(1, Math.round(instructions / INSTRUCTIONS_PER_TEXT_VISIT));
    const each = Math.floor(instructions / visits);
    let text = (entry * 11) % KERNEL_TEXT_PAGES;
    for (let i = 0; i < visits; i++) {
      // Paths share the entry code and then go their own way: every fourth visit moves to a new page.
      if ((i & 3) === 3) text = (text + 1) % KERNEL_TEXT_PAGES;
      this.#kernelVisit(core, KERNEL_TEXT + text, Op.Fetch, each, (i * 5) & 63, 5);
      this.#textCursor = (this.#textCursor * 5 + 1 + entry) & 0x3fff;
      // Hot structures (stack, run queue, task) take three visits of four, the slab the rest.
      const data = (i & 3) < 3 ? (entry * 3 + (i & 1)) & 15 : this.#textCursor % KERNEL_DATA_PAGES;
      const op = (i & 1) === 0 ? Op.Load : Op.Store;
      this.#kernelVisit(core, KERNEL_DATA + data, op, 0, this.#textCursor & 63, 2);
    }
    for (let i = 0; i < dataPages; i++) {
      this.#textCursor = (this.#textCursor * 5 + 1) & 0x3fff;
      const page = KERNEL_DATA + (this.#textCursor % KERNEL_DATA_PAGES);
      this.#kernelVisit(core, page, Op.Load, 0, this.#textCursor & 63, 4);
    }
  }

  #kernelVisit(
    core: GuestCpu['core'],
    frame: number,
    op: number,
    instructions: number,
    line: number,
    lines: number,
  ): void {
    if (!visitKernel(core, DIRECT_MAP + frame, op, instructions, line, lines)) {
      throw new ModelError(`VM ${this.#vm.name}: kernel page ${frame} is not mapped`);
    }
  }

  #pageFault(cpu: GuestCpu, vpn: number, write: boolean): void {
    const process = this.#current!;
    const { core } = cpu;
    const { counters } = this.#vm;
    if (!this.#workload.kernel) {
      // Trace studies: the page was there beforehand.
      if (!process.space.mappingOf(vpn)) process.space.add(anonymous(vpn));
      if (!process.space.fault(null, vpn, true)) this.#outOfPages('the trace');
      return;
    }
    counters.guest_faults++;
    const { exception, iret } = this.#options.instructions;
    core.charge(Leaf.GuestKernel, exception);
    const breaks = counters.cow_breaks;
    this.#path(cpu, cost.pageFault, 1);
    if (!process.space.fault(cpu, vpn, write)) {
      if (process.space.mappingOf(vpn)) this.#outOfPages(`page ${vpn.toString(16)}`);
      process.space.add(anonymous(vpn));
      process.space.fault(cpu, vpn, write);
    }
    if (counters.cow_breaks !== breaks) this.#path(cpu, cost.cowBreak, 2);
    core.charge(Leaf.GuestKernel, iret);
  }

  #operation(cpu: GuestCpu, op: number, a: number, b: number, c: number): void {
    const process = this.#current!;
    const { core } = cpu;
    const { counters } = this.#vm;
    if (op === Op.SwitchTo) {
      this.#switchSpace(cpu, a);
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
    this.#systemCall(cpu, process, op, a, b, c);
    core.charge(Leaf.GuestKernel, sysret);
  }

  #systemCall(cpu: GuestCpu, process: Process, op: number, a: number, b: number, c: number): void {
    const { space } = process;
    const { counters } = this.#vm;
    switch (op) {
      case Op.Syscall:
        this.#path(cpu, a, 3, b);
        return;
      case Op.Mmap: {
        this.#path(cpu, cost.mmap, 4);
        const image = this.#workload.processes[0]!;
        const region = image.regions[c] ?? anonymous(a);
        space.unmap(cpu, a, b);
        space.add({ ...region, start: a, pages: b, name: `${region.name}@${a}` });
        return;
      }
      case Op.Munmap:
        this.#path(cpu, cost.munmap, 5);
        this.#flushAfter(cpu, a, space.unmap(cpu, a, b));
        return;
      case Op.Mprotect:
        this.#path(cpu, cost.mmap, 6);
        this.#flushAfter(cpu, a, space.protect(cpu, a, b, c !== 0));
        return;
      case Op.Discard: {
        const mapping = space.mappingOf(a);
        this.#path(cpu, cost.munmap, 7);
        const cleared = space.unmap(cpu, a, b);
        if (mapping) space.mappings.push({ ...mapping, start: a, pages: b });
        this.#flushAfter(cpu, a, cleared);
        return;
      }
      case Op.Mremap: {
        const mapping = space.mappingOf(a);
        this.#path(cpu, cost.mmap, 7);
        this.#flushAfter(cpu, a, space.unmap(cpu, a, c));
        if (mapping) space.mappings.push({ ...mapping, start: b, pages: c });
        return;
      }
      case Op.Fork:
      case Op.ForkTo:
        this.#fork(cpu, process, op === Op.ForkTo ? a : -1);
        return;
      case Op.Exec: {
        counters.execs++;
        this.#path(cpu, cost.exec, 9);
        const old = process.space;
        const image = process.program.exec();
        const next = this.#load(image, cpu, process.parent);
        process.space = next.space;
        process.program = next.program;
        this.#loaded = next.space;
        cpu.loadCr3(next.space.root);
        this.#path(cpu, old.destroy(cpu) * cost.perEntry, 9);
        return;
      }
      case Op.Exit:
        this.#exit(cpu, process);
        return;
      case Op.Wait:
        this.#path(cpu, cost.idle, 10);
        if (process.ended > 0) process.ended--;
        else this.#block(process, State.Child);
        return;
      case Op.BlockingIo:
        this.#path(cpu, cost.blockIo, 11);
        process.due = cpu.core.now + Math.round(b * this.#options.mhz);
        cpu.startIo(a, Math.round(b * this.#options.mhz));
        process.due = Math.max(process.due, cpu.core.now);
        this.#block(process, State.Io);
        return;
      case Op.Yield:
        this.#path(cpu, cost.idle, 12);
        if (this.#runnable.length > 0) {
          this.#runnable.push(process);
          this.#current = null;
        }
        return;
      case Op.AwaitRequest: {
        this.#path(cpu, cost.idle, 13);
        const arrival = this.#options.requests?.take() ?? Number.NaN;
        process.request = arrival;
        if (Number.isNaN(arrival)) this.#block(process, State.Request);
        return;
      }
      case Op.RequestDone:
        this.#path(cpu, cost.send, 14);
        cpu.sendPacket(a);
        counters.requests++;
        if (!Number.isNaN(process.request)) {
          this.#options.requests?.finish(process.request, cpu.core.now);
        }
        process.request = Number.NaN;
        return;
      case Op.Sleep:
        this.#path(cpu, cost.idle, 15);
        process.due = cpu.core.now + Math.round(a * this.#options.mhz);
        this.#block(process, State.Sleep);
        return;
      default:
        throw new ModelError(`VM ${this.#vm.name}: unknown operation ${op}`);
    }
  }

  /** Linux flushes one page by INVLPG, more by reloading CR3. */
  #flushAfter(cpu: GuestCpu, vpn: number, changed: number): void {
    if (changed === 0) return;
    this.#path(cpu, changed * cost.perEntry, 5);
    if (changed === 1) cpu.invlpg(vpn);
    else cpu.loadCr3(this.#loaded.root);
  }

  #fork(cpu: GuestCpu, process: Process, number: number): void {
    const { counters } = this.#vm;
    counters.forks++;
    this.#path(cpu, cost.fork, 8);
    const { child, copied } = process.space.fork(cpu);
    this.#path(cpu, copied * cost.perEntry, 8);
    cpu.loadCr3(process.space.root);
    const created = new Process(child, process.program.fork(), process);
    if (number >= 0) this.#spaces.set(number, created);
    else this.#runnable.push(created);
  }

  #exit(cpu: GuestCpu, process: Process): void {
    const { counters } = this.#vm;
    counters.process_exits++;
    this.#path(cpu, cost.exit, 10);
    this.#current = null;
    const parent = process.parent;
    if (parent) {
      if (parent.state === State.Child) this.#unblock(parent);
      else parent.ended++;
    }
    // The kernel leaves the dying address space before it tears it down.
    const next = this.#runnable[0] ?? parent;
    if (next && next.space !== this.#loaded) {
      this.#loaded = next.space;
      counters.guest_process_switches++;
      cpu.loadCr3(next.space.root);
    }
    if (this.#loaded !== process.space) {
      this.#path(cpu, process.space.destroy(cpu) * cost.perEntry, 10);
    }
  }

  /** The lines of a trace that follow belong to another address space. */
  #switchSpace(cpu: GuestCpu, number: number): void {
    let process = this.#spaces.get(number);
    const program = this.#current!.program;
    if (!process) {
      process = new Process(new AddressSpace(this.guest, null), program, null);
      this.#spaces.set(number, process);
    }
    process.program = program;
    process.quantum = this.#current!.quantum;
    this.#current = process;
    this.#switchTo(cpu, process);
  }

  #block(process: Process, state: State): void {
    process.state = state;
    this.#blocked.add(process);
    this.#current = null;
  }

  #unblock(process: Process): void {
    process.state = State.Runnable;
    this.#blocked.delete(process);
    this.#runnable.push(process);
  }

  interrupt(cpu: GuestCpu, vectors: number): void {
    const { core } = cpu;
    const { exception, iret } = this.#options.instructions;
    core.charge(Leaf.GuestKernel, exception);
    if ((vectors & Vector.Timer) !== 0) {
      this.#vm.counters.timer_ticks++;
      this.#path(cpu, cost.timerTick, 16);
      if (this.#tickPeriod > 0) this.#armTick(cpu);
    }
    if ((vectors & ~Vector.Timer) !== 0) this.#path(cpu, cost.interrupt, 17, 2);
    cpu.endOfInterrupt();
    const now = core.now;
    for (const process of this.#blocked) {
      const due =
        (process.state === State.Io || process.state === State.Sleep) && process.due <= now;
      if (due) this.#unblock(process);
    }
    const { requests } = this.#options;
    if (requests && requests.waiting > 0) {
      for (const process of this.#blocked) {
        if (process.state !== State.Request || requests.waiting === 0) continue;
        process.request = requests.take();
        this.#unblock(process);
      }
    }
    core.charge(Leaf.GuestKernel, iret);
  }
}

/** A program whose references per turn can be limited (trace studies). */
interface Limited {
  limit(references: number): void;
  readonly remaining: number;
  readonly finished: boolean;
}

function limited(process: Process): Limited | undefined {
  const program = process.program as unknown as Partial<Limited>;
  return typeof program.limit === 'function' ? (program as Limited) : undefined;
}

/** A mapping for a page nobody mapped: a program image or stack that predates the trace. */
function anonymous(vpn: number) {
  return {
    name: `page-${vpn}`,
    start: vpn,
    pages: 1,
    kind: 'anon' as const,
    writable: true,
    pageShift: 12,
    populated: false,
  };
}
