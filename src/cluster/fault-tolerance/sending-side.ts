import type { Cycles } from '../../base/ids.ts';
import { LogSender } from './log-sender.ts';
import type { Message, Sequenced } from './messages.ts';
import { OutputCommit } from './output-commit.ts';
import { Side, type SideDeps } from './side.ts';
import type { Timer } from './timers.ts';

/**
 * The side of a pair whose guest the world sees: streams to the other side what that has to know,
 * and holds outputs until it knows it.
 */
export abstract class SendingSide<E extends Sequenced> extends Side<E> {
  protected readonly log: LogSender<E>;
  readonly outputs = new OutputCommit();
  #logWatch: Timer;
  /**
   * How long the guest had executed when the last entry was written, and when the last one was that
   * the other side is known to have made use of.
   */
  written: Cycles;
  replayed: Cycles;
  /** Number of the last entry that the other side has taken. */
  acknowledged = 0;

  /** Protection begins at `now`; the guest has executed for `stamp`. */
  constructor(deps: SideDeps<E>, now: Cycles, stamp: Cycles) {
    super(deps, now);
    const { log, timers, times, work } = deps;
    this.written = stamp;
    this.replayed = stamp;
    this.log = new LogSender<E>({
      log,
      timers,
      work,
      retransmit: times.retransmit,
      send: (message, bytes, at) => this.say(message, bytes, at),
      onRoom: (at) => this.onRoom(at),
    });
    this.#logWatch = timers.at(now + times.logTimeout, (at) => this.#checkLog(at));
  }

  get bufferedBytes(): number {
    return this.log.waitingBytes;
  }

  /** Bytes that went over the link, what was sent again included. */
  get bytesSent(): number {
    return this.log.bytesSent;
  }

  /** Outputs wait: not when it runs alone. */
  get recording(): boolean {
    return this.state === 'protected' || this.state === 'deciding';
  }

  /** The full buffer of the log has room again. */
  protected abstract onRoom(now: Cycles): void;
  /** The other side has taken more of the log. */
  protected abstract onProgress(now: Cycles): void;
  /** It goes on alone. */
  protected abstract onAlone(now: Cycles): void;
  /** The guest stops for good. */
  protected abstract onStopped(now: Cycles): void;

  protected onMessage(message: Message<E>, now: Cycles): void {
    if (message.kind !== 'progress') return;
    const { acknowledged, arrived, replayed } = message;
    this.replayed = Math.max(this.replayed, replayed);
    this.acknowledged = Math.max(this.acknowledged, acknowledged);
    this.log.onProgress(arrived, acknowledged, now);
    this.onProgress(now);
  }

  protected onDeciding(): void {}

  protected onWon(now: Cycles): void {
    this.#close();
    this.enter('alone', now);
    this.outputs.releaseAll(now);
    this.onAlone(now);
  }

  protected onHalted(now: Cycles): void {
    this.#close();
    this.outputs.drop();
    this.onStopped(now);
  }

  #close(): void {
    this.log.close();
    this.#logWatch.cancel();
  }

  /** A secondary that takes nothing for too long counts as lost, even if its host says hello. */
  #checkLog(now: Cycles): void {
    const { timers, times } = this.deps;
    const idle = this.log.outstanding === 0;
    const due = (idle ? now : this.log.progressAt) + times.logTimeout;
    if (due > now) this.#logWatch = timers.at(due, (at) => this.#checkLog(at));
    else this.suspect(now);
  }
}
