import type { Cycles } from '../../base/ids.ts';
import type { StreamParams } from './log-params.ts';
import type { HostWork, Message, Sequenced } from './messages.ts';
import type { Timer, Timers } from './timers.ts';

/** Bytes of one message at most, a larger entry excepted. */
const MESSAGE = 65_536;

export interface LogSenderDeps<E extends Sequenced> {
  readonly log: StreamParams;
  readonly timers: Timers;
  readonly work: HostWork;
  /** Until what has not arrived is sent again. */
  readonly retransmit: Cycles;
  send(message: Message<E>, bytes: number, now: Cycles): void;
  /** The full buffer has room again. */
  onRoom(now: Cycles): void;
}

/**
 * The primary's end of the log: entries wait in a buffer, go out as fast as the window allows, and
 * are kept until they have arrived. The buffer counts what is not sent yet; the window what is sent
 * and not taken by the other side. (Go-back-N over a link that loses but does not reorder.)
 */
export class LogSender<E extends Sequenced> {
  readonly #deps: LogSenderDeps<E>;
  /** Entries that have not been taken, oldest first. */
  #entries: E[] = [];
  /** Position in `#entries` of the next one to send. */
  #next = 0;
  #waitingBytes = 0;
  #sentBytes = 0;
  #sending = false;
  #wasFull = false;
  #closed = false;
  #arrived = 0;
  #retransmission: Timer | null = null;
  /** When the other side last took an entry, or had taken all. */
  progressAt: Cycles = 0;
  /** Of everything ever sent, what was sent again included. */
  bytesSent = 0;
  messagesSent = 0;

  constructor(deps: LogSenderDeps<E>) {
    this.#deps = deps;
  }

  /** Entries written that the other side has not taken. */
  get outstanding(): number {
    return this.#entries.length;
  }

  /** Bytes in the buffer. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  get full(): boolean {
    return this.#waitingBytes >= this.#deps.log.buffer;
  }

  /** The log grows by an entry. When that fills the buffer, `onRoom` is called later. */
  append(entry: E, now: Cycles): void {
    if (this.#entries.length === 0) this.progressAt = now;
    this.#entries.push(entry);
    this.#waitingBytes += entry.bytes;
    if (this.full) this.#wasFull = true;
    this.#pump(now);
  }

  /** What the other side says of its progress. */
  onProgress(arrived: number, acknowledged: number, now: Cycles): void {
    let taken = 0;
    while (taken < this.#entries.length && this.#entries[taken]!.sequence <= acknowledged) {
      // What had been put back into the buffer to be sent again has arrived after all.
      if (taken < this.#next) this.#sentBytes -= this.#entries[taken]!.bytes;
      else this.#waitingBytes -= this.#entries[taken]!.bytes;
      taken++;
    }
    if (taken > 0) {
      this.#entries.splice(0, taken);
      this.#next = Math.max(0, this.#next - taken);
      this.progressAt = now;
    }
    if (arrived > this.#arrived) {
      this.#arrived = arrived;
      this.#watch(now);
    }
    this.#pump(now);
  }

  /** Nothing is sent any more. */
  close(): void {
    this.#closed = true;
    this.#retransmission?.cancel();
    this.#retransmission = null;
  }

  #pump(now: Cycles): void {
    if (this.#sending || this.#closed) return;
    const batch: E[] = [];
    let bytes = 0;
    const { log, work } = this.#deps;
    while (this.#next < this.#entries.length) {
      const entry = this.#entries[this.#next]!;
      const inFlight = this.#sentBytes;
      if (inFlight > 0 && inFlight + entry.bytes > log.window) break;
      if (bytes > 0 && bytes + entry.bytes > MESSAGE) break;
      batch.push(entry);
      bytes += entry.bytes;
      this.#next++;
      this.#sentBytes += entry.bytes;
      this.#waitingBytes -= entry.bytes;
    }
    if (batch.length === 0) return;
    this.#sending = true;
    work.post(log.messageCycles + Math.ceil(bytes / log.bytesPerCycle), (at) => {
      this.#sending = false;
      if (this.#closed) return;
      this.bytesSent += bytes;
      this.messagesSent++;
      this.#deps.send({ kind: 'log', entries: batch }, bytes, at);
      if (!this.#retransmission) this.#watch(at);
      this.#pump(at);
    });
    if (this.#wasFull && !this.full) {
      this.#wasFull = false;
      this.#deps.onRoom(now);
    }
  }

  /** Waits for news of what is on its way, from now on. */
  #watch(now: Cycles): void {
    this.#retransmission?.cancel();
    this.#retransmission = null;
    const last = this.#entries[this.#next - 1];
    if (this.#closed || !last || last.sequence <= this.#arrived) return;
    this.#retransmission = this.#deps.timers.at(now + this.#deps.retransmit, (at) => {
      this.#retransmission = null;
      this.#sendAgain();
      this.#pump(at);
      if (!this.#sending) this.#watch(at);
    });
  }

  /** What has not arrived is in the buffer again. */
  #sendAgain(): void {
    while (this.#next > 0 && this.#entries[this.#next - 1]!.sequence > this.#arrived) {
      this.#next--;
      const { bytes } = this.#entries[this.#next]!;
      this.#sentBytes -= bytes;
      this.#waitingBytes += bytes;
    }
  }
}
