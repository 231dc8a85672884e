import type { CoreContext } from '../../src/machine/core.ts';
import { type Core, Verdict } from '../../src/machine/core.ts';
import { HOT_COUNTERS, type HotCounter, K } from '../../src/machine/counters.ts';
import { MEMO_ROOT, MEMOS } from '../../src/machine/entries.ts';
import { Fault } from '../../src/machine/fault.ts';
import { flushAll } from '../../src/machine/flush.ts';
import { heap } from '../../src/machine/heap.ts';
import { blockRoom, takeBlock } from '../../src/machine/items.ts';
import { buildMachine, type Machine } from '../../src/machine/machine.ts';
import { indexAt, PageTables, PTE_SHIFT, Pte, target } from '../../src/machine/page-tables.ts';
import { runBlock } from '../../src/machine/run.ts';
import { Cause, LEAVES } from '../../src/stats/leaves.ts';
import { oracleScenario } from './oracle.ts';

const ENTRY = Pte.Present | Pte.Writable | Pte.Accessed | Pte.Dirty;

/**
 * A core with nothing above it: every page is mapped, for each of `vms` address spaces, and blocks of visits
 * are handed to it directly. `block` is room for that many items, which other cores may read too.
 */
export class BareCore {
  readonly core: Core;
  readonly block: number;
  readonly #machine: Machine;
  readonly #contexts: CoreContext[];
  readonly #counts = new Float64Array(HOT_COUNTERS);
  readonly #ledger = new Float64Array(LEAVES);
  #nextFrame = 512;

  /**
   * `nested`: all VMs walk their tables through nested ones of their own. vCPUs are dealt out to the VMs in turn, one
   * each unless there are more.
   */
  constructor(set: readonly string[], vms = 1, blockItems = 0, nested = false, vcpus = vms) {
    const { processor } = oracleScenario('extends: one-trace.yaml\n', set);
    this.#machine = buildMachine({
      processor,
      sockets: 1,
      pcpus: 1,
      memoryBytes: 2 ** 30,
      dataLines: false,
      vcpuCount: vcpus,
      vmOf: Int32Array.from({ length: vcpus + 1 }, (_, i) => (i < vcpus ? i % vms : -1)),
      tables: new PageTables(4096),
      items: blockRoom(blockItems),
    });
    this.block = takeBlock(this.#machine.items, blockItems);
    this.core = this.#machine.cores[0]!;
    const roots = Array.from({ length: vms }, () => ({
      root: this.#machine.tables.alloc(this.#nextFrame++),
      nestedRoot: nested ? this.#machine.tables.alloc(this.#nextFrame++) : 0,
    }));
    this.#contexts = Array.from({ length: vcpus }, (_, vcpu) => ({
      vcpu,
      vm: vcpu % vms,
      nested,
      ...roots[vcpu % vms]!,
      frameBase: 0,
      cpiQ8: 0,
      exposedQ8: 0,
      port: {
        onWalkFault: (core, vpn, _, fault) =>
          fault === Fault.Nested
            ? this.#map(core.nestedRoot, core.walker.faultFrame)
            : this.#map(core.root, vpn),
      },
      space: 0,
    }));
    this.enter(0);
  }

  #map(root: number, page: number): Verdict {
    const { tables } = this.#machine;
    let node = root;
    for (let level = 4; level > 1; level--) {
      const slot = (node << 9) | indexAt(page, level);
      if ((tables.entries[slot]! & Pte.Present) === 0) {
        tables.set(slot, (tables.alloc(this.#nextFrame++) << PTE_SHIFT) | ENTRY);
      }
      node = target(tables.entries[slot]!);
    }
    tables.set((node << 9) | indexAt(page, 1), (this.#nextFrame++ << PTE_SHIFT) | ENTRY);
    return Verdict.Retry;
  }

  /** Slot of the entry of a page in a table of `level` (1 = last) below `root`, or 0 when there is no such table. */
  #slotOf(root: number, page: number, level: number): number {
    const { entries } = this.#machine.tables;
    let node = root;
    for (let at = 4; at > level; at--) {
      node = target(entries[(node << 9) | indexAt(page, at)]!);
      if (node === 0) return 0;
    }
    return (node << 9) | indexAt(page, level);
  }

  /** Clears bits of the entry of a page in the current address space, if it is mapped. */
  unmark(vpn: number, bits: number): void {
    const { tables } = this.#machine;
    const slot = this.#slotOf(this.core.root, vpn, 1);
    if (slot !== 0 && tables.entries[slot] !== 0) tables.set(slot, tables.entries[slot]! & ~bits);
  }

  /** Sets bits of the entry of a page in the current address space, if it is mapped. */
  mark(vpn: number, bits: number): void {
    const { tables } = this.#machine;
    const slot = this.#slotOf(this.core.root, vpn, 1);
    if (slot !== 0 && tables.entries[slot] !== 0) tables.set(slot, tables.entries[slot]! | bits);
  }

  /** Copies the last table of a page to a new one, which takes its place without any flush. */
  moveTable(vpn: number): void {
    const { tables } = this.#machine;
    const slot = this.#slotOf(this.core.root, vpn, 2);
    const from = slot === 0 ? 0 : target(tables.entries[slot]!);
    if (from === 0) return;
    const to = tables.alloc(this.#nextFrame++);
    for (let i = 0; i < 512; i++) tables.set((to << 9) | i, tables.entries[(from << 9) | i]!);
    tables.set(slot, (to << PTE_SHIFT) | ENTRY);
  }

  /** Gives the guest frame of a page, or of its last table, another host frame, and flushes what depends on the old one. */
  renest(vpn: number, table: boolean): void {
    const { tables } = this.#machine;
    const slot = this.#slotOf(this.core.root, vpn, 1);
    if (slot === 0) return;
    const gfn = table ? tables.frame[slot >> 9]! : target(tables.entries[slot]!);
    const nested = gfn === 0 ? 0 : this.#slotOf(this.core.nestedRoot, gfn, 1);
    if (nested === 0) return;
    tables.set(nested, (this.#nextFrame++ << PTE_SHIFT) | ENTRY);
    this.flush();
  }

  /** Lets the core forget earlier walks, so that the next ones look at each table. */
  forgetWalks(): void {
    MEMO_ROOT.fill(0, this.core.walker.memos, this.core.walker.memos + MEMOS);
    MEMO_ROOT.fill(0, this.core.walker.nestedMemos, this.core.walker.nestedMemos + MEMOS);
  }

  /** Takes up a vCPU, tagged by its number. */
  enter(vcpu: number): void {
    this.core.enter(this.#contexts[vcpu]!, vcpu + 1);
  }

  flush(): void {
    flushAll(this.core, Cause.WorldSwitch, this.core.vcpu, Cause.WorldSwitch);
  }

  /** Executes the items [from, to). */
  run(from: number, to: number): void {
    this.core.item = from;
    this.core.itemEnd = to;
    while (this.core.item < this.core.itemEnd) runBlock(this.core, 2 ** 30);
  }

  /** Misses of the first and of the second level, of both sides, since the last `count`. */
  get missesSoFar(): [number, number] {
    const at = this.core.counters;
    this.core.accounts.derive();
    return [
      heap[at + K.l1i_misses]! + heap[at + K.l1d_misses]!,
      heap[at + K.l2i_misses]! + heap[at + K.l2d_misses]!,
    ];
  }

  /** Running total of a counter. */
  count(name: HotCounter): number {
    this.core.drain(this.#ledger, 0, this.#counts, 0);
    return this.#counts[K[name]]!;
  }

  dispose(): void {
    this.#machine.dispose();
  }
}
