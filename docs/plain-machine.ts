import type { Processor, TlbLevelSpec } from '../src/machine/processor.ts';
import { Cause, LEAVES, Leaf } from '../src/stats/leaves.ts';
import { type Machine, put, take } from './plain-caches.ts';

/**
 * The machine, to be read: TLBs, page walks and walk caches here, the caches of lines in
 * plain-caches.ts, with all that they count and charge, without any regard to speed. It is the specification of src/machine, which does the
 * same fast: test/property/plain-machine.test.ts runs random programs on both and compares every
 * counter and every leaf of the ledger. `Core.visit` is the place to begin. What lies above, the
 * guest's kernel and the hypervisor, is a `port` that is told of walks that fail.
 */

/** An entry of a page table. The object is its place in memory, too: caches remember that. */
export class Entry {
  present = false;
  writable = false;
  accessed = false;
  dirty = false;
  global = false; // stays in the TLB when CR3 is loaded
  large = false; // a leaf above the last level: 2 MiB at level 2, 1 GiB at level 3
  frame = 0; // of a leaf: the first frame of its page
  table: Table | undefined; // of another entry: where the walk goes on
}

/** It lies in a frame: one of the guest's if these tables are walked through nested ones. */
export interface Table {
  readonly frame: number;
  readonly entries: readonly Entry[];
  mirror?: Table; // the guest's table that a shadow stands for: losses are remembered by that
}
export const makeTable = (frame: number): Table => {
  return { frame, entries: Array.from({ length: 512 }, () => new Entry()) };
};

/** The number of a page of `size` (0 = 4 KiB, 1 = 2 MiB, 2 = 1 GiB), and the place inside it. */
const pageOf = (page: number, size: number) => page >>> (9 * size);
const offsetIn = (page: number, size: number) => page % 512 ** size;

/** Where a page lies. */
interface Held {
  readonly page: number;
  readonly size: number;
  readonly tag: number; // ASID, and above bit 16 the number of an address space
  readonly frame: number;
}
const isOf = ({ page, size, tag }: Held, of: number, under: number) =>
  tag === under && page === pageOf(of, size);
/** What is held for a page: the smallest, should there be several. */
const find = <T extends Held>(held: readonly T[], page: number, tag: number): T | undefined =>
  held.filter((one) => isOf(one, page, tag)).sort((a, b) => a.size - b.size)[0];

/** What a TLB holds. Both levels hold the same object. */
interface Translation extends Held {
  readonly writable: boolean;
  readonly dirty: boolean;
  readonly global: boolean;
  readonly vm: number;
  readonly slot: Entry; // the leaf that losses are remembered by
  readonly flushes: readonly Cause[]; // those that make it void,
  readonly filled: number; // and how many there had been when it was filled
}

/** A level of one side: what it holds, in an array for each size of page or in one for all. */
type TlbLevel = { readonly spec: TlbLevelSpec; held: Translation[] };
const arrayFor = ({ spec }: TlbLevel, size: number) => spec[(['4K', '2M', '1G'] as const)[size]!];

function putInTlb(level: TlbLevel, translation: Translation): Translation | undefined {
  const { entries, ways } = arrayFor(level, level.spec.shared ? 0 : translation.size);
  const sets = ways === 'full' ? 1 : entries / ways;
  const inArray = ({ size }: Translation) => level.spec.shared || size === translation.size;
  const inSet = ({ page }: Translation) => page % sets === translation.page % sets;
  return put(level.held, translation, entries / sets, (one) => inArray(one) && inSet(one));
}

/** A walk failed: at a guest frame in the nested tables, or else in those walked first. */
export type Fault = { readonly nested: number | undefined };
type Found = { leaf: Entry; under?: Entry; size: number; frame: number; slot: Entry };

