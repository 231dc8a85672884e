import { ByteBuffer } from './bytes.ts';

/**
 * Writes the protobuf wire format: varints, strings and nested messages. Source: protobuf.dev,
 * "Encoding".
 */
export class ProtoWriter extends ByteBuffer {
  /** Appends a varint field: a whole number from 0 to 2^53 - 1, a bool as 0 or 1, or an enum. */
  uint(field: number, value: number): void {
    this.reserve(16);
    this.#varint(field << 3);
    this.#varint(value);
  }

  string(field: number, value: string): void {
    const bytes = new TextEncoder().encode(value);
    this.reserve(bytes.length + 16);
    this.#varint((field << 3) | 2);
    this.#varint(bytes.length);
    this.data.set(bytes, this.length);
    this.length += bytes.length;
  }

  /** Begins a nested message. What follows belongs to it, until `end` is called with the result. */
  begin(field: number): number {
    this.reserve(16);
    this.#varint((field << 3) | 2);
    return this.length++;
  }

  /** Ends a nested message: fills in its length, for which one byte was left. */
  end(mark: number): void {
    const length = this.length - mark - 1;
    if (length < 128) {
      this.data[mark] = length;
      return;
    }
    let extra = 0;
    for (let rest = length; rest >= 128; rest = Math.floor(rest / 128)) extra++;
    this.reserve(extra);
    this.data.copyWithin(mark + 1 + extra, mark + 1, this.length);
    this.length = mark;
    this.#varint(length);
    this.length += length;
  }

  #varint(value: number): void {
    const { data } = this;
    let at = this.length;
    let rest = value;
    while (rest >= 2 ** 31) {
      data[at++] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
    while (rest >= 128) {
      data[at++] = (rest & 127) | 128;
      rest >>>= 7;
    }
    data[at++] = rest;
    this.length = at;
  }
}
