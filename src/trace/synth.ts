import type { Choice } from '../base/registry.ts';
import { workloads } from '../guest/workloads/index.ts';
import { Op, type Program, type Region } from '../guest/workloads/workload.ts';
import { acquireBlock, readItem, releaseBlock } from '../machine/items.ts';
import { Kind, type PageTraceWriter } from './page-trace-writer.ts';

/**
 * Writes a synthetic workload as a page trace. Its programs run as if on a machine that costs
 * nothing, one thread at a time. A thread runs until it blocks, yields or ends, or its turn is
 * over; a child runs to its end before its parent continues. References keep their number and
 * order. The instructions that a workload counts for its data visits are not fetches and are left
 * out.
 */
export interface SynthOptions {
  readonly workload: Choice;
  readonly seed: string;
  readonly vm: string;
  readonly memoryPages: number;
  /** References after which the trace ends. */
  readonly references: number;
}

const BLOCK = 256;
/** References of a turn when a thread does not block. assumed (1e5-1e7) */
const TURN = 1_000_000;
const MOST_IDLE = 10_000;

interface Process {
  /** Number of its address space; a new one after an exec. */
  space: number;
  regions: readonly Region[];
  readonly parent: Process | undefined;
  children: number;
  /** Threads that have not ended. */
  threads: number;
}

interface Thread {
  readonly process: Process;
  program: Program;
}

export class Synthesis {
  readonly #writer: PageTraceWriter;
  #ready: Thread[];
  readonly #limit: number;
  /** References written so far. */
  references = 0;
  /** Turns in a row that made no reference. */
  #idle = 0;
  #spaces: number;
  #space = -1;

  /** Throws what the workload throws when it does not fit the VM. */
  constructor(options: SynthOptions, writer: PageTraceWriter) {
    const { processes } = workloads.create(options.workload, {
      seed: options.seed,
      vm: options.vm,
      memoryPages: options.memoryPages,
      openTrace: () => {
        throw new Error('a trace cannot be made from a trace');
      },
    });
    this.#limit = options.references;
    this.#writer = writer;
    this.#spaces = processes.length;
    this.#ready = [];
    for (const [space, { programs, regions }] of processes.entries()) {
      const threads = programs.length;
      const process: Process = { space, regions, parent: undefined, children: 0, threads };
      this.#ready.push(...programs.map((program) => ({ process, program })));
      this.#enter(process);
      this.#describe(regions, true);
    }
  }

  /**
   * Runs one thread for a turn; false when the trace is complete, or when no thread will ever run
   * again.
   */
  step(): boolean {
    const thread = this.#ready.shift();
    if (!thread || this.references >= this.#limit || this.#idle > MOST_IDLE) return false;
    const before = this.references;
    this.#enter(thread.process);
    this.#turn(thread);
    this.#idle = this.references === before ? this.#idle + 1 : 0;
    return true;
  }

  #enter({ space }: Process): void {
    if (this.#space === space) return;
    this.#space = space;
    this.#writer.enter(space);
  }

  /** The mappings of an image, as events. */
  #describe(regions: readonly Region[], running: boolean): void {
    for (const region of regions) {
      if (region.pages === 0) continue;
      const place = `${region.start.toString(16)} ${region.pages}`;
      if (running && region.populated) {
        this.#writer.event(`resident ${place} ${region.writable ? 'w' : 'r'}`);
      } else {
        this.#writer.event(`mmap ${place} ${rights(region)}`);
      }
    }
  }