/** A vCPU, as the core sees it. */
export interface Context {
  readonly vcpu: number;
  readonly vm: number;
  readonly root: Table;
  readonly nestedRoot: Table | undefined; // it translates the frames in the tables from `root`,
  readonly frameBase: number; // or else this is added to them
  readonly cpiQ8: number; // cycles per instruction, in 1/256
  readonly exposedQ8: number; // the share of a data stall that is not hidden, in 1/256
  /** Mends what made a walk fail (`retry`), or says who does, or has `emulated` the access. */
  port(page: number, write: boolean, fault: Fault): 'retry' | 'guest' | 'emulated';
}

/** One side: two levels, and by leaf what its translation was lost to, or when it was filled last. */
type Tlb = { name: 'i' | 'd'; l1: TlbLevel; l2: TlbLevel; past: Map<Entry, Cause | Translation> };
const makeTlb = (name: 'i' | 'd', { tlb }: Processor): Tlb => {
  const level = (spec: TlbLevelSpec): TlbLevel => ({ spec, held: [] });
  return { name, l1: level(tlb[`l1${name}`]), l2: level(tlb[`l2${name}`]), past: new Map() };
};
/** Remembers what a translation is lost to, unless a flush has made it void already. */
function lose({ past }: Tlb, { slot, flushes, filled }: Translation, cause: Cause): void {
  if (flushes.length === filled) past.set(slot, cause);
}

/** What else is known of a visit: nothing, that its lines are of a row, or that it clears them. */
export type How = '' | 'in a row' | 'clears';
export type Op = 'fetch' | 'load' | 'store';
type Kind = 'guest' | 'nested';
const noWalk = () => ({ cycles: { guest: 0, nested: 0 }, reads: { guest: 0, nested: 0 } });

export class Core {
  readonly id: number;
  context!: Context;
  tag = 0;
  /** Cycles that have passed, by leaf of the ledger; and what was counted. */
  readonly leaves = new Array<number>(LEAVES).fill(0);
  readonly counts: Record<string, number> = {};
  #carry = 0; // of cycles, in 1/256
  readonly #machine: Machine;
  readonly #spec: Processor;
  readonly #tlbs: { readonly i: Tlb; readonly d: Tlb };
  /** Page-walk cache: upper entries. Nested TLB: where the guest's tables lie. */
  #pwc: { readonly entry: Entry; readonly tag: number }[] = [];
  #nestedTlb: Held[] = [];
  /** Why the translations of a vCPU were flushed, one flush after the other; global ones apart. */
  readonly #flushes: Cause[][] = [];
  #walk = noWalk(); // under way

  constructor(machine: Machine, id: number) {
    this.#machine = machine;
    this.#spec = machine.host.processor;
    this.#tlbs = { i: makeTlb('i', this.#spec), d: makeTlb('d', this.#spec) };
    this.id = id;
  }

  /** The clock. A walk under way is charged when it ends: until then it is the time it began. */
  get now(): number {
    return this.leaves.reduce((sum, cycles) => sum + cycles, 0);
  }
  count(name: string, n = 1): void {
    this.counts[name] = (this.counts[name] ?? 0) + n;
  }
  #flushesOf(vcpu: number, global: boolean): Cause[] {
    return (this.#flushes[vcpu * 2 + Number(global)] ??= []);
  }

