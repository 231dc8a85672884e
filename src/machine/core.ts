import { LEAVES } from '../stats/leaves.ts';
import { Accounts } from './accounts.ts';
import type { CoreArenas } from './core-arenas.ts';
import { type CacheTags, CoreCaches } from './core-caches.ts';
import { DRAIN_AFTER, HOT_COUNTERS } from './counters.ts';
import { EdgeCut } from './edge-cut.ts';
import { ARRAYS } from './entries.ts';
import type { Evictions } from './evictions.ts';
import type { Fault } from './fault.ts';
import { heap } from './heap.ts';
import type { LearnedWork } from './learned/work.ts';
import { LossRecords } from './loss.ts';
import type { MachineState } from './machine-state.ts';
import type { PageTables } from './page-tables.ts';
import { CoreTlbs } from './tlb-build.ts';
import { Walker } from './walker.ts';

/**
 * One core: its clock, and the context it executes in; its parts (TLBs, page walker, caches, loss
 * records, accounts) each have a record in a file of their own. The HOT code that works on them is
 * in run.ts, translate.ts, walk.ts and caches.ts, flushes are in flush.ts. What HOT code reads for
 * every miss of the L1 TLB lies in the core itself.
 */

export const SIDE_I = 0;
export const SIDE_D = 1;

/** What happens to a visit whose walk failed. */
export const Verdict = {
  /** The guest kernel must handle it (a true fault). */
  GuestFault: 0,
  /** The fault has been fixed; repeat the walk. */
  Retry: 1,
  /** The hypervisor's emulator has performed the access; no translation exists. */
  Emulated: 2,
} as const;
export type Verdict = (typeof Verdict)[keyof typeof Verdict];

/** What the layers above the hardware do when a walk fails. */
export interface FaultPort {
  onWalkFault(core: Core, vpn: number, write: boolean, fault: Fault): Verdict;
}

/** The vCPU that a core executes, as the hardware sees it. */
export interface CoreContext {
  readonly vcpu: number;
  readonly vm: number;
  readonly nested: boolean;
  /** The table that the hardware walks first: guest (native, nested) or shadow root node. */
  root: number;
  nestedRoot: number;
  /** Native: first host frame of the VM, since its tables hold guest frames. */
  frameBase: number;
  /** Cycles per instruction × 256. */
  cpiQ8: number;
  /** Share of a data stall that is not hidden, in 1/256. */
  exposedQ8: number;
  port: FaultPort;
  /** Trace studies with a tag per address space: its number, else 0. */
  space: number;
}

export class Core {
  readonly id: number;
  /** Node whose memory is nearest. */
  readonly node: number;
  readonly tables: PageTables;
  /**
   * Local time, settled. `time + ahead` is the time inside a slow path. Starts as NaN for a moment,
   * so that the engine stores a double from the first core on and code compiled for one core suits
   * all of them.
   */
  time = Number.NaN;
  /**
   * What slow paths have taken and `time` lacks. 0 outside of them: `runBlock` folds it in when it
   * ends, and whoever visits or charges outside of a block calls `settle`.
   */
  ahead = 0;

  // Context.
  vcpu = -1;
  vm = -1;
  /** Tag of new entries: the ASID, and above bit 16 an address-space number for trace studies. */
  asid = 0;
  nestedOn = 0;
  root = 0;
  nestedRoot = 0;
  frameBase = 0;
  cpiQ8 = 256;
  cpiCarry = 0;
  exposedQ8 = 256;
  /** The same of lines in a row, most of which the prefetcher brings in time. */
  exposedInRowQ8 = 256;
  port!: FaultPort;

  // The block being executed: offsets of the next item and of the end.
  item = 0;
  itemEnd = 0;
  /** User instructions executed since the owner of the block last set this to 0. */
  retired = 0;

  // TLBs (see tlb.ts).
  /** First of its arrays (see `firstArray`). */
  readonly arrays: number;
  readonly tlbShift: number;
  readonly tlb: CoreTlbs;
  /** Which misses fast-misses.ts may handle: 0 = none, 1 = all, 2 = those that hit the L2. */
  fastMisses = 0;
  readonly #fastMisses: number;
  /** Flushes of all or many translations so far. */
  flushes = 0;

  readonly walker: Walker;
  readonly caches: CoreCaches;
  readonly loss: LossRecords;
  /** Who evicts whom. */
  readonly evictions: Evictions;

