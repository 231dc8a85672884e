import { z } from 'zod';
import { type Core, Verdict } from '../../machine/core.ts';
import { indexAt, Pte, target } from '../../machine/page-tables.ts';
import { Cause, ExitReason } from '../../stats/leaves.ts';
import type { Vcpu, Vm } from '../vm.ts';
import { back, backAll } from './backing.ts';
import { frameOf, softWalk, visitEntry, walkSoftly } from './guest-tables.ts';
import type { Mmu, MmuDefinition, MmuDeps } from './mmu.ts';
import { readGuestTables } from './nested.ts';
import { type ShadowPage, ShadowPages } from './shadow-pages.ts';
import { type ShadowProfile, shadowProfileNames, shadowProfiles } from './shadow-profiles.ts';
import { warmShadows } from './shadow-warm.ts';

/** KVM: recycling starts below so many free shadow pages and ends at so many (mmu.h, Linux 2.6.33). */
const MIN_FREE = 5;
const REFILL = 25;

/**
 * Shadow paging: the hardware walks tables that the hypervisor derives from the guest's. Every guest
 * page fault exits; what the guest's tables deny is a true fault and goes back to it, what they allow is
 * a hidden fault and is fixed here. Shadowed guest tables are write-protected, so that writes to them
 * are seen: each is emulated, or lets a leaf table go out of sync until the next flush point.
 * Algorithms of KVM 2.6.33 (mmu.c, paging_tmpl.h); the other profiles differ by their switches.
 */
class Shadow implements Mmu {
  readonly nested = false;
  readonly #deps: MmuDeps;
  readonly #vm: Vm;
  readonly #profile: ShadowProfile;
  readonly #pages: ShadowPages;
  readonly #budget: number;
  readonly #walk = softWalk();
  /** The store that `storePte` is performing; -1 = none. */
  #storeSlot = -1;
  #storeEntry = 0;
  #stored = false;
  /** Reason of the exit being handled. */
  #reason: ExitReason = ExitReason.PageFault;
  /** KVM's flood detector: the table written last by an emulated store, and how often in a row. */
  #floodGfn = -1;
  #floodCount = 0;