  /**
   * References to one page, one after the other; `inRow`: to lines that a prefetcher has seen
   * coming; `clears`: the kernel clears the page. False: the guest has to handle a fault first.
   */
  visit(
    page: number,
    op: Op,
    kernel: boolean,
    instructions: number,
    lines: readonly number[],
    how: How,
  ) {
    const tlb = this.#tlbs[op === 'fetch' ? 'i' : 'd'];
    const found = this.#translate(page, tlb, op === 'store');
    if (found === 'guest') return false;
    this.count('visits');
    this.count(`l1${tlb.name}_lookups`);
    if (how === 'clears' && found !== 'emulated') {
      const cycles = this.#machine.clear(this, found.frame + offsetIn(page, found.size));
      this.leaves[Leaf.GuestKernel]! += 64 * 8;
      this.leaves[Leaf.StallQueue]! += cycles - 64 * 8;
      return true;
    }
    this.#carry += instructions * this.context.cpiQ8;
    this.leaves[kernel ? Leaf.GuestKernel : Leaf.GuestUser]! += Math.floor(this.#carry / 256);
    this.#carry %= 256;
    if (found === 'emulated') return true;
    const frame = found.frame + offsetIn(page, found.size);
    const left = 1000 - (how === 'in a row' ? this.#spec.caches.prefetch.sequential : 0);
    const exposedQ8 = Math.round((this.context.exposedQ8 * left) / 1000);
    for (const line of lines) {
      const { level, why, cycles, waits } = this.#machine.access(
        this,
        tlb.name,
        frame,
        line,
        op === 'store',
      );
      this.count('data_lines');
      if (level === 'l1_hits') continue;
      this.count(`l1${tlb.name}_line_misses`);
      const inL2 = level === 'l2_hits';
      if (!inL2) this.count('data_l2_misses');
      if (!inL2) this.count(`data_${level}`);
      const leaf = inL2 ? Leaf.StallL2 : (level === 'dram' ? Leaf.StallMemory : Leaf.StallL3) + why;
      const latency = inL2 ? cycles - this.#spec.caches.l1d.hitCycles : cycles;
      this.leaves[leaf]! += Math.floor((latency * exposedQ8) / 256);
      this.leaves[Leaf.StallQueue]! += waits;
    }
    return true;
  }

  /** L1, L2, walk. A store needs a translation that is writable, and dirty already. */
  #translate(page: number, tlb: Tlb, store: boolean): Translation | 'guest' | 'emulated' {
    const { name, l1, l2 } = tlb;
    const { fill, l2HitCycles } = this.#spec.tlb;
    const suits = (held: Translation) => !store || (held.writable && held.dirty);
    const first = find(l1.held, page, this.tag);
    if (first && !suits(first)) return this.#walkAndFill(page, tlb, store, '', true);
    if (first) putInTlb(l1, first);
    if (first) return first;
    const second = find(l2.held, page, this.tag);
    if (!second) return this.#walkAndFill(page, tlb, store, 'misses', false);
    this.leaves[Leaf.TlbL2Hit]! += l2HitCycles;
    if (!suits(second)) return this.#walkAndFill(page, tlb, store, 'hits', true);
    this.count(`l2${name}_hits`);
    if (fill === 'victim') take(l2.held, second);
    else putInTlb(l2, second);
    this.#admit(tlb, 'l1', second);
    return second;
  }

