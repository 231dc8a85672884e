import { TraceError } from '../../guest/workloads/trace-reader.ts';
import { Kind } from '../page-trace-writer.ts';
import { Programs } from '../programs.ts';
import type { TraceRecorder } from '../recorder.ts';
import { isCanonical, type Layout, usualLayout, wideLayout } from './champsim-layout.ts';
import type { ImportChoice, TraceFormat, TraceImporter } from './format.ts';

/**
 * HOT. ChampSim's traces: one record per instruction, little-endian and without a header, in one of
 * two layouts (champsim-layout.ts). Sizes are not recorded, so no access straddles. An address that
 * one instruction loads from and stores to is one modify. CloudSuite records carry a number of the
 * address space; where there are several, one must be chosen.
 */
export const champsim: TraceFormat = {
  name: usualLayout.name,
  summary: 'binary records of ChampSim (64 bytes an instruction)',
  create: (name, recorder, choice) => new Champsim(name, recorder, usualLayout, choice),
};

export const champsimCloudsuite: TraceFormat = {
  name: wideLayout.name,
  summary: 'binary records of ChampSim for CloudSuite and SPARC (96 bytes an instruction)',
  create: (name, recorder, choice) => new Champsim(name, recorder, wideLayout, choice),
};

class Champsim implements TraceImporter {
  /** Records read so far. */
  line = 0;
  readonly notes: readonly string[] = [];
  readonly programs: Programs | undefined;
  readonly #name: string;
  readonly #recorder: TraceRecorder;
  readonly #layout: Layout;
  readonly #carry: Uint8Array;
  #carried = 0;
  #offset = 0;
  #space = -1;
  #kept = true;

  constructor(name: string, recorder: TraceRecorder, layout: Layout, choice: ImportChoice = {}) {
    this.#name = name;
    this.#recorder = recorder;
    this.#layout = layout;
    this.#carry = new Uint8Array(layout.size);
    if (layout.space >= 0) this.programs = new Programs(name, choice.program);
  }

  push(chunk: Uint8Array): void {
    const { size } = this.#layout;
    let at = 0;
    if (this.#carried > 0) {
      at = Math.min(size - this.#carried, chunk.length);
      this.#carry.set(chunk.subarray(0, at), this.#carried);
      this.#carried += at;
      if (this.#carried < size) return;
      this.#read(this.#carry, 0);
    }
    for (; at + size <= chunk.length; at += size) this.#read(chunk, at);
    this.#carry.set(chunk.subarray(at));
    this.#carried = chunk.length - at;
  }

  finish(): void {
    if (this.#carried > 0) {
      this.line++;
      const has = `has ${this.#carried} of ${this.#layout.size} bytes`;
      this.#fail(`truncated: record ${this.line} ${has} (at byte ${this.#byte})`);
    }
    if (this.line === 0) throw new TraceError(this.#name, 1, 'not a ChampSim trace: it is empty');
    this.programs?.check();
  }

  #read(bytes: Uint8Array, at: number): void {
    this.line++;
    const { stores, loads, space } = this.#layout;
    if (bytes[at + 8]! > 1 || bytes[at + 9]! > 1) {
      this.#refuse('is not one of ChampSim: its branch flags are not 0 or 1');
    }
    if (isZero(bytes, at)) {
      this.#refuse('is not one of ChampSim: it fetches from address 0');
    }
    if (space >= 0) {
      const number = bytes[at + space]! | (bytes[at + space + 1]! << 8);
      if (number !== this.#space) {
        this.#space = number;
        this.#kept = this.programs!.enter(String(number), this.line);
      }
    }
    this.#access(Kind.Fetch, this.#page(bytes, at));
    for (let i = 0; i < loads.length; i++) {
      const load = at + loads[i]!;
      if (isZero(bytes, load)) continue;
      const kind = isAmong(bytes, load, at, stores) ? Kind.Modify : Kind.Load;
      this.#access(kind, this.#page(bytes, load));
    }
    for (let i = 0; i < stores.length; i++) {
      const store = at + stores[i]!;
      if (isZero(bytes, store) || isAmong(bytes, store, at, loads)) continue;
      this.#access(Kind.Store, this.#page(bytes, store));
    }
  }

  #access(kind: Kind, page: number): void {
    this.programs?.count();
    if (this.#kept) this.#recorder.access(kind, page, this.#offset, 1);
  }

  #page(bytes: Uint8Array, at: number): number {
    if (!isCanonical(bytes, at)) {
      const hex = Array.from(bytes.subarray(at, at + 8).toReversed(), (byte) =>
        byte.toString(16).padStart(2, '0'),
      );
      const why = 'is not canonical (bits 63 to 47 are not equal)';
      this.#fail(
        `record ${this.line} (at byte ${this.#byte}): the address ${why}: 0x${hex.join('')}`,
      );
    }
    this.#offset = bytes[at]! | ((bytes[at + 1]! & 15) << 8);
    const low = (bytes[at + 1]! >> 4) | (bytes[at + 2]! << 4) | (bytes[at + 3]! << 12);
    return low + (bytes[at + 4]! | (bytes[at + 5]! << 8)) * 2 ** 20;
  }

  /** Where the current record begins. */
  get #byte(): number {
    return (this.line - 1) * this.#layout.size;
  }

  #refuse(why: string): never {
    const { size, name } = this.#layout;
    const other = name === usualLayout.name ? wideLayout : usualLayout;
    const record = `record ${this.line} of ${size} bytes (at byte ${this.#byte})`;
    const advice = `give --from ${other.name} if its records have ${other.size} bytes`;
    this.#fail(`${record} ${why}; ${advice}`);
  }

  #fail(message: string): never {
    throw new TraceError(this.#name, this.line, message);
  }
}

function isZero(bytes: Uint8Array, at: number): boolean {
  for (let i = 0; i < 8; i++) if (bytes[at + i] !== 0) return false;
  return true;
}

/** Whether the address at `at` is among those at `base + offsets`. */
function isAmong(bytes: Uint8Array, at: number, base: number, offsets: readonly number[]): boolean {
  for (let i = 0; i < offsets.length; i++) {
    let same = 0;
    while (same < 8 && bytes[at + same] === bytes[base + offsets[i]! + same]) same++;
    if (same === 8) return true;
  }
  return false;
}