  /** First words of the accounts: of the counters, and of the cycles by leaf. */
  readonly counters: number;
  readonly pending: number;
  readonly accounts: Accounts;
  /** Where the accounts are cut when the clock passes this time; see edge-cut.ts. */
  readonly cut = new EdgeCut<Core>();
  /** Null: all runs are in detail. */
  learned: LearnedWork | null = null;

  constructor(
    id: number,
    node: number,
    state: MachineState,
    arenas: CoreArenas,
    tags: CacheTags,
    dramByNode: Int32Array,
  ) {
    const { processor, tables, freeLeaves } = state;
    this.time = 0;
    this.id = id;
    this.node = node;
    this.tables = tables;
    const take = (words: number) => arenas.words.take(words);
    const takeEntries = (count: number) => arenas.entries.take(count);
    this.counters = take(HOT_COUNTERS);
    this.pending = take(LEAVES);
    this.accounts = new Accounts(this.counters, this.pending, freeLeaves);
    this.arrays = arenas.arrays.take(ARRAYS);
    this.tlb = new CoreTlbs(take, takeEntries, this.arrays, processor, freeLeaves);
    this.tlbShift = this.tlb.sides[0]!.shift;
    this.walker = new Walker(processor, take, takeEntries, arenas);
    this.caches = new CoreCaches(state, tags, dramByNode);
    this.evictions = state.evictions;
    this.loss = new LossRecords(state, take(state.vcpuCount * 2 + 2), this.tlb.sides);
    // Steps that take account of single leaves, entries or lines are in the general path.
    const counted = freeLeaves !== undefined || this.evictions.tlb !== 0;
    this.#fastMisses = this.tlb.suitFastMisses ? (counted ? 2 : 1) : 0;
  }

  get now(): number {
    return this.time + this.ahead;
  }

  /**
   * Charges `cycles` to a leaf of the current VM and lets them pass, unless the leaf is free of
   * charge. Returns what it charged.
   */
  charge(leaf: number, cycles: number): number {
    if (this.accounts.freeLeaves[leaf] === 1) return 0;
    const at = this.pending + leaf;
    heap[at] = heap[at]! + cycles;
    this.ahead += cycles;
    if (this.time + this.ahead > this.cut.edge) this.cut.inCharge(this, leaf, cycles);
    return cycles;
  }

  /** Cycles that have passed since the accounts were last drained. */
  get sinceDrain(): number {
    return this.accounts.since(this.now);
  }

  /** Folds `ahead` into `time`: after a slow path that did not run inside a block. */
  settle(): void {
    this.time += this.ahead;
    this.ahead = 0;
  }

  /**
   * Adds what was charged and counted since the last call to `ledger` and `counts`, and resets it.
   * The cycles charged equal the time that passed, or the ledger does not balance: that throws.
   */
  drain(ledger: Float64Array, ledgerAt: number, counts: Float64Array, countsAt: number): void {
    const elapsed = this.sinceDrain;
    const sum = this.accounts.drain(this.now, ledger, ledgerAt, counts, countsAt);
    if (this.walker.clock > DRAIN_AFTER) this.walker.resetClock();
    if (sum !== elapsed) {
      throw new Error(`pCPU ${this.id} at cycle ${this.now}: charged ${sum} cycles in ${elapsed}`);
    }
  }

  /** True when the accounts must be drained before they outgrow an int32. */
  get full(): boolean {
    return this.accounts.isFull(this.now);
  }

  /** Lets time pass without charging it to the VM: the caller accounts for it. */
  skipTo(time: number): void {
    this.accounts.skip(time - this.time);
    this.time = time;
  }

  enter(context: CoreContext, asid: number): void {
    this.vcpu = context.vcpu;
    this.vm = context.vm;
    this.nestedOn = context.nested ? 1 : 0;
    this.root = context.root;
    this.nestedRoot = context.nestedRoot;
    this.frameBase = context.frameBase;
    this.cpiQ8 = context.cpiQ8;
    this.exposedQ8 = context.exposedQ8;
    this.exposedInRowQ8 = Math.round((context.exposedQ8 * this.caches.sequentialPermille) / 1000);
    this.port = context.port;
    this.asid = asid | (context.space << 16);
    this.fastMisses = this.#fastMisses;
  }
}
