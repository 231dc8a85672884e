import type { Cycles } from '../../base/ids.ts';
import { type Core, Verdict } from '../../machine/core.ts';
import { indexAt, Pte, target } from '../../machine/page-tables.ts';
import { Cause, ExitReason } from '../../stats/leaves.ts';
import type { Vcpu, Vm } from '../vm.ts';
import { back, backAll, giveBack } from './backing.ts';
import { frameOf, softWalk, visitEntry, walkSoftly } from './guest-tables.ts';
import type { Mmu, MmuDefinition, MmuDeps } from './mmu.ts';
import { inspectShadows } from './shadow-inspect.ts';
import { ShadowLog } from './shadow-log.ts';
import { isStorable, Role, type ShadowPage, ShadowPages } from './shadow-pages.ts';
import {
  type ShadowProfile,
  shadowParams,
  shadowProfileNames,
  shadowProfiles,
} from './shadow-profiles.ts';
import { prefetchLeaves, refillLeaf, type Shadows, syncShadow } from './shadow-sync.ts';
import { warmShadows } from './shadow-warm.ts';
import { TableWrites } from './shadow-writes.ts';
import { decode, readGuestTables } from './software-walks.ts';

/**
 * KVM: recycling starts when fewer shadow pages than the first number are free, and ends at the
 * second (mmu.h, Linux 2.6.33).
 */
const MIN_FREE = 5;
const REFILL = 25;

/**
 * Shadow paging: the hardware walks tables that the hypervisor derives from the guest's. Every
 * guest page fault exits; what the guest's tables deny is a true fault and goes back to it, what
 * they allow is a hidden fault and is fixed here. Shadowed guest tables are write-protected, so
 * that writes to them are seen: each is emulated, or lets a leaf table go out of sync until the
 * next flush point. Algorithms of KVM 2.6.33 (mmu.c, paging_tmpl.h); the other profiles differ by
 * their switches.
 */
class Shadow implements Mmu {
  readonly #deps: MmuDeps;
  readonly #vm: Vm;
  readonly #pages: ShadowPages;
  readonly #shadows: Shadows;
  readonly #writes: TableWrites;
  readonly #log: ShadowLog;
  readonly #budget: number;
  readonly #walk = softWalk();
  /** Reason of the exit being handled. */
  #reason: ExitReason = ExitReason.PageFault;