  constructor(deps: MmuDeps, profile: ShadowProfile, budget: number | undefined) {
    this.#deps = deps;
    this.#vm = deps.vm;
    this.#profile = profile;
    this.#pages = new ShadowPages(
      deps.tables,
      deps.vm,
      () => deps.memory.take(deps.vm.home, deps.hostVm),
      (frame) => deps.memory.give(frame),
    );
    // KVM: 2 % of the guest's pages, at least 64.
    this.#budget = budget ?? Math.max(64, Math.floor(deps.vm.memoryPages / 50));
  }

  start(vcpu: Vcpu): void {
    if (this.#deps.upFront) backAll(this.#vm, this.#deps.memory, 4096);
    this.populate(this.#deps.tables.frame[vcpu.guestRoot]!);
    vcpu.context.root = this.#rootFor(vcpu).node;
    this.#pages.resetWork();
  }

  populate(gfn: number): void {
    back(this.#vm, this.#deps.memory, gfn, 4096);
  }

  warm(root: number): void {
    warmShadows(this.#pages, this.#deps.tables, root, {
      room: this.#budget - MIN_FREE,
      p2m: this.#vm.p2m,
      leafFlags: (entry, gfn) => this.#leafFlags(entry, gfn),
    });
  }

  #rootFor(vcpu: Vcpu): ShadowPage {
    const gfn = this.#deps.tables.frame[vcpu.guestRoot]!;
    return this.#pages.get(gfn, 4, false) ?? this.#pages.build(gfn, 4, false);
  }

  // Page-fault exits.

  onWalkFault(core: Core, vpn: number, write: boolean): Verdict {
    const deps = this.#deps;
    const vcpu = deps.vcpuOn(core);
    // The hardware reason is #PF either way; table writes are told apart because they are what shadowing costs.
    const reason = this.#hitsTable(vcpu, vpn, write) ? ExitReason.PteWrite : ExitReason.PageFault;
    this.#reason = reason;
    deps.exit(vcpu, core, reason);
    deps.handle(vcpu, core, reason, deps.costs.faultPath);
    this.#pages.resetWork();
    const verdict = this.#resolve(vcpu, core, vpn, write);
    this.#settleWork(vcpu, core, reason);
    deps.resume(vcpu, core, reason);
    return verdict;
  }

  /** True if the access is a store to a write-protected table that the guest's tables allow. */
  #hitsTable(vcpu: Vcpu, vpn: number, write: boolean): boolean {
    if (!write) return false;
    const walk = walkSoftly(this.#deps.tables, vcpu.guestRoot, vpn, this.#walk);
    if (walk.level === 0 || (walk.entry & Pte.Writable) === 0) return false;
    const gfn = frameOf(walk, vpn);
    return this.#pages.isTable(gfn) && !this.#writableTable(gfn);
  }

  #resolve(vcpu: Vcpu, core: Core, vpn: number, write: boolean): Verdict {
    const deps = this.#deps;
    const { counters } = this.#vm;
    const reason = this.#reason;
    readGuestTables(deps, vcpu, core, reason, this.#walk, this.#vm.p2m, vpn);
    const { level, entry, slot } = this.#walk;
    const allowed = level !== 0 && (!write || (entry & Pte.Writable) !== 0);
    if (!allowed) {
      deps.handle(vcpu, core, reason, deps.costs.injectEvent);
      this.#floodCount = 0;
      return Verdict.GuestFault;
    }
    // The walk sets A on the leaf, and D for a write, in the guest's own table.
    const marked = entry | Pte.Accessed | (write ? Pte.Dirty : 0);
    deps.tables.entries[slot] = marked;
    this.#walk.entry = marked;
    const gfn = frameOf(this.#walk, vpn);
    this.#touchBacking(vcpu, core, gfn);
    if (write && this.#pages.isTable(gfn) && !this.#writableTable(gfn)) {
      const verdict = this.#tableWrite(vcpu, core, gfn);
      if (verdict === Verdict.Emulated) return verdict;
    } else {
      counters.hidden_faults++;
      this.#floodCount = 0;
    }
    this.#fill(vcpu, core, vpn, level, marked);
    return Verdict.Retry;
  }

  #touchBacking(vcpu: Vcpu, core: Core, gfn: number): void {
    const { costs, memory } = this.#deps;
    if (back(this.#vm, memory, gfn, 4096) === 0) return;
    const cycles = costs.hostFault + 64 * costs.zeroPageLine;
    this.#deps.handle(vcpu, core, this.#reason, cycles);
  }

  /** True if stores to this table page go through: every shadow of it is an out-of-sync leaf. */
  #writableTable(gfn: number): boolean {
    return this.#pages.ofTable(gfn).every((page) => page.unsync);
  }

  /** Builds the missing shadow levels for `vpn` and installs its leaf. */
  #fill(vcpu: Vcpu, core: Core, vpn: number, guestLevel: number, guestEntry: number): void {
    const { tables, costs } = this.#deps;
    const reason = this.#reason;
    this.#recycle(vcpu);
    let page = this.#currentRoot(vcpu, core);
    for (let level = 4; level > 1; level--) {
      const slot = (page.node << 9) | indexAt(vpn, level);
      const entry = tables.entries[slot]!;
      if ((entry & Pte.Present) !== 0) {
        page = this.#pages.at(target(entry))!;
        continue;
      }
      const childLevel = level - 1;
      const direct = childLevel < guestLevel;
      const gfn = direct
        ? target(guestEntry) + (vpn & ((1 << (9 * (guestLevel - 1))) - 1) & ~511)
        : tables.frame[target(tables.entries[this.#guestSlot(vcpu, vpn, level)]!)]!;
      page = this.#child(vcpu, core, slot, gfn, childLevel, direct);
    }
    const gfn = target(guestEntry) + (vpn & ((1 << (9 * (guestLevel - 1))) - 1));
    this.#pages.setLeaf(page, vpn & 511, gfn, this.#leafFlags(guestEntry, gfn));
    this.#deps.handle(vcpu, core, reason, costs.shadowFill);
  }

  #guestSlot(vcpu: Vcpu, vpn: number, level: number): number {
    const { tables } = this.#deps;
    let node = vcpu.guestRoot;
    for (let at = 4; at > level; at--) {
      node = target(tables.entries[(node << 9) | indexAt(vpn, at)]!);
    }
    return (node << 9) | indexAt(vpn, level);
  }

  #currentRoot(vcpu: Vcpu, core: Core): ShadowPage {
    const root = this.#rootFor(vcpu);
    vcpu.context.root = root.node;
    core.root = root.node;
    return root;
  }

  /** Finds or builds the child of an upper shadow entry and links it. */
  #child(
    vcpu: Vcpu,
    core: Core,
    parentSlot: number,
    gfn: number,
    level: number,
    direct: boolean,
  ): ShadowPage {
    const { costs } = this.#deps;
    const reason = this.#reason;
    let page = this.#pages.get(gfn, level, direct);
    this.#deps.handle(vcpu, core, reason, costs.shadowLookup);
    if (page?.unsync && !this.#sync(vcpu, core, reason, page)) page = undefined;
    if (!page) {
      page = this.#pages.build(gfn, level, direct);
      this.#vm.counters.shadow_pages_built++;
      const cycles = costs.shadowPageAlloc + 64 * costs.zeroPageLine;
      this.#deps.handle(vcpu, core, reason, cycles);
    }
    this.#pages.link(parentSlot, page);
    return page;
  }

  /** Rights of a leaf: writable only once the guest's entry is dirty and the frame is no synced table. */
  #leafFlags(guestEntry: number, gfn: number): number {
    let flags = Pte.Present | Pte.Accessed | (guestEntry & Pte.Global);
    const writable =
      (guestEntry & Pte.Writable) !== 0 &&
      (guestEntry & Pte.Dirty) !== 0 &&
      (!this.#pages.isTable(gfn) || this.#writableTable(gfn));
    if (writable) flags |= Pte.Writable;
    return flags;
  }

  // Writes to shadowed tables.

  /** A store hit a write-protected table: out of sync, or emulate. */
  #tableWrite(vcpu: Vcpu, core: Core, gfn: number): Verdict {
    const shadows = this.#pages.ofTable(gfn);
    const { counters } = this.#vm;
    counters.pte_write_exits++;
    if (this.#profile.outOfSync && shadows.every((page) => page.level === 1)) {
      for (const page of shadows) {
        if (page.unsync) continue;
        page.unsync = true;
        this.#pages.unsync.add(page);
        counters.unsyncs++;
      }
      return Verdict.Retry;
    }
    const deps = this.#deps;
    const reason = this.#reason;
    // The emulator: fetch, decode, store, bring the shadows up to date.
    deps.decode(vcpu, core, reason);
    deps.handle(vcpu, core, reason, deps.costs.emulateWrite);
    if (this.#storeSlot < 0 || deps.tables.frame[this.#storeSlot >> 9] !== gfn) {
      // Not an entry: the frame is data by now. It floods and loses its shadows.
      for (const page of [...shadows]) this.#zap(page);
      return Verdict.Retry;
    }
    this.#emulateStore(vcpu, gfn);
    this.#stored = true;
    return Verdict.Emulated;
  }

  #emulateStore(vcpu: Vcpu, gfn: number): void {
    const { tables } = this.#deps;
    const slot = this.#storeSlot;
    const old = tables.entries[slot]!;
    const entry = this.#storeEntry;
    tables.set(slot, entry);
    if (gfn === this.#floodGfn) this.#floodCount++;
    else {
      this.#floodGfn = gfn;
      this.#floodCount = 1;
    }
    const { floodLimit, eagerInstall, exitRun } = this.#profile;
    const flooded = floodLimit > 0 && this.#floodCount >= floodLimit;
    const gone = (old & Pte.Present) !== 0 && (entry & Pte.Present) === 0;
    const index = slot & 511;
    for (const page of [...this.#pages.ofTable(gfn)]) {
      page.cleared = gone ? page.cleared + 1 : 0;
      if (flooded || (exitRun > 0 && page.level === 1 && page.cleared >= exitRun)) {
        this.#zap(page);
        continue;
      }
      if (page.level > 1) {
        this.#pages.unlink((page.node << 9) | index);
        continue;
      }
      this.#pages.dropLeaf(page, index);
      const usable = (entry & Pte.Present) !== 0 && (entry & Pte.Accessed) !== 0;
      if (usable && eagerInstall && this.#vm.p2m[target(entry)] !== 0) {
        this.#pages.setLeaf(page, index, target(entry), this.#leafFlags(entry, target(entry)));
      }
    }
    this.#deps.loseTag(vcpu, Cause.Shootdown);
  }

  storePte(_vcpu: Vcpu, core: Core, slot: number, entry: number): void {
    this.#storeSlot = slot;
    this.#storeEntry = entry;
    this.#stored = false;
    visitEntry(core, this.#deps.tables, slot);
    this.#storeSlot = -1;
    if (!this.#stored) this.#deps.tables.set(slot, entry);
  }

  // Flush points.

  onCr3Write(vcpu: Vcpu, core: Core): void {
    const deps = this.#deps;
    const reason = ExitReason.Cr3Write;
    this.#reason = reason;
    deps.exit(vcpu, core, reason);
    deps.decode(vcpu, core, reason);
    this.#pages.resetWork();
    this.#touchBacking(vcpu, core, deps.tables.frame[vcpu.guestRoot]!);
    const existed = this.#pages.get(deps.tables.frame[vcpu.guestRoot]!, 4, false) !== undefined;
    const root = this.#currentRoot(vcpu, core);
    deps.handle(
      vcpu,
      core,
      reason,
      deps.costs.shadowLookup +
        (existed ? 0 : deps.costs.shadowPageAlloc + 64 * deps.costs.zeroPageLine),
    );
    if (!existed) this.#vm.counters.shadow_pages_built++;
    for (const page of [...this.#pages.unsync]) {
      if (this.#pages.reaches(root, page)) this.#sync(vcpu, core, reason, page);
    }
    this.#settleWork(vcpu, core, reason);
    this.#recycle(vcpu);
    deps.loseTag(vcpu, Cause.Cr3);
    deps.resume(vcpu, core, reason);
  }

  onInvlpg(vcpu: Vcpu, core: Core, vpn: number): void {
    const deps = this.#deps;
    const reason = ExitReason.Invlpg;
    deps.exit(vcpu, core, reason);
    deps.decode(vcpu, core, reason);
    this.#pages.resetWork();
    const walk = walkSoftly(deps.tables, this.#rootFor(vcpu).node, vpn, this.#walk);
    if (walk.level === 1) this.#pages.dropLeaf(this.#pages.at(walk.slot >> 9)!, walk.slot & 511);
    this.#settleWork(vcpu, core, reason);
    deps.loseTag(vcpu, Cause.Invlpg);
    deps.resume(vcpu, core, reason);
  }

  onGlobalFlush(vcpu: Vcpu, core: Core): void {
    const deps = this.#deps;
    const reason = ExitReason.Cr4Write;
    for (let write = 0; write < 2; write++) {
      deps.exit(vcpu, core, reason);
      deps.decode(vcpu, core, reason);
      this.#pages.resetWork();
      const root = this.#currentRoot(vcpu, core);
      for (const page of [...this.#pages.unsync]) {
        if (this.#pages.reaches(root, page)) this.#sync(vcpu, core, reason, page);
      }
      this.#settleWork(vcpu, core, reason);
      deps.loseTag(vcpu, Cause.Cr3);
      deps.resume(vcpu, core, reason);
    }
  }

  /** Brings an out-of-sync leaf shadow up to date; false if nothing of it was left and it was dropped. */
  #sync(vcpu: Vcpu, core: Core, reason: ExitReason, page: ShadowPage): boolean {
    const deps = this.#deps;
    const { tables, costs } = deps;
    const { counters, nodeOfFrame, p2m } = this.#vm;
    page.unsync = false;
    this.#pages.unsync.delete(page);
    this.#pages.writeProtect(page.gfn);
    this.#pages.tieMirror(page);
    counters.resyncs++;
    const guest = nodeOfFrame[page.gfn]! << 9;
    const first = page.node << 9;
    let compared = 0;
    let kept = 0;
    let line = -1;
    for (let index = 0; index < 512; index++) {
      if ((tables.entries[first + index]! & Pte.Present) === 0) continue;
      compared++;
      if (index >> 3 !== line) {
        line = index >> 3;
        deps.readLine(vcpu, core, reason, p2m[page.gfn]!, line);
      }
      const entry = guest === 0 ? 0 : tables.entries[guest + index]!;
      const same =
        (entry & Pte.Present) !== 0 &&
        (entry & Pte.Accessed) !== 0 &&
        target(entry) === page.gfns[index];
      if (!same) {
        this.#pages.dropLeaf(page, index);
        continue;
      }
      kept++;
      const flags = this.#leafFlags(entry, target(entry));
      tables.entries[first + index] = (p2m[target(entry)]! << 7) | flags;
    }
    counters.resync_entries += compared;
    deps.handle(vcpu, core, reason, compared * costs.syncEntry);
    this.#pages.work.flush = true;
    if (kept > 0) return true;
    this.#zap(page);
    return false;
  }

  #zap(page: ShadowPage): void {
    this.#vm.counters.shadow_zaps++;
    this.#pages.zap(page);
  }

  /** When too few shadow pages are free, the oldest go. */
  #recycle(vcpu: Vcpu): void {
    const { active } = this.#pages;
    if (this.#budget - active.size >= MIN_FREE) return;
    const rootGfn = this.#deps.tables.frame[vcpu.guestRoot]!;
    for (const page of active) {
      if (this.#budget - active.size >= REFILL) break;
      if (page.level === 4 && page.gfn === rootGfn) continue;
      this.#zap(page);
    }
  }

  /** Prices what happened to reverse mappings and entries; stale translations cost the tag. */
  #settleWork(vcpu: Vcpu, core: Core, reason: ExitReason): void {
    const { work } = this.#pages;
    const { costs } = this.#deps;
    const cycles = work.rmap * costs.rmapEntry + work.zapped * costs.zapEntry;
    if (cycles > 0) this.#deps.handle(vcpu, core, reason, cycles);
    if (work.flush) this.#deps.loseTag(vcpu, Cause.Shootdown);
    this.#pages.resetWork();
  }

  readGuestPath(vcpu: Vcpu, core: Core, reason: ExitReason): void {
    readGuestTables(this.#deps, vcpu, core, reason, softWalk(), this.#vm.p2m);
  }

  peek(root: number, vpn: number): number {
    const { tables } = this.#deps;
    const page = this.#pages.get(tables.frame[root]!, 4, false);
    if (!page) return -1;
    const walk = walkSoftly(tables, page.node, vpn, this.#walk);
    return walk.level === 0 ? -1 : frameOf(walk, vpn);
  }
}

export const shadow: MmuDefinition = {
  name: 'shadow',
  summary: 'shadow paging: the hardware walks tables the hypervisor derives from the guest’s',
  params: z.object({
    profile: z
      .enum(shadowProfileNames)
      .prefault('kvm-2.6.33')
      .describe('how writes to guest tables are followed'),
    pageBudget: z
      .int()
      .min(64)
      .max(1 << 22)
      .optional()
      .describe('shadow pages per VM; default 2 % of its memory pages, at least 64'),
    floodLimit: z
      .int()
      .min(0)
      .max(1 << 20)
      .optional()
      .describe('emulated writes in a row to one table after which it is unshadowed; 0 = never'),
  }),
  create: ({ profile, pageBudget, floodLimit }, deps) => {
    const base = shadowProfiles[profile as keyof typeof shadowProfiles];
    const merged = floodLimit === undefined ? base : { ...base, floodLimit: floodLimit as number };
    return new Shadow(deps, merged, pageBudget as number | undefined);
  },
};
