import type { Cycles } from '../../base/ids.ts';
import { Pte } from '../../machine/page-tables.ts';
import { BITMAP_LINE, DirtyLog } from './dirty-log.ts';
import { softWalk, walkSoftly } from './guest-tables.ts';
import type { MmuDeps } from './mmu.ts';
import { isStorable, type ShadowPages } from './shadow-pages.ts';

/**
 * The dirty log of a VM with shadow tables: leaves of frames that it has not noted are kept from
 * stores, through their reverse mappings (KVM 2.6.33: kvm_mmu_slot_remove_write_access). Where the
 * profile says so, all shadows are dropped instead when it is taken. Other vCPUs may walk them
 * then, so that is done at the next exit to the paging mode: whoever takes the log pays for it.
 */
export class ShadowLog {
  /** Cycles of software that the last start or take has taken. */
  cycles: Cycles = 0;
  readonly #deps: MmuDeps;
  readonly #pages: ShadowPages;
  readonly #drops: boolean;
  readonly #walk = softWalk();
  /** The log was taken, and the shadows have not been dropped since. */
  #stale = false;

  constructor(deps: MmuDeps, pages: ShadowPages, drops: boolean) {
    this.#deps = deps;
    this.#pages = pages;
    this.#drops = drops;
  }

  start(): void {
    const { memoryPages } = this.#deps.vm;
    this.#pages.log = new DirtyLog(memoryPages);
    this.#pages.resetWork();
    for (let gfn = 0; gfn < memoryPages; gfn++) this.#pages.writeProtect(gfn);
    this.#settle(0);
  }

  take(out: Int32Array): number {
    const log = this.#pages.log!;
    const count = log.take(out);
    this.#pages.resetWork();
    for (let i = 0; i < count; i++) this.#pages.writeProtect(out[i]!);
    this.#settle(log.lines);
    if (this.#drops) {
      this.#stale = true;
      const { zapEntry } = this.#deps.costs;
      this.cycles = log.lines * BITMAP_LINE + this.#pages.entries * zapEntry;
    }
    return count;
  }

  stop(): void {
    this.#pages.log = null;
    this.#stale = false;
  }

  /**
   * Drops all shadows if the log was taken since the last time. `root`: the node that is in use,
   * which loses its entries but stays (Xen: sh_unhook_mappings). True if there were any.
   */
  dropStale(root: number): boolean {
    if (!this.#stale) return false;
    this.#stale = false;
    const pages = this.#pages;
    for (const page of [...pages.active]) {
      if (page.node !== root) pages.zap(page);
    }
    return true;
  }

  mark(gfn: number): void {
    this.#pages.log?.mark(gfn);
  }

  has(gfn: number): boolean {
    return this.#pages.log?.has(gfn) ?? false;
  }

  /** True if a store through `guestEntry` fails for no other reason than the log. */
  stops(root: number, vpn: number, guestEntry: number): boolean {
    if (!this.#pages.log || !isStorable(guestEntry)) return false;
    const { level, entry } = walkSoftly(this.#deps.tables, root, vpn, this.#walk);
    return level !== 0 && (entry & Pte.Writable) === 0;
  }

  #settle(lines: number): void {
    const { rmapEntry } = this.#deps.costs;
    this.cycles = lines * BITMAP_LINE + this.#pages.work.rmap * rmapEntry;
    this.#pages.resetWork();
  }
}
