import { Cause } from '../stats/leaves.ts';
import { FLAGS, OWNER_SHIFT, SEQ, TAG } from './entries.ts';
import { heap } from './heap.ts';
import { type PageTables, Pte } from './page-tables.ts';

/**
 * Loss records: for every leaf slot and side the core remembers how its translation was lost. 0 =
 * never held, positive = held since that flush sequence, negative = minus the cause.
 *
 * A sequence begins when a vCPU of the core is filled with an entry for the first time after its
 * last flush; it has one for global entries and one for the others. It ends with the next flush
 * that reaches those, whose cause it is given. All sequences of a core are numbered in the order in
 * which they begin, so a record explains itself, whichever vCPU it is of: the cause of a miss is
 * that of the first flush after the fill, and `Cold` while there was none. vCPUs of one VM share
 * records: the last fill counts, and what one of them still holds, another has not lost.
 *
 * The core keeps a byte for each number, 256 KiB at most. When numbers run out, records of
 * sequences that have ended become plain causes, and the sequences still open are numbered anew.
 */

/** No sequence: nothing was filled since the last flush. */
const NONE = 0;
/** Sequences of a core until their numbers begin anew. */
export const MOST_SEQUENCES = 2 ** 18;

/** The entries of one side of the TLBs: the first, and the end of the last. */
interface Entries {
  readonly first: number;
  readonly end: number;
}

export class LossRecords {
  /** VM of each vCPU. One more owner than there are vCPUs: the host, which is never recorded. */
  readonly vmOf: Int32Array;
  readonly vcpuCount: number;
  /** Open sequence of each vCPU, or 0: `sequences + vcpu * 2 + (global ? 1 : 0)`. */
  readonly sequences: number;
  count = 0;
  /** By sequence: what ended it, `Cold` while it is open. */
  causeOf = new Uint8Array(64);
  /** By leaf slot: the records of the two sides. */
  instructions: Int32Array;
  data: Int32Array;
  readonly #tables: PageTables;
  readonly #sides: readonly Entries[];

  constructor(
    { tables, vmOf, vcpuCount }: { tables: PageTables; vmOf: Int32Array; vcpuCount: number },
    sequences: number,
    sides: readonly Entries[],
  ) {
    this.vmOf = vmOf;
    this.vcpuCount = vcpuCount;
    this.sequences = sequences;
    this.#tables = tables;
    this.#sides = sides;
    this.instructions = new Int32Array(tables.entries.length);
    this.data = new Int32Array(tables.entries.length);
  }

  /**
   * The vCPU of the word `at` (`sequences + vcpu * 2`, plus 1 for global entries) is filled for the
   * first time since its last flush. Returns the number of the sequence that begins.
   */
  begin(at: number): number {
    if (this.count + 1 === this.causeOf.length) this.#makeRoom();
    this.count++;
    heap[at] = this.count;
    return this.count;
  }

  /**
   * Ends the sequence of a vCPU's entries, either the global ones or the others: what was filled in
   * it is lost by `cause`.
   */
  end(vcpu: number, global: number, cause: Cause): void {
    const at = this.sequences + vcpu * 2 + global;
    const sequence = heap[at]!;
    if (sequence === NONE) return;
    this.causeOf[sequence] = cause;
    heap[at] = NONE;
  }

  /** Whether nothing has flushed the vCPU that an entry is of since it was filled. */
  isLive(e: number): boolean {
    const flags = FLAGS[e]!;
    const global = (flags & Pte.Global) >> 4;
    return heap[this.sequences + (flags >>> OWNER_SHIFT) * 2 + global] === SEQ[e];
  }

  #makeRoom(): void {
    if (this.causeOf.length === MOST_SEQUENCES) this.#numberAnew();
    else {
      const grown = new Uint8Array(this.causeOf.length * 2);
      grown.set(this.causeOf);
      this.causeOf = grown;
    }
  }

  /** Numbers the open sequences from 1, and turns what was held in others into its cause. */
  #numberAnew(): void {
    const { causeOf, sequences } = this;
    const fresh = new Map<number, number>();
    for (let at = sequences; at < sequences + this.vcpuCount * 2; at++) {
      if (heap[at] === NONE) continue;
      fresh.set(heap[at]!, fresh.size + 1);
      heap[at] = fresh.size;
    }
    for (const records of [this.instructions, this.data]) {
      for (let slot = 0; slot < records.length; slot++) {
        const record = records[slot]!;
        if (record > 0) records[slot] = fresh.get(record) ?? -causeOf[record]!;
      }
    }
    for (const { first, end } of this.#sides) {
      // An entry of a vCPU that has lost it belongs to none of the new ones either.
      for (let e = first; e < end; e++) if (TAG[e] !== -1) SEQ[e] = fresh.get(SEQ[e]!) ?? -1;
    }
    causeOf.fill(Cause.Cold);
    this.count = fresh.size;
  }

  /** A table node got a new meaning: what was remembered about its slots is void. */
  wipe(node: number): void {
    const begin = node << 9;
    for (const records of [this.instructions, this.data]) {
      if (begin < records.length) records.fill(0, begin, begin + 512);
    }
  }

  /** The records grow with the page-table pool. */
  grow(): void {
    const { length } = this.#tables.entries;
    const grown = (from: Int32Array): Int32Array => {
      const to = new Int32Array(length);
      to.set(from);
      return to;
    };
    this.instructions = grown(this.instructions);
    this.data = grown(this.data);
  }
}
