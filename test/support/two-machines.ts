import { Machine as PlainMachine } from '../../docs/plain-caches.ts';
import {
  type Context,
  type How,
  makeTable,
  type Op,
  Core as PlainCore,
  type Fault as PlainFault,
  type Table,
} from '../../docs/plain-machine.ts';
import type { CoreContext } from '../../src/machine/core.ts';
import { type Core, Verdict } from '../../src/machine/core.ts';
import { hotCounters, K } from '../../src/machine/counters.ts';
import { Fault } from '../../src/machine/fault.ts';
import { abandon, flushAll, flushAsid, invalidatePage } from '../../src/machine/flush.ts';
import { heap } from '../../src/machine/heap.ts';
import {
  blockRoom,
  PAST_CACHES,
  SEQUENTIAL,
  takeBlock,
  writeItem,
} from '../../src/machine/items.ts';
import { buildMachine, type Machine } from '../../src/machine/machine.ts';
import { PageTables, PTE_SHIFT, Pte, target } from '../../src/machine/page-tables.ts';
import type { Processor } from '../../src/machine/processor.ts';
import { runBlock, Stop, visitKernel } from '../../src/machine/run.ts';
import { type Cause, LEAVES, leafNames, lossCauses } from '../../src/stats/leaves.ts';
import { walkMetric } from '../../src/stats/metrics.ts';

/**
 * The machine of src/machine and the one of docs/plain-machine.ts side by side: what is done is done to both, with
 * tables that say the same. Guests have 1 GiB each and get their tables as they touch pages.
 */

/** How the tables of a VM are walked. Those of `shadow` have others as their mirrors. */
export const KINDS = ['native', 'nested', 'shadow'] as const;
export type Kind = (typeof KINDS)[number];

const GIB = 1 << 18;
export const CORES = 2;
export const BLOCK = 128;

/** What an entry says that maps a page. */
interface Leaf {
  readonly size: number;
  readonly frame: number;
  readonly writable: boolean;
  readonly global: boolean;
}

/**
 * What a guest maps a page to: every other 2 MiB are one large page. From 1 GiB on its kernel maps the first GiB again,
 * global and by 2 MiB; from 2 GiB on as one page, if there are such pages.
 */
function leafOf(page: number, giant: boolean): Leaf {
  const gfn = page % GIB;
  if (page >= 2 * GIB && giant) return { size: 2, frame: 0, writable: true, global: false };
  const large = { size: 1, frame: gfn - (gfn % 512), writable: true };
  if (page >= GIB) return { ...large, global: true };
  if ((gfn >> 9) % 2 === 1) return { ...large, global: false };
  return { size: 0, frame: gfn ^ 3, writable: page % 7 !== 3, global: page % 5 === 0 };
}

/** Nested pages are of 4 KiB and 2 MiB in turns; those of 4 KiB are not in order. */
function nestedLeafOf(vm: number, gfn: number): Leaf {
  const rights = { writable: true, global: false };
  const frame = (vm + 1) * GIB + gfn;
  return (gfn >> 10) % 2 === 0
    ? { size: 0, frame: frame ^ 5, ...rights }
    : { size: 1, frame: frame - (frame % 512), ...rights };
}

/** The tables of one of the two machines. */
interface Tables<T> {
  make(frame: number, shadow: boolean): T;
  isPresent(table: T, index: number): boolean;
  next(table: T, index: number): T;
  link(table: T, index: number, next: T): void;
  put(table: T, index: number, leaf: Leaf): void;
  clear(table: T, index: number): void;
  clean(table: T, index: number): void;
  allow(table: T, index: number, stores: boolean): void;
}

/** What can be done to the entry of a page, or (`protect`, `clean nested`) to the nested one of its frame. */
export type Change = 'clear' | 'clean' | 'protect' | 'clean nested';

