import type { Cycles } from '../../base/ids.ts';
import type { LogEntry } from './log-entry.ts';
import { ReceivingSide } from './receiving-side.ts';
import type { Replica } from './replica.ts';
import type { SideDeps } from './side.ts';
import type { Timer } from './timers.ts';

/**
 * The secondary of record and replay: hands the log to its guest entry by entry, and takes over
 * when the primary is lost.
 */
export class SecondarySide extends ReceivingSide<LogEntry> {
  readonly #replica: Replica;
  #report: Timer;
  /** When the primary wrote the last entry that was replayed, in its own executed time. */
  protected progress: Cycles;

  /** `stamp`: how long the guest had executed on the primary when this one was made. */
  constructor(deps: SideDeps<LogEntry>, replica: Replica, now: Cycles, stamp: Cycles) {
    super(deps, now);
    this.#replica = replica;
    this.progress = stamp;
    this.#report = this.#reportLater(now);
  }

  /** Point of the last entry in the buffer. */
  get receivedPoint(): number {
    return this.log.lastTaken?.point ?? 0;
  }

  /** The primary is lost: the log ends where it ends. */
  get final(): boolean {
    return this.state === 'going-live' && this.log.drained;
  }

  get replayed(): number {
    return this.log.replayed;
  }

  /** The next entry, up to whose point the guest may execute; none: it waits for `go`. */
  next(): LogEntry | undefined {
    return this.log.peek();
  }

  /** The guest has executed up to the point of the next entry and has it delivered. */
  consume(now: Cycles): LogEntry {
    const entry = this.log.shift();
    if (!entry) throw new Error('there is no entry to replay');
    this.progress = entry.stamp;
    this.#liveWhenDone(now);
    return entry;
  }

  protected override onDeciding(): void {
    this.#report.cancel();
    super.onDeciding();
  }

  protected onWon(now: Cycles): void {
    this.enter('going-live', now);
    this.#replica.go(now);
    this.#liveWhenDone(now);
  }

  protected onStopped(now: Cycles): void {
    this.#report.cancel();
    this.#replica.halt(now);
  }

  protected onEntries(now: Cycles): void {
    if (this.state === 'halted') return;
    this.#replica.go(now);
  }

  protected onLive(now: Cycles): void {
    this.#replica.goLive(now);
  }

  /** All that was acknowledged has been replayed: the devices come next. */
  #liveWhenDone(now: Cycles): void {
    if (this.state !== 'going-live' || !this.log.drained || this.log.peek()) return;
    this.goLive(now);
  }

  /** The primary learns of the replay even when it writes nothing. */
  #reportLater(now: Cycles): Timer {
    const { timers, times } = this.deps;
    return timers.at(now + times.control, (at) => {
      this.#report = this.#reportLater(at);
      this.tell(at);
    });
  }
}