  constructor(deps: MmuDeps, profile: ShadowProfile, budget: number | undefined) {
    this.#deps = deps;
    this.#vm = deps.vm;
    this.#pages = new ShadowPages(
      deps.tables,
      deps.vm,
      () => deps.memory.take(deps.vm.home, deps.hostVm),
      (frame) => deps.memory.give(frame),
    );
    this.#shadows = { deps, pages: this.#pages, profile };
    this.#writes = new TableWrites(this.#shadows);
    this.#log = new ShadowLog(deps, this.#pages, profile.dropsAtLog);
    // KVM: 2 % of the guest's pages, at least 64.
    this.#budget = budget ?? Math.max(64, Math.floor(deps.vm.memoryPages / 50));
  }

  start(vcpu: Vcpu): void {
    if (this.#deps.upFront) backAll(this.#vm, this.#deps.memory, 4096);
    const gfn = this.#deps.tables.frame[vcpu.guestRoot]!;
    this.populate(gfn);
    vcpu.context.root = this.#pages.build(gfn, 4, Role.Table).node;
    this.#pages.resetWork();
  }

  readonly startLog = (): void => this.#log.start();
  readonly takeLog = (out: Int32Array): number => this.#log.take(out);
  readonly isLogged = (gfn: number): boolean => this.#log.has(gfn);
  readonly stopLog = (): void => this.#log.stop();

  get logCycles(): Cycles {
    return this.#log.cycles;
  }

  dispose(p2m: Int32Array): void {
    for (const page of this.#pages.active) this.#pages.zap(page);
    this.#log.stop();
    giveBack(p2m, this.#deps.memory);
  }

  populate(gfn: number): void {
    this.#log.mark(gfn);
    back(this.#vm, this.#deps.memory, gfn, 4096);
  }

  warm(root: number, page?: number): void {
    warmShadows(this.#pages, this.#deps.tables, root, {
      room: this.#budget - MIN_FREE,
      p2m: this.#vm.p2m,
      page,
    });
  }

  // Page-fault exits.

  onWalkFault(core: Core, vpn: number, write: boolean): Verdict {
    const deps = this.#deps;
    const vcpu = deps.world.vcpuOn(core);
    const reason = write ? this.#storeReason(vcpu, vpn) : ExitReason.PageFault;
    this.#reason = reason;
    deps.world.exit(vcpu, core, reason);
    deps.world.perform(core, reason, 'faultPath');
    deps.world.lookAtVm(core, reason, deps.vm.id);
    this.#dropStale(vcpu);
    const verdict = this.#resolve(vcpu, core, vpn, write);
    // The root may be among the tables that lost their shadows.
    this.#currentRoot(vcpu, core);
    this.#settleWork(vcpu, core, reason);
    deps.world.resume(vcpu, core, reason);
    return verdict;
  }

  /**
   * Why a store has failed. The hardware reason is #PF in any case; stores to write-protected
   * tables that the guest's tables allow are told apart because they are what shadowing costs, and
   * those to frames that the dirty log protects.
   */
  #storeReason(vcpu: Vcpu, vpn: number): ExitReason {
    const walk = walkSoftly(this.#deps.tables, vcpu.guestRoot, vpn, this.#walk);
    if (walk.level === 0 || (walk.entry & Pte.Writable) === 0) return ExitReason.PageFault;
    if (this.#trapsStores(frameOf(walk, vpn))) return ExitReason.PteWrite;
    const logged = this.#log.stops(vcpu.context.root, vpn, walk.entry);
    return logged ? ExitReason.DirtyLog : ExitReason.PageFault;
  }

  /** True for a synced table. */
  #trapsStores(gfn: number): boolean {
    return this.#pages.isTable(gfn) && !this.#pages.isWritableTable(gfn);
  }

  #resolve(vcpu: Vcpu, core: Core, vpn: number, write: boolean): Verdict {
    const deps = this.#deps;
    const { counters } = this.#vm;
    const reason = this.#reason;
    readGuestTables(deps, vcpu, core, reason, vpn, this.#walk);
    const { level, entry, slot } = this.#walk;
    const allowed = level !== 0 && (!write || (entry & Pte.Writable) !== 0);
    if (!allowed) {
      deps.world.perform(core, reason, 'injectEvent');
      this.#writes.calm();
      return Verdict.GuestFault;
    }
    // The walk sets A on the leaf, and D for a write, in the guest's own table.
    const marked = entry | Pte.Accessed | (write ? Pte.Dirty : 0);
    deps.tables.entries[slot] = marked;
    if (marked !== entry) this.#log.mark(deps.tables.frame[slot >> 9]!);
    this.#walk.entry = marked;
    const gfn = frameOf(this.#walk, vpn);
    this.#touchBacking(core, gfn);
    if (write) this.#log.mark(gfn);
    if (write && this.#trapsStores(gfn)) {
      const verdict = this.#writes.trapped(vcpu, core, reason, gfn);
      if (verdict === Verdict.Emulated) return verdict;
    } else {
      if (reason === ExitReason.DirtyLog) counters.dirty_log_faults++;
      else counters.hidden_faults++;
      this.#writes.calm();
    }
    this.#fill(vcpu, core, vpn, level, marked);
    return Verdict.Retry;
  }

  #touchBacking(core: Core, gfn: number): void {
    const { memory, world } = this.#deps;
    if (back(this.#vm, memory, gfn, 4096) === 0) return;
    world.perform(core, this.#reason, 'hostFault');
    world.clear(core, this.#reason, this.#vm.p2m[gfn]!);
  }

  /** Builds the missing shadow levels for `vpn` and installs its leaf. */
  #fill(vcpu: Vcpu, core: Core, vpn: number, guestLevel: number, guestEntry: number): void {
    const { tables, world } = this.#deps;
    const reason = this.#reason;
    this.#recycle(vcpu);
    let page = this.#currentRoot(vcpu, core);
    const offset = vpn & (512 ** (guestLevel - 1) - 1);
    const role = isStorable(guestEntry) ? Role.DirectWrite : Role.DirectRead;
    for (let level = 4; level > 1; level--) {
      const slot = (page.node << 9) | indexAt(vpn, level);
      const entry = tables.entries[slot]!;
      const linked = (entry & Pte.Present) !== 0 ? this.#pages.at(target(entry))! : undefined;
      const direct = level <= guestLevel;
      if (linked && (!direct || linked.role === role)) {
        page = linked;
        continue;
      }
      const gfn = direct
        ? target(guestEntry) + offset - (offset % 512 ** (level - 1))
        : tables.frame[target(tables.entries[this.#guestSlot(vcpu, vpn, level)]!)]!;
      page = this.#child(core, slot, gfn, level - 1, direct ? role : Role.Table);
    }
    const gfn = target(guestEntry) + offset;
    this.#pages.setLeaf(page, vpn & 511, gfn, this.#pages.leafFlags(guestEntry, gfn));
    world.perform(core, reason, 'shadowFill');
    world.touchTable(core, reason, tables.frame[page.node]!, (vpn & 511) >> 3);
    world.noteFrame(core, reason, this.#vm.id, gfn);
    const large = guestLevel > 1 ? guestEntry : 0;
    prefetchLeaves(this.#shadows, core, reason, page, vpn & 511, large);
  }

  #guestSlot(vcpu: Vcpu, vpn: number, level: number): number {
    const { tables } = this.#deps;
    let node = vcpu.guestRoot;
    for (let at = 4; at > level; at--) {
      node = target(tables.entries[(node << 9) | indexAt(vpn, at)]!);
    }
    return (node << 9) | indexAt(vpn, level);
  }

  /**
   * The shadow of the guest's root, which the hardware walks from now on; rebuilt if it was
   * dropped.
   */
  #currentRoot(vcpu: Vcpu, core: Core): ShadowPage {
    const gfn = this.#deps.tables.frame[vcpu.guestRoot]!;
    const root = this.#pages.get(gfn, 4, Role.Table) ?? this.#build(core, gfn, 4, Role.Table);
    vcpu.context.root = root.node;
    core.root = root.node;
    return root;
  }

  #build(core: Core, gfn: number, level: number, role: Role): ShadowPage {
    const { tables, world } = this.#deps;
    this.#vm.counters.shadow_pages_built++;
    world.perform(core, this.#reason, 'shadowPageAlloc');
    const page = this.#pages.build(gfn, level, role);
    world.clear(core, this.#reason, tables.frame[page.node]!);
    return page;
  }

  /** Finds or builds the child of an upper shadow entry and links it. */
  #child(core: Core, parentSlot: number, gfn: number, level: number, role: Role): ShadowPage {
    const reason = this.#reason;
    let page = this.#pages.get(gfn, level, role);
    this.#deps.world.perform(core, reason, 'shadowLookup');
    if (page?.unsync && !this.#sync(core, reason, page)) page = undefined;
    page ??= this.#build(core, gfn, level, role);
    this.#pages.link(parentSlot, page);
    return page;
  }

  storePte(_vcpu: Vcpu, core: Core, slot: number, entry: number): void {
    const { tables } = this.#deps;
    this.#writes.begin(slot, entry);
    visitEntry(core, tables, slot);
    if (!this.#writes.end()) tables.set(slot, entry);
  }

  // Flush points.

  onCr3Write(vcpu: Vcpu, core: Core): void {
    const deps = this.#deps;
    const reason = ExitReason.Cr3Write;
    this.#reason = reason;
    deps.world.exit(vcpu, core, reason);
    decode(deps, vcpu, core, reason);
    this.#dropStale(vcpu);
    this.#touchBacking(core, deps.tables.frame[vcpu.guestRoot]!);
    this.#recycle(vcpu);
    deps.world.perform(core, reason, 'shadowLookup');
    const root = this.#currentRoot(vcpu, core);
    for (const page of [...this.#pages.unsync]) {
      // Xen synchronizes all tables of the vCPU, KVM those that the new root leads to.
      const all = this.#shadows.profile.unsyncLimit > 0;
      if (all || this.#pages.reaches(root, page)) this.#sync(core, reason, page);
    }
    this.#settleWork(vcpu, core, reason);
    deps.world.loseTag(vcpu, Cause.Cr3);
    deps.world.resume(vcpu, core, reason);
  }

  useRoot(vcpu: Vcpu, core: Core): void {
    const gfn = this.#deps.tables.frame[vcpu.guestRoot]!;
    this.populate(gfn);
    const root = this.#pages.get(gfn, 4, Role.Table) ?? this.#pages.build(gfn, 4, Role.Table);
    vcpu.context.root = root.node;
    core.root = root.node;
    this.#pages.resetWork();
  }

  onInvlpg(vcpu: Vcpu, core: Core, vpn: number): void {
    const deps = this.#deps;
    const reason = ExitReason.Invlpg;
    this.#reason = reason;
    deps.world.exit(vcpu, core, reason);
    decode(deps, vcpu, core, reason);
    this.#dropStale(vcpu);
    const walk = walkSoftly(deps.tables, vcpu.context.root, vpn, this.#walk);
    if (walk.level === 1) {
      const page = this.#pages.at(walk.slot >> 9)!;
      const index = walk.slot & 511;
      this.#pages.dropLeaf(page, index);
      refillLeaf(this.#shadows, core, reason, page, index);
    }
    this.#settleWork(vcpu, core, reason);
    deps.world.loseTag(vcpu, Cause.Invlpg);
    deps.world.resume(vcpu, core, reason);
  }

  #sync(core: Core, reason: ExitReason, page: ShadowPage): boolean {
    return syncShadow(this.#shadows, core, reason, page);
  }

  /** When too few shadow pages are free, the oldest are dropped. */
  #recycle(vcpu: Vcpu): void {
    const { active } = this.#pages;
    if (this.#budget - active.size >= MIN_FREE) return;
    const rootGfn = this.#deps.tables.frame[vcpu.guestRoot]!;
    for (const page of active) {
      if (this.#budget - active.size >= REFILL) break;
      if (page.level === 4 && page.gfn === rootGfn) continue;
      this.#pages.zap(page);
    }
  }

  /** The vCPU is out of the guest: shadows that a taken log has made stale go now. */
  #dropStale(vcpu: Vcpu): void {
    const dropped = this.#log.dropStale(vcpu.context.root);
    if (dropped) this.#deps.world.loseTag(vcpu, Cause.Shootdown);
    this.#pages.resetWork();
  }

  /** Charges for changes of reverse mappings and entries; stale translations cost the tag. */
  #settleWork(vcpu: Vcpu, core: Core, reason: ExitReason): void {
    const { work } = this.#pages;
    const { world } = this.#deps;
    world.perform(core, reason, 'rmapEntry', work.rmap);
    world.perform(core, reason, 'zapEntry', work.zapped);
    if (work.flush) world.loseTag(vcpu, Cause.Shootdown);
    this.#pages.resetWork();
  }

  inspect(root: number): string | undefined {
    return inspectShadows(this.#deps.tables, this.#vm, this.#pages, root);
  }
}

export const shadow: MmuDefinition<typeof shadowParams> = {
  name: 'shadow',
  summary: 'shadow paging: the hardware walks tables the hypervisor derives from the guest’s',
  params: shadowParams,
  walk: 'one',
  virtualized: true,
  largestPage: () => 4096,
  fromProfile: { profile: 'shadowProfile' },
  shows: 'profile',
  lists: {
    profile: shadowProfileNames.map((name) => ({ name, summary: shadowProfiles[name].summary })),
  },
  variants: [
    ...shadowProfileNames.map((profile) => ({ profile })),
    { profile: 'kvm-2.6.33', pageBudget: 64 },
  ],
  create: ({ profile, pageBudget, floodLimit }, deps) => {
    const base: ShadowProfile = shadowProfiles[profile ?? 'kvm-2.6.33'];
    const merged = floodLimit === undefined ? base : { ...base, floodLimit };
    return new Shadow(deps, merged, pageBudget);
  },
};