const LINK = Pte.Present | Pte.Writable | Pte.Accessed;
const fastTables = ({ tables }: Machine): Tables<number> => {
  const at = (node: number, index: number) => (node << 9) | index;
  return {
    make(frame, shadow) {
      const node = tables.alloc(frame);
      if (shadow) tables.mirror[node] = tables.alloc(0);
      return node;
    },
    isPresent: (node, index) => (tables.entries[at(node, index)]! & Pte.Present) !== 0,
    next: (node, index) => target(tables.entries[at(node, index)]!),
    link: (node, index, next) => tables.set(at(node, index), (next << PTE_SHIFT) | LINK),
    put(node, index, { size, frame, writable, global }) {
      const rights = (writable ? Pte.Writable : 0) | (global ? Pte.Global : 0);
      const large = size > 0 ? Pte.Large : 0;
      tables.set(at(node, index), (frame << PTE_SHIFT) | Pte.Present | rights | large);
    },
    clear: (node, index) => tables.set(at(node, index), 0),
    clean(node, index) {
      const slot = at(node, index);
      tables.set(slot, tables.entries[slot]! & ~(Pte.Accessed | Pte.Dirty));
    },
    allow(node, index, stores) {
      const slot = at(node, index);
      const entry = tables.entries[slot]!;
      tables.set(slot, stores ? entry | Pte.Writable : entry & ~Pte.Writable);
    },
  };
};
const plainTables: Tables<Table> = {
  make(frame, shadow) {
    const table = makeTable(frame);
    if (shadow) table.mirror = makeTable(0);
    return table;
  },
  isPresent: (table, index) => table.entries[index]!.present,
  next: (table, index) => table.entries[index]!.table!,
  link(table, index, next) {
    Object.assign(table.entries[index]!, { present: true, writable: true, table: next });
  },
  put(table, index, { size, ...leaf }) {
    const fresh = { present: true, accessed: false, dirty: false, large: size > 0 };
    Object.assign(table.entries[index]!, leaf, fresh);
  },
  clear(table, index) {
    Object.assign(table.entries[index]!, { present: false, writable: false, large: false });
  },
  clean(table, index) {
    Object.assign(table.entries[index]!, { accessed: false, dirty: false });
  },
  allow(table, index, stores) {
    table.entries[index]!.writable = stores;
  },
};

/** The tables of a VM in one of the machines: those walked first, and nested ones. */
class Trees<T> {
  readonly root: T;
  readonly nested: T | undefined;
  readonly #tables: Tables<T>;
  readonly #vm: number;
  readonly #kind: Kind;
  readonly #giant: boolean;
  #made = 0;

  constructor(tables: Tables<T>, vm: number, kind: Kind, giant: boolean) {
    this.#tables = tables;
    this.#vm = vm;
    this.#kind = kind;
    this.#giant = giant;
    this.root = this.#table(false);
    this.nested = kind === 'nested' ? this.#table(true) : undefined;
  }

