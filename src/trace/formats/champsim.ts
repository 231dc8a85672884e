import { TraceError } from '../../guest/workloads/trace-reader.ts';
import { Kind } from '../page-trace-writer.ts';
import type { TraceRecorder } from '../recorder.ts';
import type { TraceFormat, TraceImporter } from './format.ts';

/**
 * HOT. ChampSim's traces: one `input_instr` of 64 bytes per instruction (ChampSim, `trace_instruction.h`),
 * little-endian: instruction pointer (8 bytes), is-branch and branch-taken (1 each), 2 + 4 register numbers,
 * then 2 addresses stored to and 4 loaded from (8 each, 0 = none). Sizes are not recorded, so no access
 * straddles. An address loaded from and stored to by one instruction is one modify.
 */
export const champsim: TraceFormat = {
  name: 'champsim',
  summary: 'binary records of ChampSim (64 bytes an instruction)',
  matches: (head) => {
    if (head.length < RECORD) return false;
    for (let at = 0; at + RECORD <= Math.min(head.length, 16 * RECORD); at += RECORD) {
      if (head.charCodeAt(at + 8) > 1 || head.charCodeAt(at + 9) > 1) return false;
      if (head.charCodeAt(at + 6) > 0 || head.charCodeAt(at + 7) > 0) return false;
    }
    return true;
  },
  create: (name, recorder) => new Champsim(name, recorder),
};

const RECORD = 64;
const STORES = [16, 24];
const LOADS = [32, 40, 48, 56];

class Champsim implements TraceImporter {
  /** Records read so far. */
  line = 0;
  private readonly name: string;
  private readonly recorder: TraceRecorder;
  private readonly carry = new Uint8Array(RECORD);
  private carried = 0;
  private offset = 0;

  constructor(name: string, recorder: TraceRecorder) {
    this.name = name;
    this.recorder = recorder;
  }

  push(chunk: Uint8Array): void {
    let at = 0;
    if (this.carried > 0) {
      at = Math.min(RECORD - this.carried, chunk.length);
      this.carry.set(chunk.subarray(0, at), this.carried);
      this.carried += at;
      if (this.carried < RECORD) return;
      this.read(this.carry, 0);
    }
    for (; at + RECORD <= chunk.length; at += RECORD) this.read(chunk, at);
    this.carry.set(chunk.subarray(at));
    this.carried = chunk.length - at;
  }

  finish(): void {
    if (this.carried > 0) {
      this.line++;
      this.fail(`truncated: record ${this.line} has ${this.carried} of ${RECORD} bytes`);
    }
    if (this.line === 0) throw new TraceError(this.name, 1, 'not a ChampSim trace: it is empty');
  }

  private read(bytes: Uint8Array, at: number): void {
    this.line++;
    if (bytes[at + 8]! > 1 || bytes[at + 9]! > 1) {
      this.fail(`record ${this.line} is not one of ChampSim: its branch flags are not 0 or 1`);
    }
    this.access(Kind.Fetch, this.page(bytes, at));
    for (const load of LOADS) {
      if (isZero(bytes, at + load)) continue;
      const modified = STORES.some((store) => isSame(bytes, at + load, at + store));
      this.access(modified ? Kind.Modify : Kind.Load, this.page(bytes, at + load));
    }
    for (const store of STORES) {
      if (isZero(bytes, at + store)) continue;
      if (LOADS.some((load) => isSame(bytes, at + load, at + store))) continue;
      this.access(Kind.Store, this.page(bytes, at + store));
    }
  }

  private access(kind: Kind, page: number): void {
    this.recorder.access(kind, page, this.offset, 1);
  }

  private page(bytes: Uint8Array, at: number): number {
    if (bytes[at + 6]! > 0 || bytes[at + 7]! > 0) {
      const hex = Array.from(bytes.subarray(at, at + 8).toReversed(), (byte) =>
        byte.toString(16).padStart(2, '0'),
      );
      this.fail(`record ${this.line}: the address has more than 48 bits: 0x${hex.join('')}`);
    }
    this.offset = bytes[at]! | ((bytes[at + 1]! & 15) << 8);
    const low = (bytes[at + 1]! >> 4) | (bytes[at + 2]! << 4) | (bytes[at + 3]! << 12);
    return low + (bytes[at + 4]! | (bytes[at + 5]! << 8)) * 2 ** 20;
  }

  private fail(message: string): never {
    throw new TraceError(this.name, this.line, message);
  }
}

function isZero(bytes: Uint8Array, at: number): boolean {
  for (let i = 0; i < 8; i++) if (bytes[at + i] !== 0) return false;
  return true;
}

function isSame(bytes: Uint8Array, a: number, b: number): boolean {
  for (let i = 0; i < 8; i++) if (bytes[a + i] !== bytes[b + i]) return false;
  return true;
}
