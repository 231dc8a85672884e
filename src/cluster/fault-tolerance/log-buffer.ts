import type { Sequenced } from './messages.ts';

/** Entries in order, with their bytes. */
export class LogBuffer<E extends Sequenced> {
  #entries: E[] = [];
  #first = 0;
  /** Bytes in the buffer. */
  bytes = 0;

  get length(): number {
    return this.#entries.length - this.#first;
  }

  push(entry: E): void {
    this.#entries.push(entry);
    this.bytes += entry.bytes;
  }

  peek(): E | undefined {
    return this.#entries[this.#first];
  }

  shift(): E | undefined {
    const entry = this.#entries[this.#first];
    if (!entry) return undefined;
    this.bytes -= entry.bytes;
    this.#first++;
    if (this.#first > 1024 && 2 * this.#first > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#first);
      this.#first = 0;
    }
    return entry;
  }
}
