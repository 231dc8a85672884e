import { LEAVES, Leaf } from '../stats/leaves.ts';
import type { CoreArenas } from './core-arenas.ts';
import { DRAIN_AFTER, HOT_COUNTERS, K } from './counters.ts';
import { EdgeCut } from './edge-cut.ts';
import { ARRAYS, IN_ROWS, WAYS } from './entries.ts';
import type { Fault } from './fault.ts';
import { heap } from './heap.ts';
import type { MachineState } from './machine-state.ts';
import type { PageTables } from './page-tables.ts';
import { makeTlbs, type TlbSide } from './tlb-build.ts';
import { makeWalkCache, renumber, type WalkCache } from './walk-cache.ts';

/**
 * One core: its TLBs, walk caches and clock, and the context it executes in. The HOT code that
 * works on it is in run.ts, translate.ts, walk.ts and caches.ts, flushes are in flush.ts; this file
 * holds the state, builds it, and does what happens rarely: context changes, settling the ledger.
 */
const H = heap;

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
  readonly tables: PageTables;
  /**
   * Local time, settled. `time + ahead` is the time inside a slow path. Starts as NaN for a moment,
   * so that the engine stores a double from the first core on and code compiled for one core suits
   * all of them.
   */
  time = Number.NaN;
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
  port!: FaultPort;

  // The block being executed: offsets of the next item and of the end.
  item = 0;
  itemEnd = 0;
  /** User instructions executed since the owner of the block last set this to 0. */
  retired = 0;

  // TLBs (see tlb.ts). Number of the first array; another one is level * 6 + side * 3 + size
  // further on.
  /** Number of the first array; level * 6 + side * 3 + size further on is another. */
  readonly arrays: number;
  readonly present = new Uint8Array(ARRAYS);
  readonly tlbShift: number;
  readonly victimFill: number;
  readonly l2HitCycles: number;
  readonly tlbs: readonly TlbSide[];

  /**
   * Which misses may be usual ones (usual-misses.ts): 0 = none, 1 = all, 2 = those that hit the L2.
   */
  usual = 0;
  readonly #mayBeUsual: number;

  // Walker.
  readonly walkOverhead: number;
  /** What the last walk of `walkAndReplace` took. */
  took = 0;
  readonly pwc: WalkCache;
  readonly pwcHeads: number;
  readonly pwcShift: number;
  readonly pwcCycles: number;
  readonly pwcNestedLeaves: number;
  readonly ntlb: WalkCache;
  readonly ntlbHeads: number;
  readonly ntlbShift: number;
  readonly ntlbCycles: number;
  ntlbLarge = 0; // 1: the nested TLB has held large pages
  /** Counts uses of the walk caches. */
  walkClock = 0;
  /** Incremented when a walk cache gains or loses an entry: an int32 that wraps around. */
  walkVersion = 0;
  /**
   * First of the remembered paths through upper tables (see ways.ts), and of those through nested
   * tables.
   */
  readonly ways: number;
  readonly nestedWays: number;
  walkFrame = 0;
  walkSize = 0;
  walkFlags = 0;
  walkSlot = 0;
  walkGuest = 0;
  walkNested = 0;
  nestedSize = 0;
  nestedSlot = 0;
  nestedFlags = 0;
  faultFrame = 0;

  // Caches.
  /** The most recent tag of each set, and where the others begin. */
  readonly l2Newest: number;
  readonly l2Others: number;
  readonly l2Ways: number;
  readonly l2SetMask: number;
  readonly l2Cycles: number;
  readonly l3Tags: number;
  readonly l3Ways: number;
  readonly l3SetMask: number;
  readonly l3Cycles: number;
  readonly dramCycles: number;
  readonly dramByNode: Int32Array;
  readonly nodes: number;
  readonly framesPerNode: number;
  readonly node: number;
  readonly lineState: Int32Array;
  readonly frameOwner: Uint16Array;
  readonly dataOn: number;
  lineCause = 0;

  // Who evicts whom (see Evictions).
  readonly evictionRows: number;
  readonly tlbEvictions: number;
  readonly l2Evictions: number;

  // Accounts.
  /** 1 = some leaves are free: see `freeLeaves`. */
  readonly anyFree: number;
  readonly freeLeaves: Uint8Array;
  readonly counters: number;
  /** First of the counters of walks by cause. */
  readonly walkCauses: number;
  readonly pending: number;
  #settledAt = 0;
  /** Where the accounts are cut when the clock passes this time; see edge-cut.ts. */
  readonly cut = new EdgeCut<Core>();

  // Loss records.
  readonly vmOf: Int32Array;
  readonly vcpuCount: number;
  /** Open sequence of each vCPU, or 0: `sequences + vcpu * 2 + (global ? 1 : 0)`. */
  readonly sequences: number;
  sequenceCount = 0;
  /** By sequence: what ended it, `Cold` while it is open. */
  causeOf = new Uint8Array(64);
  lossI: Int32Array;
  lossD: Int32Array;
  flushes = 0;

  constructor(
    id: number,
    state: MachineState,
    arenas: CoreArenas,
    cache: { l2Tags: number; l3Tags: number; node: number; dramByNode: Int32Array },
  ) {
    const { processor, memory } = state;
    const { tlb, walk, caches } = processor;
    this.time = 0;
    this.id = id;
    this.tables = state.tables;
    const take = (words: number) => arenas.words.take(words);
    const takeEntries = (count: number) => arenas.entries.take(count);
    this.counters = take(HOT_COUNTERS);
    this.walkCauses = this.counters + K.walks_cold;
    this.pending = take(LEAVES);
    this.arrays = arenas.arrays.take(ARRAYS);
    this.victimFill = tlb.fill === 'victim' ? 1 : 0;
    this.anyFree = state.freeLeaves ? 1 : 0;
    this.freeLeaves = state.freeLeaves ?? new Uint8Array(LEAVES);
    this.l2HitCycles = this.freeLeaves[Leaf.TlbL2Hit] === 1 ? 0 : tlb.l2HitCycles;
    this.tlbs = makeTlbs(take, takeEntries, this.arrays, processor);
    this.tlbShift = this.tlbs[0]!.shift;
    for (const [side, { arrays }] of this.tlbs.entries()) {
      for (const [i, array] of arrays.entries()) {
        if (array !== null) this.present[(i >= 3 ? 6 : 0) + side * 3 + (i % 3)] = 1;
      }
    }

    this.walkOverhead = walk.overheadCycles;
    this.pwc = makeWalkCache(take, takeEntries, walk.pwcEntries);
    this.pwcHeads = this.pwc.heads;
    this.pwcShift = this.pwc.shift;
    this.pwcCycles = walk.pwcHitCycles;
    this.pwcNestedLeaves = walk.pwcNestedLeaves ? 1 : 0;
    this.ntlb = makeWalkCache(take, takeEntries, walk.nestedTlbEntries);
    this.ntlbHeads = this.ntlb.heads;
    this.ntlbShift = this.ntlb.shift;
    this.ntlbCycles = walk.nestedTlbHitCycles;
    this.ways = arenas.ways.take(WAYS);
    this.nestedWays = arenas.ways.take(WAYS);

    this.l2Newest = cache.l2Tags;
    this.l2Ways = caches.l2.ways;
    this.l2SetMask = caches.l2.size / 64 / caches.l2.ways - 1;
    this.l2Others = this.l2Newest + this.l2SetMask + 1;
    this.l2Cycles = caches.l2.hitCycles;
    this.l3Tags = cache.l3Tags;
    this.l3Ways = caches.l3.ways;
    this.l3SetMask = caches.l3.size > 0 ? caches.l3.size / 64 / caches.l3.ways - 1 : 0;
    this.l3Cycles = caches.l3.hitCycles;
    this.node = cache.node;
    this.nodes = memory.nodes;
    this.framesPerNode = memory.framesPerNode;
    this.dramByNode = cache.dramByNode;
    this.dramCycles = processor.memory.localCycles;
    this.lineState = memory.lineState;
    this.frameOwner = memory.owner;
    this.dataOn = state.dataLines ? 1 : 0;
    this.evictionRows = state.evictions.rows;
    this.tlbEvictions = state.evictions.tlb;
    this.l2Evictions = state.evictions.l2;

    const inRows = [6, 9].every((a) => IN_ROWS[this.arrays + a] === 1);
    const counted = this.anyFree !== 0 || this.tlbEvictions !== 0;
    const stepwise = counted || this.pwcNestedLeaves !== 0;
    this.#mayBeUsual = this.victimFill !== 0 || !inRows ? 0 : stepwise ? 2 : 1;

    this.vmOf = state.vmOf;
    this.vcpuCount = state.vcpuCount;
    // One more owner than there are vCPUs: the host, whose entries are never recorded.
    this.sequences = take(state.vcpuCount * 2 + 2);
    this.lossI = new Int32Array(state.tables.entries.length);
    this.lossD = new Int32Array(state.tables.entries.length);
  }

  get now(): number {
    return this.time + this.ahead;
  }

  /**
   * Charges `cycles` to a leaf of the current VM and lets them pass, unless the leaf is free of
   * charge. Returns what it charged.
   */
  charge(leaf: number, cycles: number): number {
    if (this.freeLeaves[leaf] === 1) return 0;
    const at = this.pending + leaf;
    H[at] = H[at]! + cycles;
    this.ahead += cycles;
    if (this.time + this.ahead > this.cut.edge) this.cut.inCharge(this, leaf, cycles);
    return cycles;
  }

  /** Cycles that have passed since the accounts were last drained. */
  get sinceDrain(): number {
    return this.now - this.#settledAt;
  }

  /** Folds `ahead` into `time`: after a slow path that did not run inside a block. */
  settle(): void {
    this.time += this.ahead;
    this.ahead = 0;
  }

  /**
   * Adds what was charged and counted since the last call to `ledger` and `counts`, and resets it.
   * Returns the cycles charged. They equal the time that passed, or the ledger does not balance.
   */
  drain(ledger: Float64Array, ledgerAt: number, counts: Float64Array, countsAt: number): number {
    let sum = 0;
    for (let leaf = 0; leaf < LEAVES; leaf++) {
      const cycles = H[this.pending + leaf]!;
      if (cycles === 0) continue;
      sum += cycles;
      ledger[ledgerAt + leaf] = ledger[ledgerAt + leaf]! + cycles;
      H[this.pending + leaf] = 0;
    }
    this.deriveCounters();
    for (let k = 0; k < HOT_COUNTERS; k++) {
      const n = H[this.counters + k]!;
      if (n === 0) continue;
      counts[countsAt + k] = counts[countsAt + k]! + n;
      H[this.counters + k] = 0;
    }
    if (this.walkClock > DRAIN_AFTER) {
      this.walkClock = Math.max(renumber(this.pwc), renumber(this.ntlb));
    }
    const elapsed = this.now - this.#settledAt;
    this.#settledAt = this.now;
    if (sum !== elapsed) {
      throw new Error(`pCPU ${this.id} at cycle ${this.now}: charged ${sum} cycles in ${elapsed}`);
    }
    return sum;
  }

  /** Computes the counters that follow from others, which HOT code does not keep. */
  deriveCounters(): void {
    const at = this.counters;
    const n = (counter: number) => H[at + counter]!;
    H[at + K.l1i_misses] = n(K.l2i_hits) + n(K.l2i_misses);
    H[at + K.l1d_misses] = n(K.l2d_hits) + n(K.l2d_misses);
    let walks = 0;
    for (let cause = K.walks_cold; cause < HOT_COUNTERS; cause++) walks += n(cause);
    H[at + K.walks] = walks;
    let reads = 0;
    for (let k = K.walk_reads_guest; k <= K.fault_walk_reads_nested; k++) reads += n(k);
    H[at + K.walk_l2_hits] = reads - n(K.walk_l3_hits) - n(K.walk_dram);
  }

  /** True when the accounts must be drained before they outgrow an int32. */
  get full(): boolean {
    const references = H[this.counters + K.references]!;
    return this.now - this.#settledAt > DRAIN_AFTER || references > DRAIN_AFTER;
  }

  /** Lets time pass without charging it to the VM: the caller accounts for it. */
  skipTo(time: number): void {
    this.#settledAt += time - this.time;
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
    this.port = context.port;
    this.asid = asid | (context.space << 16);
    this.usual = this.#mayBeUsual;
  }
}
