import type { Sink } from './event-log.ts';

/** Bytes on their way to a sink. Grows as needed; `flush` hands them over. */
export class ByteBuffer {
  data = new Uint8Array(1 << 14);
  length = 0;

  /** Makes room for `count` more bytes; call before writing to `data` directly. */
  reserve(count: number): void {
    if (this.length + count <= this.data.length) return;
    const grown = new Uint8Array(Math.max(this.data.length * 2, this.length + count));
    grown.set(this.data.subarray(0, this.length));
    this.data = grown;
  }

  /** Appends characters up to U+007F. */
  ascii(text: string): void {
    this.reserve(text.length);
    const { data } = this;
    let at = this.length;
    for (let i = 0; i < text.length; i++) data[at++] = text.charCodeAt(i);
    this.length = at;
  }

  bytes(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.data.set(bytes, this.length);
    this.length += bytes.length;
  }

  /** Appends a whole number from 0 to 2^53 - 1 in decimal digits. */
  decimal(value: number): void {
    this.reserve(16);
    if (value >= 1e9) {
      const billions = Math.floor(value / 1e9);
      this.decimal(billions);
      this.#digits(value - billions * 1e9, 9);
      return;
    }
    let digits = 1;
    for (let limit = 10; value >= limit; limit *= 10) digits++;
    this.#digits(value, digits);
  }

  #digits(value: number, digits: number): void {
    const { data } = this;
    let rest = value | 0;
    for (let at = this.length + digits - 1; at >= this.length; at--) {
      const tens = (rest / 10) | 0;
      data[at] = 48 + rest - tens * 10;
      rest = tens;
    }
    this.length += digits;
  }

  /** Appends a whole number, 0 to 2^32 - 1, in four bytes, the lowest first. */
  u32(value: number): void {
    this.reserve(4);
    const { data } = this;
    const at = this.length;
    data[at] = value;
    data[at + 1] = value >>> 8;
    data[at + 2] = value >>> 16;
    data[at + 3] = value >>> 24;
    this.length = at + 4;
  }

  flush(sink: Sink): void {
    if (this.length === 0) return;
    sink(this.data.subarray(0, this.length));
    this.length = 0;
  }
}
