import { type Core, Verdict } from '../../machine/core.ts';
import { Pte, target } from '../../machine/page-tables.ts';
import { Cause, type ExitReason } from '../../stats/leaves.ts';
import type { Vcpu } from '../vm.ts';
import type { ShadowPage } from './shadow-pages.ts';
import { type Shadows, syncShadow } from './shadow-sync.ts';
import { decode } from './software-walks.ts';

/**
 * What happens when the guest writes to a table that is shadowed and therefore write-protected: the
 * table goes out of sync, or the write is emulated, or the table loses its shadows (KVM 2.6.33:
 * kvm_mmu_pte_write and its flood detector).
 */
export class TableWrites {
  readonly #shadows: Shadows;
  readonly #deps: Shadows['deps'];
  readonly #pages: Shadows['pages'];
  readonly #profile: Shadows['profile'];
  /** The store that the guest is performing; -1 = none. */
  #slot = -1;
  #entry = 0;
  #emulated = false;
  /** The table last written by an emulated store, and how many times in a row. */
  #floodGfn = -1;
  #floodCount = 0;
  /** The same for stores of zero. */
  #zeroGfn = -1;
  #zeros = 0;

  constructor(shadows: Shadows) {
    this.#shadows = shadows;
    this.#deps = shadows.deps;
    this.#pages = shadows.pages;
    this.#profile = shadows.profile;
  }

  /** The guest is about to store `entry` at `slot`. */
  begin(slot: number, entry: number): void {
    this.#slot = slot;
    this.#entry = entry;
    this.#emulated = false;
  }

  /** The store is over; true if it was emulated. */
  end(): boolean {
    this.#slot = -1;
    return this.#emulated;
  }

  /** A fault that was not a write to a table: the guest is doing something else. */
  calm(): void {
    this.#floodCount = 0;
    this.#zeros = 0;
  }

  /** A store hit the write-protected table in `gfn`. */
  trapped(vcpu: Vcpu, core: Core, reason: ExitReason, gfn: number): Verdict {
    const deps = this.#deps;
    const shadows = this.#pages.ofTable(gfn);
    const { counters } = deps.vm;
    counters.pte_write_exits++;
    if (this.#profile.outOfSync && shadows.every((page) => page.level === 1)) {
      for (const page of shadows) {
        if (page.unsync) continue;
        this.#makeRoom(core, reason);
        page.unsync = true;
        this.#pages.unsync.add(page);
        counters.unsyncs++;
        // The snapshot with which it will be compared.
        if (this.#profile.unsyncLimit > 0) deps.world.copyGuest(core, reason, deps.vm, gfn);
      }
      return Verdict.Retry;
    }
    // The emulator: fetch, decode, store, bring the shadows up to date.
    decode(deps, vcpu, core, reason);
    deps.world.perform(core, reason, 'emulateWrite');
    if (this.#slot < 0 || deps.tables.frame[this.#slot >> 9] !== gfn) {
      // Not an entry: the frame now holds data. The write floods the table, which loses its
      // shadows.
      for (const page of [...shadows]) this.#pages.zap(page);
      return Verdict.Retry;
    }
    this.#emulate(vcpu, gfn);
    this.#emulated = true;
    return Verdict.Emulated;
  }

  /** One table more may go out of sync: where their number is limited, the oldest is synced. */
  #makeRoom(core: Core, reason: ExitReason): void {
    const { unsync } = this.#pages;
    const { unsyncLimit } = this.#profile;
    if (unsyncLimit === 0 || unsync.size < unsyncLimit) return;
    const [oldest] = unsync as Iterable<ShadowPage>;
    if (oldest) syncShadow(this.#shadows, core, reason, oldest);
  }

  #emulate(vcpu: Vcpu, gfn: number): void {
    const { tables, vm } = this.#deps;
    const slot = this.#slot;
    const entry = this.#entry;
    const old = tables.entries[slot]!;
    tables.set(slot, entry);
    if (gfn === this.#floodGfn) this.#floodCount++;
    else {
      this.#floodGfn = gfn;
      this.#floodCount = 1;
    }
    const { floodLimit, eagerInstall, exitRun, zeroRun } = this.#profile;
    if (gfn !== this.#zeroGfn) this.#zeros = 0;
    this.#zeros = entry === 0 ? this.#zeros + 1 : 0;
    this.#zeroGfn = gfn;
    const flooded =
      (floodLimit > 0 && this.#floodCount >= floodLimit) || (zeroRun > 0 && this.#zeros >= zeroRun);
    const gone = (old & Pte.Present) !== 0 && (entry & Pte.Present) === 0;
    const index = slot & 511;
    for (const page of [...this.#pages.ofTable(gfn)]) {
      page.cleared = gone ? page.cleared + 1 : 0;
      const top = zeroRun > 0 && page.level === 4;
      if ((flooded && !top) || (exitRun > 0 && page.level === 1 && page.cleared >= exitRun)) {
        this.#pages.zap(page);
        continue;
      }
      if (page.level > 1) {
        this.#pages.unlink((page.node << 9) | index);
        continue;
      }
      this.#pages.dropLeaf(page, index);
      // An out-of-sync page is left over from when the frame was another table; it is synchronized
      // on its next use.
      const usable = (entry & Pte.Present) !== 0 && (entry & Pte.Accessed) !== 0 && !page.unsync;
      if (usable && eagerInstall && vm.p2m[target(entry)] !== 0) {
        const flags = this.#pages.leafFlags(entry, target(entry));
        this.#pages.setLeaf(page, index, target(entry), flags);
      }
    }
    if (this.#profile.flushEveryWrite) this.#deps.world.loseTag(vcpu, Cause.Shootdown);
  }
}
