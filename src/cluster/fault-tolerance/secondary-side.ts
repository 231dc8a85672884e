import type { Cycles } from '../../base/ids.ts';
import type { LogEntry } from './log-entry.ts';
import { LogReceiver } from './log-receiver.ts';
import type { Message } from './messages.ts';
import type { Replica } from './replica.ts';
import { Side, type SideDeps } from './side.ts';
import type { Timer } from './timers.ts';

/**
 * The side of a pair that repeats: takes the log, hands it to its guest entry by entry, and takes
 * over when the primary is lost.
 */
export class SecondarySide extends Side {
  readonly #replica: Replica;
  readonly #log: LogReceiver;
  #report: Timer;

  /** `stamp`: how long the guest had executed on the primary when this one was made. */
  constructor(deps: SideDeps, replica: Replica, now: Cycles, stamp: Cycles) {
    super(deps, now);
    this.#replica = replica;
    this.#log = new LogReceiver({
      log: deps.log,
      work: deps.work,
      report: (at) => this.#tell(at),
      onEntries: (at) => this.#onEntries(at),
    });
    this.#log.replayedStamp = stamp;
    this.#report = this.#reportLater(now);
  }

  get bufferedBytes(): number {
    return this.#log.bufferedBytes;
  }

  /** Last entry in the buffer: all up to here is acknowledged, or will be. */
  get taken(): number {
    return this.#log.taken;
  }

  /** Point of the last entry in the buffer. */
  get receivedPoint(): number {
    return this.#log.takenPoint;
  }

  /** The primary is lost: the log ends where it ends. */
  get final(): boolean {
    return this.state === 'going-live' && this.#log.drained;
  }

  get replayed(): number {
    return this.#log.replayed;
  }

  /** The next entry, up to whose point the guest may execute; none: it waits for `go`. */
  next(): LogEntry | undefined {
    return this.#log.peek();
  }

  /** The guest has executed up to the point of the next entry and has it delivered. */
  consume(now: Cycles): LogEntry {
    const entry = this.#log.shift();
    if (!entry) throw new Error('there is no entry to replay');
    this.#liveWhenDone(now);
    return entry;
  }

  protected onMessage(message: Message, now: Cycles): void {
    if (message.kind === 'log') this.#log.receive(message.entries, now);
  }

  /** From here on the primary gets no acknowledgement: it might use it after having lost. */
  protected onDeciding(): void {
    this.#report.cancel();
    this.#log.close();
  }

  protected onWon(now: Cycles): void {
    this.enter('going-live', now);
    this.#replica.go(now);
    this.#liveWhenDone(now);
  }

  protected onHalted(now: Cycles): void {
    this.#report.cancel();
    this.#log.close();
    this.#replica.halt(now);
  }

  #onEntries(now: Cycles): void {
    if (this.state === 'halted') return;
    this.#replica.go(now);
  }

  /** All that was acknowledged has been replayed: the devices come next. */
  #liveWhenDone(now: Cycles): void {
    if (this.state !== 'going-live' || !this.#log.drained || this.#log.peek()) return;
    const { timers, times } = this.deps;
    timers.at(now + times.goLive, (at) => {
      if (this.state !== 'going-live') return;
      this.enter('alone', at);
      this.#replica.goLive(at);
    });
  }

  #tell(now: Cycles): void {
    if (this.state !== 'protected') return;
    const { arrived, taken, replayedStamp } = this.#log;
    const message = {
      kind: 'progress' as const,
      arrived,
      acknowledged: taken,
      replayed: replayedStamp,
    };
    this.say(message, this.deps.log.ackBytes, now);
  }

  /** The primary learns of the replay even when it writes nothing. */
  #reportLater(now: Cycles): Timer {
    const { timers, times } = this.deps;
    return timers.at(now + times.control, (at) => {
      this.#report = this.#reportLater(at);
      this.#tell(at);
    });
  }
}