  /** Lets a thread run until it gives way, then puts it into the right queue. */
  #turn(thread: Thread): void {
    const block = acquireBlock(BLOCK);
    try {
      this.#goOn(thread, block);
    } finally {
      releaseBlock(block);
    }
  }

  #goOn(thread: Thread, block: number): void {
    const end = Math.min(this.references + TURN, this.#limit);
    while (this.references < end) {
      const n = thread.program.fill(block, BLOCK);
      if (n === 0) {
        if (--thread.process.threads === 0) this.#exit(thread.process);
        return;
      }
      for (let i = 0; i < n && this.references < this.#limit; i++) {
        const [page, word, references, c] = readItem(block + i);
        const op = word & 255;
        if (op > Op.Store) {
          if (this.#operation(thread, op, page, references, c)) return;
        } else {
          const count = Math.min(references, this.#limit - this.references);
          this.references += count;
          this.#writer.touch(KINDS[op]!, page, count);
        }
      }
    }
    this.#ready.push(thread);
  }

  /** One operation; true when the turn is over. */
  #operation(thread: Thread, op: number, a: number, b: number, c: number): boolean {
    const writer = this.#writer;
    const { process } = thread;
    const page = a.toString(16);
    switch (op) {
      case Op.Mmap:
        writer.event(`mmap ${page} ${b} ${rights(process.regions[c]!)}`);
        return false;
      case Op.Munmap:
        writer.event(`munmap ${page} ${b}`);
        return false;
      case Op.Mprotect:
        writer.event(`mprotect ${page} ${b} ${c === 1 ? 'rw-' : 'r--'}`);
        return false;
      case Op.Discard:
        writer.event(`dontneed ${page} ${b}`);
        return false;
      case Op.Mremap:
        writer.event(`mremap ${page} ${c} ${b.toString(16)} ${c}`);
        return false;
      case Op.Fork:
        this.#fork(thread);
        return true;
      case Op.Exec:
        this.#exec(thread);
        return false;
      case Op.Exit:
        this.#exit(process);
        return true;
      case Op.WorkDone:
        return false;
      case Op.Wait:
        // Children run first, so only those that share the processor need to be waited for.
        writer.event('sys wait4');
        if (process.children === 0) return false;
        break;
      default:
        writer.event(`sys ${CALLS[op] ?? 'syscall'}`);
        if (!BLOCKING.has(op)) return false;
    }
    this.#ready.push(thread);
    return true;
  }

  #fork(thread: Thread): void {
    const { process: parent, program } = thread;
    const { regions } = parent;
    const process: Process = { space: this.#spaces++, regions, parent, children: 0, threads: 1 };
    parent.children++;
    this.#writer.event(`fork ${process.space}`);
    this.#ready.unshift({ process, program: program.fork() }, thread);
  }

  #exec(thread: Thread): void {
    const { process } = thread;
    const { programs, regions } = thread.program.exec();
    this.#end(process, thread);
    process.space = this.#spaces++;
    process.regions = regions;
    process.threads = programs.length;
    thread.program = programs[0]!;
    this.#ready.push(...programs.slice(1).map((program) => ({ process, program })));
    this.#writer.event(`exec ${process.space}`);
    this.#enter(process);
    this.#describe(regions, false);
  }

  /** The threads of a process end, `but` one excepted. */
  #end(process: Process, but?: Thread): void {
    this.#ready = this.#ready.filter((thread) => thread.process !== process || thread === but);
  }

  #exit(process: Process): void {
    this.#end(process);
    this.#writer.event('exit');
    if (process.parent) process.parent.children--;
  }
}

const KINDS = [Kind.Fetch, Kind.Load, Kind.Store] as const;

/** Names of the system calls that stand for operations of a program. */
const CALLS: Readonly<Record<number, string>> = {
  [Op.BlockingIo]: 'pread64',
  [Op.Yield]: 'sched_yield',
  [Op.AwaitRequest]: 'accept4',
  [Op.RequestDone]: 'sendto',
  [Op.Acknowledge]: 'recvfrom',
  [Op.Sleep]: 'nanosleep',
};
const BLOCKING: ReadonlySet<number> = new Set([Op.BlockingIo, Op.Yield, Op.AwaitRequest, Op.Sleep]);

function rights(region: Region): string {
  const execute = region.kind === 'code' ? 'x' : '-';
  const sharing = region.kind === 'shared' ? 's' : 'p';
  const backing = region.kind === 'anon' || region.kind === 'shared' ? 'a' : 'f';
  return `r${region.writable ? 'w' : '-'}${execute}${sharing}${backing}`;
}
