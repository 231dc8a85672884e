import type { Cycles } from '../../base/ids.ts';
import { type EventKind, Phase } from '../../engine/engine.ts';
import { Leaf } from '../../stats/leaves.ts';
import { Hold } from './hold.ts';
import type { MovingVm } from './moving-vm.ts';
import { PageSet } from './page-set.ts';
import {
  flatOut,
  type MigrationPolicy,
  type Next,
  type Pace,
  type PreCopyPolicy,
  type Round,
} from './policy.ts';
import type { MigrationRecord, Outcome } from './rows.ts';
import { type Ends, Transfer } from './transfer.ts';

/** Asking for the log, beside what reading it and protecting its pages again takes. */
const READ_CALL = 3000; // assumed (1500-8000): hypercall or ioctl, lock
/** The target tells the network where the VM is now. assumed (2000-20000): an ARP packet */
export const ANNOUNCE = 5000;

export interface PreCopyDeps {
  readonly ends: Ends;
  readonly vm: MovingVm;
  readonly policy: MigrationPolicy;
  /** Cycles of the engine in a microsecond. */
  readonly mhz: number;
  readonly record: MigrationRecord;
  /** The VM has moved and is held; or stays and runs. */
  readonly onEnd: (now: Cycles) => void;
  /** What it comes to if it succeeds: the VM moves, unless a second copy of it is made. */
  readonly success?: 'moved' | 'cloned';
  /**
   * The VM is held, and goes on at the target although pages are missing; undefined: no policy
   * asks for that.
   */
  readonly early?: ((missing: PageSet, hold: Hold, since: Cycles) => void) | undefined;
}

/** A round under way. */
interface Progress {
  readonly at: Cycles;
  readonly pace: Pace;
  readonly stopped: boolean;
  sentAt: Cycles;
  pages: number;
  emptyPages: number;
  skipped: number;
  bytes: number;
  /** No message is put together before this time. */
  nextAt: Cycles;
}

/**
 * Live migration by pre-copy: all pages in the first round while the VM runs; in each later one
 * those stored to meanwhile; then, when the policy says so, the rest with the VM stopped, and the
 * state of its processors. Two threads of the hosts do the work.
 */
export class PreCopy {
  readonly #deps: PreCopyDeps;
  readonly #rules: PreCopyPolicy;
  readonly #transfer: Transfer;
  readonly #hold: Hold;
  readonly #pending: PageSet;
  readonly #log: Int32Array;
  readonly #turn: EventKind;
  /** Calls on when the guest has suspended; undefined: that takes no time. */
  readonly #suspended: EventKind | undefined;
  #lastRound: () => void = () => {};
  #progress!: Progress;
  #round = 0;
  #total = 0;
  #before: Round | undefined;
  #deadline: Cycles = 0;
  /** Where the next page is looked for. */
  #cursor = 0;
  /** Waits: for its next turn, or for work that ends with a call. */
  #waiting = false;
  #stoppedAt: Cycles = Number.NaN;
  #over = false;

