import { type Core, Verdict } from '../../src/machine/core.ts';
import type { CoreContext } from '../../src/machine/core-context.ts';
import { HOT_COUNTERS, type HotCounter, K } from '../../src/machine/counters.ts';
import { flushAll } from '../../src/machine/flush.ts';
import { heap } from '../../src/machine/heap.ts';
import { buildMachine, type Machine } from '../../src/machine/machine.ts';
import { indexAt, PTE_SHIFT, Pte, target } from '../../src/machine/page-tables.ts';
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

  constructor(set: readonly string[], vms = 1, blockItems = 0) {
    const { processor } = oracleScenario('extends: one-trace.yaml\n', set);
    this.#machine = buildMachine({
      processor,
      sockets: 1,
      pcpus: 1,
      memoryBytes: 2 ** 30,
      dataLines: false,
      vcpuCount: vms,
      vmOf: Int32Array.from({ length: vms + 1 }, (_, i) => (i < vms ? i : -1)),
      tableNodes: 4096,
      items: blockItems + 16,
    });
    this.block = this.#machine.items.take(blockItems);
    this.core = this.#machine.cores[0]!;
    this.#contexts = Array.from({ length: vms }, (_, vm) => ({
      vcpu: vm,
      vm,
      nested: false,
      root: this.#machine.tables.alloc(this.#nextFrame++),
      nestedRoot: 0,
      frameBase: 0,
      cpiQ8: 0,
      exposedQ8: 0,
      port: { onWalkFault: (core, vpn) => this.#map(core, vpn) },
      space: 0,
    }));
    this.enter(0);
  }

  #map(core: Core, vpn: number): Verdict {
    const { tables } = this.#machine;
    let node = core.root;
    for (let level = 4; level > 1; level--) {
      const slot = (node << 9) | indexAt(vpn, level);
      if ((tables.entries[slot]! & Pte.Present) === 0) {
        tables.set(slot, (tables.alloc(this.#nextFrame++) << PTE_SHIFT) | ENTRY);
      }
      node = target(tables.entries[slot]!);
    }
    tables.set((node << 9) | indexAt(vpn, 1), (this.#nextFrame++ << PTE_SHIFT) | ENTRY);
    return Verdict.Retry;
  }

  /** Clears bits of the entry of a page in the current address space, if it is mapped. */
  unmark(vpn: number, bits: number): void {
    const { tables } = this.#machine;
    let node = this.core.root;
    for (let level = 4; level > 1 && node !== 0; level--) {
      node = target(tables.entries[(node << 9) | indexAt(vpn, level)]!);
    }
    const slot = (node << 9) | indexAt(vpn, 1);
    if (node !== 0 && tables.entries[slot] !== 0) tables.set(slot, tables.entries[slot]! & ~bits);
  }

  /** Takes up address space `vm`, tagged by its number. */
  enter(vm: number): void {
    const context = this.#contexts[vm]!;
    this.core.vm = vm;
    this.core.vcpu = vm;
    this.core.enter(context, vm + 1);
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
    this.core.deriveCounters();
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
