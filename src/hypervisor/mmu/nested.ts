import * as z from 'zod';
import { ModelError } from '../../base/errors.ts';
import { type Core, Verdict } from '../../machine/core.ts';
import { Fault } from '../../machine/fault.ts';
import { indexAt, PTE_SHIFT, Pte, STORE_OK, target } from '../../machine/page-tables.ts';
import { Cause, ExitReason } from '../../stats/leaves.ts';
import type { Lack, PolicyHost } from '../requirements.ts';
import type { Vcpu, Vm } from '../vm.ts';
import { back, backAll, giveBack } from './backing.ts';
import { BITMAP_LINE, DirtyLog } from './dirty-log.ts';
import { invlpgInGuest, loadCr3InGuest, storeInGuest } from './guest-owned.ts';
import type { Mmu, MmuDefinition, MmuDeps } from './mmu.ts';
import { backingPages, pageSize } from './params.ts';

/**
 * Nested paging (RVI): the hardware walks the guest's tables through a nested table that the
 * hypervisor fills on the first touch of guest memory (KVM, ESX) or up front (Xen). Guest table
 * writes, CR3 writes and INVLPG do not exit.
 */
class Nested implements Mmu {
  readonly #deps: MmuDeps;
  readonly #vm: Vm;
  readonly #pageBytes: number;
  #root = 0;
  #log: DirtyLog | null = null;
  logCycles = 0;

  constructor(deps: MmuDeps, pageBytes: number) {
    this.#deps = deps;
    this.#vm = deps.vm;
    this.#pageBytes = pageBytes;
  }

  start(vcpu: Vcpu): void {
    const { tables } = this.#deps;
    if (this.#root === 0) {
      this.#root = tables.alloc(this.#tableFrame());
      if (this.#deps.upFront) {
        backAll(this.#vm, this.#deps.memory, this.#pageBytes);
        for (let gfn = 0; gfn < this.#vm.memoryPages; ) {
          const shift = this.#map(gfn);
          gfn += 1 << (shift - 12);
        }
      }
    }
    vcpu.context.nestedRoot = this.#root;
    vcpu.context.root = vcpu.guestRoot;
  }

  #tableFrame(): number {
    return this.#deps.memory.take(this.#vm.home, this.#deps.hostVm);
  }

  /**
   * Installs the nested entry for `gfn`, as large as its backing allows, or small while the dirty
   * log is on; returns its page shift.
   */
  #map(gfn: number): number {
    const { tables } = this.#deps;
    const { p2m, memoryPages } = this.#vm;
    let shift = 12;
    for (const [candidate, pages] of [
      [30, 1 << 18],
      [21, 512],
    ] as const) {
      if (this.#log || this.#pageBytes < 2 ** candidate) continue;
      const first = gfn & ~(pages - 1);
      const frame = p2m[first]!;
      const whole = first + pages <= memoryPages && frame !== 0 && (frame & (pages - 1)) === 0;
      if (whole && p2m[first + pages - 1] === frame + pages - 1) {
        shift = candidate;
        break;
      }
    }
    let node = this.#root;
    let level = 4;
    let slot = (node << 9) | indexAt(gfn, level);
    // What was split stays so: a table is not replaced by a leaf.
    for (;;) {
      let entry = tables.entries[slot]!;
      const free = (entry & Pte.Present) === 0 && 12 + 9 * (level - 1) <= shift;
      if (level === 1 || free) break;
      if ((entry & Pte.Present) === 0) {
        const child = tables.alloc(this.#tableFrame());
        entry = (child << PTE_SHIFT) | Pte.Present | Pte.Writable | Pte.Accessed;
        tables.set(slot, entry);
      }
      node = target(entry);
      level--;
      slot = (node << 9) | indexAt(gfn, level);
    }
    const pages = 512 ** (level - 1);
    const storable = !this.#log || this.#log.has(gfn) ? STORE_OK : 0;
    const flags = Pte.Present | Pte.Accessed | storable | (level > 1 ? Pte.Large : 0);
    tables.set(slot, (p2m[gfn - (gfn % pages)]! << PTE_SHIFT) | flags);
    return 12 + 9 * (level - 1);
  }

  /** The leaf for a guest frame: its slot, or 0 if there is none, and its level. */
  #find(gfn: number): { slot: number; level: number } {
    const { entries } = this.#deps.tables;
    let node = this.#root;
    for (let level = 4; ; level--) {
      const slot = (node << 9) | indexAt(gfn, level);
      const entry = entries[slot]!;
      if ((entry & Pte.Present) === 0) return { slot: 0, level };
      if (level === 1 || (entry & Pte.Large) !== 0) return { slot, level };
      node = target(entry);
    }
  }

