import type { Cycles } from '../../base/ids.ts';
import { LogBuffer } from './log-buffer.ts';
import type { StreamParams } from './log-params.ts';
import type { HostWork, Sequenced } from './messages.ts';

export interface LogReceiverDeps {
  readonly log: StreamParams;
  readonly work: HostWork;
  /** The other side is to know how far the log has come. */
  report(now: Cycles): void;
  /** There is something to replay again. */
  onEntries(now: Cycles): void;
}

/**
 * The secondary's end of the log: what arrives waits in the socket until there is room in the
 * buffer; taking it off the wire into the buffer is what is acknowledged.
 */
export class LogReceiver<E extends Sequenced> {
  readonly #deps: LogReceiverDeps;
  readonly #buffer = new LogBuffer<E>();
  readonly #socket: E[] = [];
  #taking = false;
  #closed = false;
  /** Last entry of the log that has arrived. */
  arrived = 0;
  /** Last entry in the buffer. */
  taken = 0;
  lastTaken: E | undefined;
  /** Last entry handed on. */
  replayed = 0;

  constructor(deps: LogReceiverDeps) {
    this.#deps = deps;
  }

  get bufferedBytes(): number {
    return this.#buffer.bytes;
  }

  /** Entries come from the wire. Those known already are dropped, and all behind a gap. */
  receive(entries: readonly E[], now: Cycles): void {
    if (this.#closed) return;
    for (const entry of entries) {
      if (entry.sequence !== this.arrived + 1) continue;
      this.#socket.push(entry);
      this.arrived++;
    }
    this.#take();
    if (!this.#taking) this.#deps.report(now);
  }

  /** The next entry to replay. */
  peek(): E | undefined {
    return this.#buffer.peek();
  }

  /** The next entry has been replayed. */
  shift(): E | undefined {
    const entry = this.#buffer.shift();
    if (!entry) return undefined;
    this.replayed = entry.sequence;
    this.#take();
    return entry;
  }

  /** Nothing is acknowledged any more. What has arrived can all be replayed. */
  close(): void {
    this.#closed = true;
    if (!this.#taking) this.#drain();
  }

  /** Everything that has arrived is in the buffer. */
  get drained(): boolean {
    return !this.#taking && this.#socket.length === 0;
  }

  #drain(): void {
    for (const entry of this.#socket.splice(0)) this.#admit(entry);
  }

  #admit(entry: E): void {
    this.#buffer.push(entry);
    this.taken = entry.sequence;
    this.lastTaken = entry;
  }

  #take(): void {
    if (this.#taking || this.#closed) return;
    const { log, work } = this.#deps;
    const room = log.buffer - this.#buffer.bytes;
    let count = 0;
    let bytes = 0;
    for (const entry of this.#socket) {
      // An entry larger than the buffer is taken when it is alone.
      const alone = count === 0 && this.#buffer.length === 0;
      if (bytes + entry.bytes > room && !alone) break;
      bytes += entry.bytes;
      count++;
    }
    if (count === 0) return;
    this.#taking = true;
    const cycles = log.messageCycles + count * log.entryCycles + bytes / log.bytesPerCycle;
    work.post(Math.ceil(cycles), (at) => {
      this.#taking = false;
      for (const entry of this.#socket.splice(0, count)) this.#admit(entry);
      if (this.#closed) this.#drain();
      else this.#deps.report(at);
      this.#deps.onEntries(at);
      this.#take();
    });
  }
}