  /** Walks until the page is mapped. `held`: a translation is there, without the right to store. */
  #walkAndFill(page: number, tlb: Tlb, store: boolean, inL2: string, held: boolean) {
    const { name, l1, l2, past } = tlb;
    const { context, tag } = this;
    const dropped = held ? this.#drop((each) => isOf(each, page, tag)) : undefined;
    let walked = this.#walkTables(page, store);
    for (; 'nested' in walked; walked = this.#walkTables(page, store)) {
      this.count('fault_walks');
      this.#endWalk('fault_', held ? Cause.Dirty : Cause.Cold);
      const verdict = context.port(page, store, walked);
      if (verdict === 'retry') continue;
      if (dropped) past.set(dropped, verdict === 'guest' ? Cause.Invlpg : Cause.Shootdown);
      return verdict;
    }
    const { leaf, slot, under = leaf } = walked;
    const { global } = leaf;
    // If it was filled before, it was lost to the first flush since.
    const was = past.get(slot) ?? Cause.Cold;
    const lost = typeof was === 'number' ? was : (was.flushes[was.filled] ?? Cause.Cold);
    this.#endWalk('', held ? Cause.Dirty : lost);
    this.count(held ? 'dirty_walks' : `walks by cause ${lost}`);
    if (inL2) this.count(`l2${name}_${inL2}`);
    // A side that has no entries for pages as large holds the piece around this page.
    let { size } = walked;
    while (size > 0 && arrayFor(l1, size).entries === 0) size--;
    const frame = walked.frame + offsetIn(page, walked.size) - offsetIn(page, size);
    const flushes = this.#flushesOf(context.vcpu, global);
    const writable = leaf.writable && under.writable;
    const dirty = leaf.dirty && under.dirty;
    const what = { page: pageOf(page, size), size, tag, frame, writable, dirty, global };
    const translation = { ...what, vm: context.vm, slot, flushes, filled: flushes.length };
    past.set(slot, translation);
    const isForL2 = this.#spec.tlb.fill === 'both' && arrayFor(l2, size).entries > 0;
    if (isForL2) this.#admit(tlb, 'l2', translation);
    this.#admit(tlb, 'l1', translation);
    return translation;
  }

  /** Lost is what the L2 evicts, though the L1 may keep it, and what the L1 does if no L2 has it. */
  #admit(tlb: Tlb, into: 'l1' | 'l2', translation: Translation): void {
    const evicted = putInTlb(tlb[into], translation);
    if (!evicted) return;
    const cause = evicted.vm === this.context.vm ? Cause.Capacity : Cause.Interference;
    if (into === 'l2' || arrayFor(tlb.l2, evicted.size).entries === 0) lose(tlb, evicted, cause);
    else if (this.#spec.tlb.fill === 'victim') this.#admit(tlb, 'l2', evicted);
  }

  #endWalk(outcome: '' | 'fault_', cause: Cause): void {
    const { cycles, reads } = this.#walk;
    this.leaves[Leaf.WalkGuest + cause]! += cycles.guest;
    this.leaves[Leaf.WalkNested + cause]! += cycles.nested;
    this.count(`${outcome}walk_reads_guest`, reads.guest);
    this.count(`${outcome}walk_reads_nested`, reads.nested);
    this.#walk = noWalk();
  }

  /** In one dimension, or in two if the tables lie in guest frames. */
  #walkTables(page: number, store: boolean): Found | Fault {
    const { root, nestedRoot, frameBase } = this.context;
    this.#walk.cycles.guest += this.#spec.walk.overheadCycles;
    const found = this.#descend('guest', root, page, store);
    if ('nested' in found) return found;
    if (!nestedRoot) return { ...found, frame: found.frame + frameBase };
    const gfn = found.frame + offsetIn(page, found.size);
    const under = this.#descend('nested', nestedRoot, gfn, store);
    if ('nested' in under) return under;
    // The TLB gets the smaller of the two pages.
    const smaller = found.size <= under.size ? found : under;
    const frame = under.frame + offsetIn(gfn, under.size) - offsetIn(page, smaller.size);
    return { ...smaller, leaf: found.leaf, under: under.leaf, frame };
  }

  /** From a root down to the leaf for a page, which is marked as accessed and as dirty. */
  #descend(kind: Kind, root: Table, page: number, store: boolean): Found | Fault {
    let table = root;
    for (let level = 4; ; level--) {
      const frame = kind === 'guest' ? this.#hostFrame(table.frame) : table.frame;
      if (typeof frame !== 'number') return frame;
      const index = pageOf(page, level - 1) % 512;
      const entry = table.entries[index]!;
      const isLeaf = level === 1 || entry.large;
      const isKept = !isLeaf || (kind === 'nested' && this.#spec.walk.pwcNestedLeaves);
      this.#read(kind, entry, isKept, frame, index >> 3);
      const isDenied = isLeaf && store && !entry.writable;
      if (!entry.present || isDenied) return { nested: kind === 'nested' ? page : undefined };
      const slot = (table.mirror ?? table).entries[index]!;
      if (isLeaf) Object.assign(entry, { accessed: true, dirty: entry.dirty || store });
      if (isLeaf) return { leaf: entry, size: level - 1, frame: entry.frame, slot };
      table = entry.table!;
    }
  }

  /** Reads an entry: from the page-walk cache, if entries like it are kept there, or its line. */
  #read(kind: Kind, entry: Entry, isKept: boolean, frame: number, line: number): void {
    const { tag } = this;
    const { pwcEntries, pwcHitCycles } = this.#spec.walk;
    const held = isKept && this.#pwc.find((one) => one.entry === entry && one.tag === tag);
    if (isKept && (held || entry.present)) put(this.#pwc, held || { entry, tag }, pwcEntries);
    const read = held ? undefined : this.#machine.read(this, frame, line);
    this.#walk.cycles[kind] += read ? read.cycles + read.waits : pwcHitCycles;
    if (read) this.#walk.reads[kind]++;
    this.count(read ? `walk_${read.level}` : 'pwc_hits');
  }

  /** Where a table lies, for the walker to write to: it may have to set bits there. */
  #hostFrame(gfn: number): number | Fault {
    const { context, tag } = this;
    if (!context.nestedRoot) return gfn + context.frameBase;
    const held = find(this.#nestedTlb, gfn, tag);
    this.count(held ? 'nested_tlb_hits' : 'nested_tlb_misses');
    if (held) this.#walk.cycles.nested += this.#spec.walk.nestedTlbHitCycles;
    const found = held ?? this.#descend('nested', context.nestedRoot, gfn, true);
    if ('nested' in found) return found;
    const { size, frame } = found;
    const entry = held ?? { page: pageOf(gfn, size), size, tag, frame };
    put(this.#nestedTlb, entry, this.#spec.walk.nestedTlbEntries);
    return frame + offsetIn(gfn, size);
  }

  /** Drops translations, and remembers the cause if one is given. Returns a leaf of theirs. */
  #drop(which: (translation: Translation) => boolean, cause?: Cause): Entry | undefined {
    const gone = Object.values(this.#tlbs).flatMap((tlb) =>
      [...tlb.l1.held, ...tlb.l2.held].filter(which).map((each) => ({ tlb, each })),
    );
    for (const { tlb, each } of gone) {
      if (cause !== undefined) lose(tlb, each, cause);
      for (const { held } of [tlb.l1, tlb.l2]) take(held, each);
    }
    return gone.at(-1)?.each.slot;
  }

  /** All of all ASIDs goes; for one vCPU by a cause of its own. */
  flushAll(cause: Cause, vcpus: number, vcpu: number, own: Cause): void {
    this.#drop(() => true);
    [this.#pwc, this.#nestedTlb] = [[], []];
    for (let each = 0; each < vcpus; each++) this.abandon(each, each === vcpu ? own : cause);
  }

  /** A vCPU has a new tag: what it had is void and in the way. */
  abandon(vcpu: number, cause: Cause, which = [false, true]): void {
    for (const global of which) this.#flushesOf(vcpu, global).push(cause);
  }

  /** An ASID goes, with all its address spaces. A load of CR3 keeps what is global. */
  flushAsid(asid: number, vcpu: number, keepGlobal: boolean, cause: Cause): void {
    this.#drop(({ tag, global }) => tag % 65536 === asid && !(keepGlobal && global));
    this.#pwc = this.#pwc.filter(({ tag }) => tag % 65536 !== asid);
    if (!keepGlobal) this.#nestedTlb = this.#nestedTlb.filter(({ tag }) => tag % 65536 !== asid);
    this.abandon(vcpu, cause, keepGlobal ? [false] : [false, true]);
  }

  /** INVLPG. */
  invalidate(page: number, cause: Cause): void {
    this.#drop((each) => isOf(each, page, this.tag), cause);
    this.#pwc = this.#pwc.filter(({ tag }) => tag % 65536 !== this.tag % 65536);
  }
}
