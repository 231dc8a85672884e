import type { Cycles } from '../../base/ids.ts';
import type { EntryKind, LogEntry } from './log-entry.ts';
import { LogSender } from './log-sender.ts';
import type { Message } from './messages.ts';
import { OutputCommit } from './output-commit.ts';
import type { Replica } from './replica.ts';
import { Side, type SideDeps } from './side.ts';
import type { Timer } from './timers.ts';

/** What a guest on the primary does that the log has to tell. */
export interface Recorded {
  readonly point: number;
  readonly kind: EntryKind;
  readonly value: number;
  readonly bytes: number;
  readonly stamp: Cycles;
}

/**
 * The side of a pair whose guest the world sees: writes the log, holds outputs, stops when the log
 * is full.
 */
export class PrimarySide extends Side {
  readonly #replica: Replica;
  readonly #log: LogSender;
  readonly outputs = new OutputCommit();
  #sequence = 0;
  #stalled = false;
  #logWatch: Timer;
  /** Stamp of the last entry written, and of the last one known to be replayed. */
  written: Cycles;
  replayed: Cycles;
  /** Something was heard of the replay since the lag was last looked at. */
  news = false;
  acknowledged = 0;
  bytesLogged = 0;

  /** Protection begins at `now`; the guest has executed for `stamp`. */
  constructor(deps: SideDeps, replica: Replica, now: Cycles, stamp: Cycles) {
    super(deps, now);
    const { log, timers, times, work } = deps;
    this.#replica = replica;
    this.written = stamp;
    this.replayed = stamp;
    this.#log = new LogSender({
      log,
      timers,
      work,
      retransmit: times.retransmit,
      send: (message, bytes, at) => this.say(message, bytes, at),
      onRoom: (at) => this.#resume(at),
    });
    this.#logWatch = timers.at(now + times.logTimeout, (at) => this.#checkLog(at));
  }

  /** Executed time by which the secondary is known to be behind. */
  get lag(): Cycles {
    return this.#log.outstanding === 0 && this.replayed >= this.written
      ? 0
      : Math.max(0, this.written - this.replayed);
  }

  /** Number of the last entry written. */
  get sequence(): number {
    return this.#sequence;
  }

  get bufferedBytes(): number {
    return this.#log.waitingBytes;
  }

  /** Bytes of the log that went over the link, what was sent again included. */
  get bytesSent(): number {
    return this.#log.bytesSent;
  }

  get stalled(): boolean {
    return this.#stalled;
  }

  /** Whether what the guest does must be told: not when it runs alone. */
  get recording(): boolean {
    return this.state === 'protected' || this.state === 'deciding';
  }

  /** Writes an entry: at `now`, which may lie ahead of the engine, it is in the log. */
  record({ point, kind, value, bytes, stamp }: Recorded, now: Cycles): LogEntry {
    const entry = { sequence: ++this.#sequence, point, kind, value, bytes, stamp };
    this.written = stamp;
    this.bytesLogged += bytes;
    this.deps.timers.at(now, (at) => this.#append(entry, at));
    return entry;
  }

  #append(entry: LogEntry, now: Cycles): void {
    if (!this.recording) return;
    this.#log.append(entry, now);
    if (!this.#log.full || this.#stalled) return;
    this.#stalled = true;
    this.#replica.stall(now);
  }

  /**
   * Something leaves the guest, which goes on: `release` is called when it may leave the host, at
   * once when there is nobody to tell, never when this side has to halt.
   */
  output(event: Recorded, now: Cycles, release: (now: Cycles) => void): void {
    if (this.state === 'halted') return;
    if (!this.recording) {
      release(now);
      return;
    }
    const { sequence } = this.record(event, now);
    this.outputs.hold(sequence, now, release);
  }

  protected onMessage(message: Message, now: Cycles): void {
    if (message.kind !== 'progress') return;
    const { acknowledged, arrived, replayed } = message;
    this.news = true;
    this.replayed = Math.max(this.replayed, replayed);
    this.acknowledged = Math.max(this.acknowledged, acknowledged);
    this.#log.onProgress(arrived, acknowledged, now);
    this.outputs.acknowledge(acknowledged, now);
  }

  protected onDeciding(): void {}

  protected onWon(now: Cycles): void {
    this.#close();
    this.enter('alone', now);
    this.outputs.releaseAll(now);
    this.#replica.limit(1, now);
    this.#resume(now);
  }

  protected onHalted(now: Cycles): void {
    this.#close();
    this.outputs.drop();
    this.#replica.halt(now);
  }

  #close(): void {
    this.#log.close();
    this.#logWatch.cancel();
  }

  #resume(now: Cycles): void {
    if (!this.#stalled) return;
    this.#stalled = false;
    this.#replica.go(now);
  }

  /** A secondary that takes nothing for too long counts as lost, even if its host says hello. */
  #checkLog(now: Cycles): void {
    const { timers, times } = this.deps;
    const idle = this.#log.outstanding === 0;
    const due = (idle ? now : this.#log.progressAt) + times.logTimeout;
    if (due > now) this.#logWatch = timers.at(due, (at) => this.#checkLog(at));
    else this.suspect(now);
  }
}
