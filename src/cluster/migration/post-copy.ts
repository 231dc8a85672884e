import type { Cycles } from '../../base/ids.ts';
import { Leaf } from '../../stats/leaves.ts';
import type { Hold } from './hold.ts';
import type { MovingVm } from './moving-vm.ts';
import { PageSet } from './page-set.ts';
import type { MigrationPolicy } from './policy.ts';
import { ANNOUNCE } from './pre-copy.ts';
import type { MigrationRecord, Outcome } from './rows.ts';
import { type Ends, Transfer } from './transfer.ts';

/** A page asked for: bytes of the message, and the target's work. assumed (32-256; 1000-10000) */
const REQUEST_BYTES = 64;
const REQUEST_CYCLES = 3000;

export interface PostCopyDeps {
  readonly ends: Ends;
  readonly vm: MovingVm;
  readonly policy: MigrationPolicy;
  readonly record: MigrationRecord;
  /** It is held already, or has to be. */
  readonly hold: Hold;
  /** Pages that the target has not got; all of them if absent. */
  readonly missing?: PageSet | undefined;
  /** Since when it has been held; if absent it is not. */
  readonly since?: Cycles | undefined;
  readonly onEnd: (now: Cycles) => void;
}

/**
 * Post-copy: the state of the processors moves, the VM goes on at the target, and each page follows
 * once: asked for by the first access that misses it, which holds the VM until it has come, or
 * unasked, those around the last fault first.
 */
export class PostCopy {
  readonly #deps: PostCopyDeps;
  readonly #transfer: Transfer;
  /** Not sent yet; sent or not, not at the target yet. */
  readonly #unsent: PageSet;
  readonly #absent: PageSet;
  readonly #urgent: number[] = [];
  /** What the VM waits for, and since when: on its way out it may miss another page. */
  readonly #waits = new Set<number>();
  #waitsSince: Cycles = 0;
  /** Around the last fault: the next page above and below. */
  #above = 0;
  #below = -1;
  #moved = false;
  #over = false;
  #from: Cycles = 0;
  #sentPages = 0;

  constructor(deps: PostCopyDeps) {
    const { ends, missing, policy, vm } = deps;
    this.#deps = deps;
    this.#transfer = new Transfer(ends, policy.wire, (now) => this.#pump(now));
    this.#unsent = new PageSet(vm.memoryPages);
    this.#absent = new PageSet(vm.memoryPages);
    for (let gfn = 0; gfn < vm.memoryPages; gfn++) {
      if (missing ? !missing.has(gfn) : vm.isEmpty(gfn)) continue;
      this.#unsent.add(gfn);
      this.#absent.add(gfn);
      vm.drop(gfn);
    }
  }

  start(): void {
    const { hold, policy, record, since, vm } = this.#deps;
    hold.take((held) => {
      if (this.#over) return;
      const bytes = policy.wire.stateBytes;
      this.#transfer.send(
        { bytes, pages: [] },
        () => {},
        (now) => {
          record.downtime = now - (since ?? held);
          this.#moved = true;
          this.#from = now;
          vm.onMiss((gfn, at) => this.#miss(gfn, at));
          vm.move(now);
          hold.give(now);
          this.#deps.ends.target.post(ANNOUNCE, Leaf.HostMigration);
          this.#pump(now);
        },
      );
    });
  }

  /**
   * The link or a host is gone. Before the move the VM goes on at the source; after it, the VM is
   * lost: a part of it is at either end.
   */
  abort(now: Cycles, why: string, lost = false): void {
    if (this.#over) return;
    this.#end(now, lost || this.#moved ? 'lost' : 'aborted', why);
  }

  #pump(now: Cycles): void {
    if (!this.#moved || this.#over) return;
    const { policy } = this.#deps;
    while (this.#transfer.free) {
      const asked = this.#urgent.shift();
      let pages: number[] = [];
      if (asked === undefined) pages = policy.prePaging ? this.#around(policy.wire.batch) : [];
      else if (this.#unsent.has(asked)) pages = [asked];
      else continue;
      if (pages.length === 0) break;
      for (const gfn of pages) this.#unsent.remove(gfn);
      this.#sentPages += pages.length;
      const load = this.#transfer.loadOf(pages, () => false);
      this.#transfer.send(
        load,
        (at) => this.#pump(at),
        (at) => this.#stored(load.full, at),
      );
    }
    if (this.#absent.size === 0 && this.#transfer.empty) this.#end(now, 'moved', 'all pages came');
  }

  /** Pages that follow unasked, in turn above and below the last fault. */
  #around(most: number): number[] {
    const pages: number[] = [];
    while (pages.length < most && this.#unsent.size > 0) {
      const up = pages.length % 2 === 0;
      const gfn = up ? this.#unsent.next(this.#above) : this.#unsent.previous(this.#below);
      this.#unsent.remove(gfn);
      pages.push(gfn);
      if (up) this.#above = gfn + 1;
      else this.#below = gfn - 1;
    }
    return pages;
  }

  /** The VM touches a page that was never stored at the target. */
  #miss(gfn: number, now: Cycles): void {
    if (this.#over || !this.#absent.has(gfn)) return;
    const { ends, hold, record } = this.#deps;
    record.faults++;
    if (this.#waits.size === 0) this.#waitsSince = now;
    this.#waits.add(gfn);
    hold.take(() => {});
    [this.#above, this.#below] = [gfn + 1, gfn - 1];
    if (!this.#unsent.has(gfn)) return;
    ends.target.post(REQUEST_CYCLES, Leaf.HostMigration, (at) => {
      if (this.#over) return;
      ends.link.send(ends.to, REQUEST_BYTES, at, (then) => {
        this.#urgent.push(gfn);
        this.#pump(then);
      });
    });
  }

  #stored(pages: readonly number[], now: Cycles): void {
    const { hold, record, vm } = this.#deps;
    for (const gfn of pages) {
      this.#absent.remove(gfn);
      vm.store(gfn);
      if (!this.#waits.delete(gfn) || this.#waits.size > 0) continue;
      record.waited += now - this.#waitsSince;
      hold.give(now);
    }
  }

  #end(now: Cycles, outcome: Outcome, why: string): void {
    const { hold, onEnd, record, vm } = this.#deps;
    this.#over = true;
    this.#transfer.close();
    vm.onMiss(undefined);
    const { bytes } = this.#transfer;
    if (this.#moved) {
      record.rounds.push({
        ...{ round: record.rounds.length + 1, stopped: false, at: this.#from },
        ...{ cycles: now - this.#from, pages: this.#sentPages, emptyPages: 0, skipped: 0, bytes },
        ...{ dirtied: undefined, stun: 0 },
      });
    }
    record.bytes += bytes;
    Object.assign(record, { end: now, outcome, why });
    if (outcome === 'moved') vm.release();
    else if (!this.#moved) {
      vm.stay();
      if (outcome !== 'lost') hold.give(now);
    }
    onEnd(now);
  }
}