  writeProtect(gfn: number, level: number): void {
    const { tables } = this.#deps;
    let leaf = this.#find(gfn);
    for (; leaf.slot !== 0 && leaf.level > level; leaf = this.#find(gfn)) this.#split(leaf);
    if (leaf.slot === 0) return;
    tables.set(leaf.slot, tables.entries[leaf.slot]! & ~STORE_OK);
  }

  /**
   * Replaces a large leaf by a table of leaves of the next size, with the same rights. Returns it.
   */
  #split({ slot, level }: { readonly slot: number; readonly level: number }): number {
    const { tables } = this.#deps;
    const entry = tables.entries[slot]!;
    const table = tables.alloc(this.#tableFrame());
    const flags = entry & ((1 << PTE_SHIFT) - 1) & ~(level === 2 ? Pte.Large : 0);
    for (let i = 0; i < 512; i++) {
      const frame = target(entry) + i * 512 ** (level - 2);
      tables.set((table << 9) | i, (frame << PTE_SHIFT) | flags);
    }
    tables.set(slot, (table << PTE_SHIFT) | Pte.Present | Pte.Writable | Pte.Accessed);
    return table;
  }

  startLog(): void {
    this.#log = new DirtyLog(this.#vm.memoryPages);
    this.logCycles = this.#protectAll(this.#root, 4) * this.#deps.costs.rmapEntry;
  }

  takeLog(out: Int32Array): number {
    const { costs } = this.#deps;
    const log = this.#log!;
    const count = log.take(out);
    for (let i = 0; i < count; i++) this.writeProtect(out[i]!, 1);
    this.logCycles = log.lines * BITMAP_LINE + count * costs.rmapEntry;
    return count;
  }

  isLogged(gfn: number): boolean {
    return this.#log?.has(gfn) ?? false;
  }

  stopLog(): void {
    this.#log = null;
  }

  /** Protects every leaf, of whatever size, from stores. Returns how many there are. */
  #protectAll(node: number, level: number): number {
    const { entries } = this.#deps.tables;
    let leaves = 0;
    for (let slot = node << 9; slot < (node + 1) << 9; slot++) {
      const entry = entries[slot]!;
      if ((entry & Pte.Present) === 0) continue;
      if (level > 1 && (entry & Pte.Large) === 0) {
        leaves += this.#protectAll(target(entry), level - 1);
      } else {
        entries[slot] = entry & ~STORE_OK;
        leaves++;
      }
    }
    return leaves;
  }