  /** In a frame of the guest (native, nested) or of the host. */
  #table(nested: boolean): T {
    const number = this.#made++;
    const shadow = this.#kind === 'shadow';
    const frame = nested || shadow ? 1024 + this.#vm * 2048 + number : GIB - 1 - number;
    return this.#tables.make(frame, shadow && !nested);
  }

  #leafOf(page: number): Leaf {
    const leaf = leafOf(page, this.#giant);
    return this.#kind === 'shadow' ? { ...leaf, frame: leaf.frame + (this.#vm + 1) * GIB } : leaf;
  }

  /** The table with the leaf for a page, and its index there; tables on the way are made if `make`. */
  #find(page: number, size: number, root: T, make: boolean): [T, number] | undefined {
    let table = root;
    for (let level = 3; level > size; level--) {
      const index = (page >>> (9 * level)) & 511;
      if (!this.#tables.isPresent(table, index)) {
        if (!make) return undefined;
        this.#tables.link(table, index, this.#table(root === this.nested));
      }
      table = this.#tables.next(table, index);
    }
    return [table, (page >>> (9 * size)) & 511];
  }

  /** What the guest and the hypervisor do about a fault. */
  mend(page: number, gfn: number | undefined): 'retry' | 'guest' | 'emulated' {
    const leaf = gfn === undefined ? this.#leafOf(page) : nestedLeafOf(this.#vm, gfn);
    const root = gfn === undefined ? this.root : this.nested!;
    const [table, index] = this.#find(gfn ?? page, leaf.size, root, true)!;
    if (!this.#tables.isPresent(table, index)) {
      this.#tables.put(table, index, leaf);
      return 'retry';
    }
    if (gfn !== undefined) {
      // Protected from stores, until there is one.
      this.#tables.allow(table, index, true);
      return 'retry';
    }
    return page % 2 === 0 ? 'guest' : 'emulated';
  }

  /** Does something to the entry that maps a page, or to the nested one for its frame; nobody is told. */
  change(page: number, how: Change): void {
    const leaf = this.#leafOf(page);
    const own = this.#find(page, leaf.size, this.root, false);
    if (how === 'clear' || how === 'clean') {
      if (own && this.#tables.isPresent(...own)) this.#tables[how](...own);
      return;
    }
    if (this.nested === undefined) return;
    const gfn = leaf.frame + (page % 512 ** leaf.size);
    const under = this.#find(gfn, nestedLeafOf(this.#vm, gfn).size, this.nested, false);
    if (!under || !this.#tables.isPresent(...under)) return;
    if (how === 'protect') this.#tables.allow(...under, false);
    else this.#tables.clean(...under);
  }
}

type Pair = readonly [Trees<number>, Trees<Table>];

interface Vcpu {
  readonly fast: CoreContext;
  readonly plain: Context;
}

export interface Visit {
  readonly page: number;
  readonly work: {
    readonly access: Op;
    readonly kernel: boolean;
    readonly how: How;
    readonly instructions: number;
    readonly references: number;
    /** The first data line of the page, and how many from there on. */
    readonly line: number;
    readonly lines: number;
  };
}

const OPS = { fetch: 0, load: 1, store: 2 } as const;
const HOWS = { '': 0, 'in a row': SEQUENTIAL, clears: PAST_CACHES } as const;
const VERDICTS = {
  retry: Verdict.Retry,
  guest: Verdict.GuestFault,
  emulated: Verdict.Emulated,
} as const;

export class TwoMachines {
  readonly #fast: Machine;
  readonly #plain: readonly PlainCore[];
  /** By VM. */
  readonly #trees: readonly Pair[];
  readonly #vcpus: readonly Vcpu[];
  readonly #block: number;
  /** False: nobody looks at data lines. */
  readonly #dataLines: boolean;
  /** By core: the vCPU it executes. */
  readonly #running: number[] = [];

  /** VMs of these kinds. Their vCPUs are dealt out in turn: with more of them than VMs, some VMs have two. */
  constructor(
    processor: Processor,
    kinds: readonly Kind[],
    dataLines: boolean,
    vcpus = kinds.length,
  ) {
    const vmOf = Array.from({ length: vcpus }, (_, vcpu) => vcpu % kinds.length);
    this.#fast = buildMachine({
      processor,
      sockets: 2,
      pcpus: CORES,
      memoryBytes: 4 * 2 ** 30,
      dataLines,
      // Nobody keeps the cores together here.
      lookahead: Number.POSITIVE_INFINITY,
      vcpuCount: vcpus,
      vmOf: Int32Array.from([...vmOf, -1]),
      tables: new PageTables(256),
      items: blockRoom(BLOCK),
    });
    this.#block = takeBlock(this.#fast.items, BLOCK);
    const { owner, framesPerNode } = this.#fast.memory;
    const { memory } = processor;
    this.#dataLines = dataLines;
    for (const vm of kinds.keys()) owner.fill(vm, (vm + 1) * GIB, (vm + 2) * GIB);
    // Two sockets: another die is one hop away.
    const latency = (core: number, frame: number) => {
      const die = Math.floor(core / processor.coresPerDie);
      const away = Math.floor(frame / framesPerNode) !== die;
      return Math.round((memory.localCycles * (away ? memory.hopPermille[0]! : 1000)) / 1000);
    };
    const ownerOf = (frame: number) => owner[frame]!;
    const nodeOf = (frame: number) => Math.floor(frame / framesPerNode);
    const plain = new PlainMachine({ processor, ownerOf, nodeOf, latency });
    this.#plain = Array.from({ length: CORES }, (_, id) => new PlainCore(plain, id));
    const giant = processor.tlb.l1d['1G'].entries > 0;
    this.#trees = kinds.map((kind, vm) => [
      new Trees(fastTables(this.#fast), vm, kind, giant),
      new Trees(plainTables, vm, kind, giant),
    ]);
    this.#vcpus = vmOf.map((vm, vcpu) => this.#make(kinds[vm]!, vm, vcpu));
    for (let core = 0; core < CORES; core++) this.enter(core, core % kinds.length, 1 + core);
  }

  #make(kind: Kind, vm: number, vcpu: number): Vcpu {
    const [fast, plain] = this.#trees[vm]!;
    const frameBase = kind === 'native' ? (vm + 1) * GIB : 0;
    const common = { vcpu, vm, frameBase, cpiQ8: 300 + vm, exposedQ8: 200 };
    const onWalkFault = (core: Core, page: number, _write: boolean, fault: Fault) =>
      VERDICTS[fast.mend(page, fault === Fault.Nested ? core.walker.faultFrame : undefined)];
    const port = (page: number, _write: boolean, fault: PlainFault) =>
      plain.mend(page, fault.nested);
    const nestedRoot = fast.nested ?? 0;
    const nested = nestedRoot !== 0;
    return {
      fast: { ...common, nested, root: fast.root, nestedRoot, port: { onWalkFault }, space: 0 },
      plain: { ...common, root: plain.root, nestedRoot: plain.nested, port },
    };
  }

  enter(core: number, vcpu: number, asid: number): void {
    this.#running[core] = vcpu;
    this.#fast.cores[core]!.enter(this.#vcpus[vcpu]!.fast, asid);
    Object.assign(this.#plain[core]!, { context: this.#vcpus[vcpu]!.plain, tag: asid });
  }

  change(vm: number, page: number, how: Change): void {
    for (const tree of this.#trees[vm]!) tree.change(page, how);
  }

  invalidate(core: number, page: number, cause: Cause): void {
    invalidatePage(this.#fast.cores[core]!, page, cause);
    this.#plain[core]!.invalidate(page, cause);
  }

  flushAsid(core: number, keepGlobal: boolean, cause: Cause): void {
    const fast = this.#fast.cores[core]!;
    flushAsid(fast, fast.asid, fast.vcpu, keepGlobal, cause);
    this.#plain[core]!.flushAsid(fast.asid, fast.vcpu, keepGlobal, cause);
  }

  flushAll(core: number, cause: Cause, own: Cause): void {
    const fast = this.#fast.cores[core]!;
    flushAll(fast, cause, fast.vcpu, own);
    this.#plain[core]!.flushAll(cause, this.#vcpus.length, fast.vcpu, own);
  }

  /** The VM that a core executes gets another tag. */
  retag(core: number, asid: number, cause: Cause): void {
    const vcpu = this.#running[core]!;
    abandon(this.#fast.cores[core]!, vcpu, cause);
    this.#plain[core]!.abandon(vcpu, cause);
    this.enter(core, vcpu, asid);
  }

  /** Executes visits, those of user code in as large blocks as there are. */
  visit(core: number, visits: readonly Visit[]): void {
    const fast = this.#fast.cores[core]!;
    const plain = this.#plain[core]!;
    const done = visits.map(({ page, work }) => {
      const count = this.#dataLines ? work.lines : 0;
      const lines = Array.from({ length: count }, (_, i) => (work.line + i) % 64);
      return plain.visit(page, work.access, work.kernel, work.instructions, lines, work.how);
    });
    // What a program does is only counted.
    for (const { work } of visits.filter((_, i) => done[i])) {
      const { references, instructions } = work;
      const user_instructions = work.kernel ? 0 : instructions;
      for (const [name, n] of Object.entries({ references, instructions, user_instructions })) {
        plain.counts[name] = (plain.counts[name] ?? 0) + n;
      }
    }
    const before = visits.findIndex(({ work }) => work.kernel);
    const user = before < 0 ? visits.length : before;
    for (const [i, { page, work }] of visits.slice(0, user).entries()) {
      const { references, instructions, line, lines } = work;
      const op = OPS[work.access] | HOWS[work.how] | (line << 8) | (lines << 16);
      writeItem(this.#block + i, [page, op, references, instructions]);
    }
    fast.item = this.#block;
    fast.itemEnd = this.#block + user;
    const faults: number[] = [];
    while (fast.item < fast.itemEnd) {
      if (runBlock(fast, 2 ** 30) === Stop.Fault) faults.push(fast.item++ - this.#block);
    }
    for (const [i, { page, work }] of visits.slice(user).entries()) {
      const { access, instructions, line, lines, how } = work;
      const op = OPS[access] | HOWS[how];
      const visited = visitKernel(fast, page, op, instructions, line, lines);
      if (!visited) faults.push(user + i);
    }
    fast.settle();
    const expected = done.flatMap((visited, i) => (visited ? [] : [i]));
    if (`${faults}` !== `${expected}`)
      throw new Error(`faults of visits ${faults}, not ${expected}`);
  }

  /** How the accounts of the two differ: nothing, or what, where and by how much. */
  differences(): string[] {
    return this.#fast.cores.flatMap((fast, id) => {
      const plain = this.#plain[id]!;
      fast.accounts.derive();
      const pairs: [string, number, number][] = [
        ['cycles', fast.time, plain.leaves.reduce((sum, cycles) => sum + cycles, 0)],
      ];
      for (let leaf = 0; leaf < LEAVES; leaf++) {
        const name = Object.values(leafNames[leaf]!).join(' ');
        pairs.push([name, heap[fast.pending + leaf]!, plain.leaves[leaf]!]);
      }
      const counts = named(plain.counts);
      for (const name of hotCounters) {
        pairs.push([name, heap[fast.counters + K[name]]!, counts[name] ?? 0]);
      }
      return pairs
        .filter(([, measured, expected]) => measured !== expected)
        .map(([name, measured, expected]) => `core ${id}, ${name}: ${measured}, not ${expected}`);
    });
  }

  dispose(): void {
    this.#fast.dispose();
  }
}

/** The counts of the plain machine under the names of metrics, with those that are sums of others. */
function named(counts: Readonly<Record<string, number>>): Record<string, number> {
  const of = (name: string) => counts[name] ?? 0;
  const causes = lossCauses.map(
    (cause, i) => [walkMetric(cause), of(`walks by cause ${i}`)] as const,
  );
  return {
    ...counts,
    ...Object.fromEntries(causes),
    walks: causes.reduce((sum, [, n]) => sum + n, 0),
    l1i_misses: of('l2i_hits') + of('l2i_misses'),
    l1d_misses: of('l2d_hits') + of('l2d_misses'),
  };
}