  constructor(deps: PreCopyDeps) {
    const { ends, policy, vm } = deps;
    this.#deps = deps;
    this.#rules = policy.preCopy!;
    this.#transfer = new Transfer(ends, policy.wire, (now) => this.#pump(now));
    this.#hold = new Hold(ends.engine, vm, deps.mhz);
    this.#pending = new PageSet(vm.memoryPages);
    this.#log = new Int32Array(vm.memoryPages);
    this.#turn = ends.engine.defineEvent(Phase.Deliver, (now) => {
      if (now < this.#deadline || !this.#waiting) return;
      this.#waiting = false;
      this.#pump(now);
    });
    if ((policy.suspend ?? 0) > 0) {
      this.#suspended = ends.engine.defineEvent(Phase.Deliver, () => this.#lastRound());
    }
  }

  start(now: Cycles): void {
    this.#pending.fill();
    this.#deps.record.end = now;
    this.#deps.vm.startLog(() => this.#payLog((at) => this.#begin(at, false)));
  }

  /**
   * The link is gone, or the target: the VM goes on at the source. `lost`: the source is gone, and
   * the VM with it.
   */
  abort(now: Cycles, why: string, lost = false): void {
    if (!this.#over) this.#end(now, lost ? 'lost' : 'aborted', why);
  }

  #cycles(picoseconds: number): Cycles {
    return Math.round((picoseconds * this.#deps.mhz) / 1e6);
  }

  #begin(now: Cycles, stopped: boolean): void {
    const pace = stopped ? flatOut : this.#rules.pace(this.#before);
    this.#round++;
    this.#progress = {
      ...{ at: now, pace, stopped, sentAt: now, nextAt: now },
      ...{ pages: 0, emptyPages: 0, skipped: 0, bytes: 0 },
    };
    if (!stopped) this.#hold.stun(pace.stun, now);
    // A budget ends in the middle of the memory: the next round goes on from there.
    if (pace.budget === Infinity) this.#cursor = 0;
    this.#pump(now);
  }

  /** Does what can be done now: another message, or the end of the round. */
  #pump(now: Cycles): void {
    if (this.#over || this.#waiting) return;
    const { pace, stopped } = this.#progress;
    while (this.#transfer.free) {
      if (this.#progress.nextAt > now) {
        this.#wait(this.#progress.nextAt);
        return;
      }
      const pages = this.#progress.bytes < pace.budget ? this.#take() : [];
      if (pages.length === 0) {
        const due = this.#progress.at + this.#cycles(pace.interval);
        if (due > now) this.#wait(due);
        else if (stopped) this.#finish();
        else this.#endRound(now);
        return;
      }
      this.#sendPages(pages, now);
    }
  }

  #wait(until: Cycles): void {
    this.#waiting = true;
    this.#deadline = until;
    this.#deps.ends.engine.schedule(until, this.#turn, 0);
  }

  /** The pages of the next message. */
  #take(): number[] {
    const { policy, vm } = this.#deps;
    const { stopped } = this.#progress;
    const pages: number[] = [];
    while (pages.length < policy.wire.batch) {
      const gfn = this.#pending.next(this.#cursor);
      if (gfn < 0) break;
      this.#cursor = gfn + 1;
      this.#pending.remove(gfn);
      // What is in the log comes again with it.
      if (this.#rules.skips && !stopped && vm.isLogged(gfn)) this.#progress.skipped++;
      else pages.push(gfn);
    }
    return pages;
  }

  #sendPages(pages: readonly number[], now: Cycles): void {
    const { vm } = this.#deps;
    const progress = this.#progress;
    const load = this.#transfer.loadOf(pages, (gfn) => vm.isEmpty(gfn));
    progress.pages += pages.length;
    progress.emptyPages += pages.length - load.full.length;
    progress.bytes += load.bytes;
    this.#total += pages.length;
    const { rate } = progress.pace;
    if (rate !== Infinity) {
      progress.nextAt = Math.max(progress.nextAt, now) + this.#cycles((load.bytes / rate) * 1e12);
    }
    const sent = (at: Cycles) => {
      progress.sentAt = at;
      this.#pump(at);
    };
    this.#transfer.send(load, sent, () => {
      for (const gfn of load.full) vm.store(gfn);
    });
  }

  /** Everything of this round has been handed over. */
  #endRound(now: Cycles): void {
    this.#waiting = true;
    const { bytes, pages, sentAt, skipped, at } = this.#progress;
    const toTime = (cycles: Cycles) => (cycles * 1e6) / this.#deps.mhz;
    const report = (then: Cycles, dirtied: number | undefined): Round => ({
      ...{ round: this.#round, memory: this.#deps.vm.memoryPages, sent: pages, skipped, bytes },
      ...{ total: this.#total, elapsed: toTime(then - at), sending: toTime(sentAt - at) },
      ...{ dirtied, pending: this.#pending.size },
    });
    if (this.#rules.readsLogFirst) {
      this.#readLog((then, dirtied) => {
        const round = report(now, dirtied);
        this.#note(now, dirtied);
        const next = this.#rules.next(round);
        if (next.what === 'round') this.#goOn(round, then);
        else this.#conclude(next, then);
      });
      return;
    }
    const next = this.#rules.next(report(now, undefined));
    if (next.what !== 'round') {
      this.#note(now, undefined);
      this.#conclude(next, now);
      return;
    }
    this.#readLog((then, dirtied) => {
      this.#note(now, dirtied);
      this.#goOn(report(now, dirtied), then);
    });
  }

  #goOn(round: Round, now: Cycles): void {
    this.#before = round;
    this.#waiting = false;
    this.#begin(now, false);
  }

  #conclude(next: Next, now: Cycles): void {
    if (next.what === 'round') return;
    if (next.what === 'fail') {
      this.#end(now, 'failed', next.why);
      return;
    }
    this.#deps.record.why = next.why;
    this.#hold.take((held) => {
      if (this.#over) return;
      this.#stoppedAt = held;
      const { early, ends, policy } = this.#deps;
      const readLast = () =>
        this.#readLog((at) => {
          if (next.what === 'early' && early) {
            this.#over = true;
            this.#transfer.close();
            this.#deps.vm.stopLog();
            early(this.#pending, this.#hold, held);
            return;
          }
          this.#waiting = false;
          this.#cursor = 0;
          this.#begin(at, true);
        });
      if (this.#suspended === undefined) {
        readLast();
        return;
      }
      this.#lastRound = () => {
        if (!this.#over) readLast();
      };
      ends.engine.schedule(held + this.#cycles(policy.suspend!), this.#suspended, 0);
    });
  }

  /** All pages are on their way; the state of the processors follows them. */
  #finish(): void {
    this.#waiting = true;
    const { ends, policy, vm } = this.#deps;
    const { target } = ends;
    const bytes = policy.wire.stateBytes;
    this.#progress.bytes += bytes;
    this.#transfer.send(
      { bytes, pages: [] },
      () => {},
      (now) => {
        if (this.#over) return;
        // One thread at the target: what came before the state has been taken apart before it.
        this.#note(now, undefined);
        vm.stopLog();
        vm.move(now);
        vm.release();
        this.#hold.give(now);
        const { record, success = 'moved' } = this.#deps;
        if (success === 'moved') target.post(ANNOUNCE, Leaf.HostMigration);
        record.downtime = now - this.#stoppedAt;
        this.#end(now, success, record.why);
      },
    );
  }

  /**
   * `read` is called when no vCPU stores to what was read without the log, and the work is done.
   */
  #readLog(read: (now: Cycles, dirtied: number) => void): void {
    const count = this.#deps.vm.takeLog(this.#log, () => this.#payLog((now) => read(now, count)));
    for (let i = 0; i < count; i++) this.#pending.add(this.#log[i]!);
  }

  #payLog(then: (now: Cycles) => void): void {
    if (this.#over) return;
    const { ends, vm } = this.#deps;
    ends.source.post(READ_CALL + Math.round(vm.logCycles), Leaf.HostMigration, (now) => {
      if (!this.#over) then(now);
    });
  }

  #note(now: Cycles, dirtied: number | undefined): void {
    const { at, bytes, emptyPages, pace, pages, skipped, stopped } = this.#progress;
    const { record } = this.#deps;
    record.bytes = this.#transfer.bytes;
    record.rounds.push({
      ...{ round: this.#round, stopped, at, cycles: now - at, pages, emptyPages, skipped, bytes },
      ...{ dirtied, stun: pace.stun },
    });
  }

  #end(now: Cycles, outcome: Outcome, why: string): void {
    const { onEnd, record, vm } = this.#deps;
    this.#over = true;
    this.#transfer.close();
    Object.assign(record, { end: now, outcome, why, bytes: this.#transfer.bytes });
    if (outcome !== 'moved' && outcome !== 'cloned') {
      vm.stay();
      if (outcome !== 'lost') {
        vm.stopLog();
        this.#hold.give(now);
      }
    }
    onEnd(now);
  }
}