  dispose(p2m: Int32Array): void {
    if (this.#root !== 0) this.#free(this.#root, 4);
    this.#root = 0;
    this.#log = null;
    giveBack(p2m, this.#deps.memory);
  }

  #free(node: number, level: number): void {
    const { memory, tables } = this.#deps;
    for (let slot = node << 9; slot < (node + 1) << 9; slot++) {
      const entry = tables.entries[slot]!;
      if ((entry & Pte.Present) === 0) continue;
      if (level > 1 && (entry & Pte.Large) === 0) this.#free(target(entry), level - 1);
      tables.set(slot, 0);
    }
    memory.give(tables.frame[node]!);
    tables.free(node);
  }

  populate(gfn: number): void {
    this.#log?.mark(gfn);
    if (back(this.#vm, this.#deps.memory, gfn, this.#pageBytes) !== 0) this.#map(gfn);
  }

  warm(): void {}

  onWalkFault(core: Core, _vpn: number, write: boolean, fault: Fault): Verdict {
    if (fault === Fault.Table) return Verdict.GuestFault;
    const { tables, world } = this.#deps;
    const vcpu = world.vcpuOn(core);
    const gfn = core.walker.faultFrame;
    if (gfn >= this.#vm.memoryPages)
      throw new ModelError(`nested fault beyond guest memory: ${gfn}`);
    const { slot } = this.#find(gfn);
    if (this.#log && slot !== 0) {
      this.#logged(vcpu, core, gfn);
      return Verdict.Retry;
    }
    world.exit(vcpu, core, ExitReason.Npf);
    world.perform(core, ExitReason.Npf, 'faultPath');
    world.lookAtVm(core, ExitReason.Npf, this.#vm.id);
    this.#vm.counters.nested_faults++;
    // The walker stores to the guest's tables, whatever the access is.
    if (write || this.#vm.nodeOfFrame[gfn] !== 0) this.#log?.mark(gfn);
    const shift = back(this.#vm, this.#deps.memory, gfn, this.#pageBytes);
    if (shift !== 0) {
      const pages = 1 << (shift - 12);
      world.perform(core, ExitReason.Npf, 'hostFault');
      world.clear(core, ExitReason.Npf, this.#vm.p2m[gfn - (gfn % pages)]!, pages);
    }
    // What is there was protected from stores, and has been stored to.
    if (slot !== 0) tables.set(slot, tables.entries[slot]! | Pte.Writable);
    else this.#map(gfn);
    const leaf = this.#find(gfn).slot;
    world.perform(core, ExitReason.Npf, 'nestedFill');
    world.touchTable(core, ExitReason.Npf, tables.frame[leaf >> 9]!, (leaf & 511) >> 3);
    world.noteFrame(core, ExitReason.Npf, this.#vm.id, gfn);
    world.resume(vcpu, core, ExitReason.Npf);
    return Verdict.Retry;
  }

  /** A store to what the dirty log protects. */
  #logged(vcpu: Vcpu, core: Core, gfn: number): void {
    const { tables, world } = this.#deps;
    const reason = ExitReason.DirtyLog;
    world.exit(vcpu, core, reason);
    world.perform(core, reason, 'faultPath');
    world.lookAtVm(core, reason, this.#vm.id);
    this.#vm.counters.dirty_log_faults++;
    this.#log!.mark(gfn);
    let leaf = this.#find(gfn);
    if (leaf.level > 1) {
      // All translations of the VM through the large page are dropped with it.
      world.loseTag(vcpu, Cause.Shootdown);
    }
    for (; leaf.level > 1; leaf = this.#find(gfn)) {
      const table = this.#split(leaf);
      world.perform(core, reason, 'shadowPageAlloc');
      world.clear(core, reason, tables.frame[table]!);
    }
    tables.set(leaf.slot, tables.entries[leaf.slot]! | Pte.Writable);
    world.perform(core, reason, 'nestedFill');
    world.noteFrame(core, reason, this.#vm.id, gfn);
    world.resume(vcpu, core, reason);
  }

  onCr3Write(vcpu: Vcpu, core: Core, root: number): void {
    loadCr3InGuest(this.#deps, vcpu, core, root);
  }

  useRoot(vcpu: Vcpu, core: Core): void {
    vcpu.context.root = core.root = vcpu.guestRoot;
  }

  onInvlpg(_vcpu: Vcpu, core: Core, vpn: number): void {
    invlpgInGuest(this.#deps, core, vpn);
  }

  storePte(_vcpu: Vcpu, core: Core, slot: number, entry: number): void {
    storeInGuest(this.#deps, core, slot, entry);
  }

  inspect(): string | undefined {
    return this.#inspect(this.#root, 4, 0);
  }

  #inspect(node: number, level: number, base: number): string | undefined {
    const { entries } = this.#deps.tables;
    const span = 512 ** (level - 1);
    for (let i = 0; i < 512; i++) {
      const entry = entries[(node << 9) | i]!;
      if ((entry & Pte.Present) === 0) continue;
      const gfn = base + i * span;
      const leaf = level === 1 || (entry & Pte.Large) !== 0;
      for (let page = 0; leaf && page < span; page++) {
        const frame = this.#vm.p2m[gfn + page];
        if (frame !== target(entry) + page) {
          return (
            `the nested table maps guest frame ${gfn + page} to ${target(entry) + page}, ` +
            `it is ${frame}`
          );
        }
      }
      const wrong = leaf ? undefined : this.#inspect(target(entry), level - 1, gfn);
      if (wrong !== undefined) return wrong;
    }
    return undefined;
  }
}

const params = z.object({
  pageSize: pageSize()
    .prefault('4KiB')
    .describe('what the hypervisor backs guest memory with: 4KiB, 2MiB or 1GiB'),
});

export const nested: MmuDefinition<typeof params> = {
  name: 'nested',
  summary: 'nested paging (RVI/NPT): two-dimensional walks, no exits for guest table writes',
  params,
  walk: 'two',
  virtualized: true,
  largestPage: ({ pageSize: bytes }) => bytes,
  requires: nestedPaging,
  shows: 'pageSize',
  variants: backingPages.map((size) => ({ pageSize: size })),
  create: ({ pageSize: bytes }, deps) => new Nested(deps, bytes),
};

/** What two-dimensional walks with pages of so many bytes need of the processor. */
export function nestedPaging(
  { pageSize: bytes }: { readonly pageSize: number },
  { processor: { svm, tlb }, processorName }: PolicyHost,
): Lack[] {
  const lacks: Lack[] = [];
  if (!svm.nestedPaging) {
    lacks.push({
      message: `nested paging needs a processor that has it, and ${processorName} has not`,
      suggestion: 'use mmu: { kind: shadow }, or a processor of Family 10h or later',
    });
  }
  if (bytes === 2 ** 30 && tlb.l1d['1G'].entries === 0) {
    lacks.push({
      param: 'pageSize',
      message: `nested pages of 1GiB need TLB entries for them, and ${processorName} has none`,
      suggestion: 'use 2MiB',
    });
  }
  return lacks;
}
