import { ModelError } from '../base/errors.ts';
import type { GuestCpu } from '../hypervisor/guest-port.ts';
import type { Vm } from '../hypervisor/vm.ts';
import { AddressSpace } from './address-space.ts';
import { bootTables } from './boot.ts';
import type { GuestTables } from './frames.ts';
import type { GuestOptions, GuestShared } from './kernel-options.ts';
import { KernelPaths } from './kernel-paths.ts';
import type { KernelProfile } from './kernel-schema.ts';
import { outOfLargePages } from './page-faults.ts';
import { Process, type State, Thread } from './process.ts';
import { Progress } from './progress.ts';
import { type Change, FaultOutcome } from './work.ts';
import { hugePagesOf } from './workloads/page-size.ts';
import type { ProcessImage, Workload } from './workloads/workload.ts';

/**
 * What the vCPUs of a guest share: its memory and tables, its processes.
 * Kernel code and data are pages of the direct map, mapped large and global, and go through the
 * TLBs like any other; table entries are stored one by one through the direct map, where shadow
 * paging can trap them. `KernelCpu` is the kernel on one vCPU.
 */
export class GuestKernel implements GuestShared {
  readonly vm: Vm;
  readonly workload: Workload;
  readonly kernel: KernelProfile;
  readonly guest: GuestTables;
  readonly paths: KernelPaths;
  readonly progress: Progress;
  readonly mhz: number;
  readonly sendBytes: number;
  readonly diskBytes: number;
  /** Threads that exist at power-on. */
  readonly first: readonly Thread[];
  /** Processes that exist at power-on, and those that a trace names, by number. */
  readonly numbered = new Map<number, Process>();
  #ios = 0;
  /** Address spaces of ended processes that are not torn down yet. */
  #dead: AddressSpace[] = [];

  constructor(options: GuestOptions) {
    const { vm, workload } = options;
    this.vm = vm;
    this.workload = workload;
    this.kernel = options.kernel;
    this.paths = new KernelPaths(vm.program, options.kernel.cpi);
    this.progress = new Progress(options);
    this.mhz = options.mhz;
    this.sendBytes = options.sendBytes;
    this.diskBytes = options.diskBytes;
    this.guest = bootTables(vm, options.tables, hugePagesOf(workload.processes), options.kernel);
    this.first = workload.processes.flatMap((image, number) => {
      const process = new Process(this.load(image, null), null);
      this.numbered.set(number, process);
      return image.programs.map((program) => new Thread(process, program));
    });
    if (this.first.length === 0) throw new ModelError(`VM ${vm.name} has no process`);
  }

  /**
   * The address space of an image; `cpu` null = before the run. Pages that the image calls
   * populated are mapped at no cost.
   */
  load({ regions }: Pick<ProcessImage, 'regions'>, cpu: GuestCpu | null): AddressSpace {
    return loadImage(this.guest, regions, cpu);
  }

  /** A number for an I/O that a thread waits for. */
  newIo(): number {
    return this.#ios++;
  }

  /** Top tables of the processes that exist at power-on. */
  get roots(): number[] {
    return [...this.numbered.values()].flatMap(({ space }) => space.roots);
  }

  /** True for the last process that could ever run: its end is the end of the VM. */
  isLast({ parent }: Process): boolean {
    return parent === null && this.numbered.size === 1;
  }

  /** The address space of an ended process: it is torn down once no vCPU has it in CR3. */
  bury(space: AddressSpace): void {
    this.#dead.push(space);
  }

  /** A process leaves its address space. True: it was the last one, and the space is to go. */
  leave({ space }: Process): boolean {
    return --space.users === 0;
  }

  /** Frees an address space, on the path that begins at `entry`. */
  tearDown(cpu: GuestCpu, space: AddressSpace, entry: number): void {
    space.destroy(cpu);
    this.paths.run(cpu, changeCost(this.kernel, space.change), entry);
  }

  /** Tears down the address spaces of ended processes, the one in CR3 excepted. */
  reap(cpu: GuestCpu, loaded: AddressSpace): void {
    if (this.#dead.length === 0) return;
    for (const space of this.#dead) {
      if (space !== loaded) this.tearDown(cpu, space, 10);
    }
    this.#dead = this.#dead.filter((space) => space === loaded);
  }
}

/** As `GuestKernel.load`. Throws MemoryError when the VM has too few large pages. */
export function loadImage(
  guest: GuestTables,
  regions: ProcessImage['regions'],
  cpu: GuestCpu | null,
): AddressSpace {
  const space = new AddressSpace(guest, cpu);
  for (const region of regions) {
    space.add(region);
    if (!region.populated) continue;
    const step = 1 << (region.pageShift - 12);
    for (let page = 0; page < region.pages; page += step) {
      const outcome = space.fault(null, region.start + page, region.writable);
      if (outcome !== FaultOutcome.Fixed) outOfLargePages(guest.vm.name, region.name);
    }
  }
  return space;
}

/** Instructions of a change of table entries. */
export function changeCost({ instructions: cost }: KernelProfile, change: Change): number {
  const { changed, freed, scanned } = change;
  return changed * cost.changeEntry + freed * cost.freePage + scanned * cost.scanEntry;
}

/** What system calls use of the kernel on the vCPU that they run on. */
export interface Kernel {
  readonly shared: GuestKernel;
  /** True when another thread could run now. */
  readonly crowded: boolean;
  /** Makes a new thread runnable. */
  start(thread: Thread): void;
  /** Loads CR3 with a space that the running process has got. */
  load(cpu: GuestCpu, space: AddressSpace): void;
  /** The running thread waits. */
  block(cpu: GuestCpu, thread: Thread, state: State): void;
  unblock(thread: Thread): void;
  /** The running thread goes to the end of the run queue. */
  requeue(thread: Thread): void;
  /** A thread is gone, whatever it was doing; its process goes on. */
  drop(thread: Thread): void;
  /** The running process is gone with all its threads; its space is torn down later. */
  end(cpu: GuestCpu, process: Process): void;
}
