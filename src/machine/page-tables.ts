/**
 * Every radix table of the simulation in one pool, whichever host it is on: guest, nested and
 * shadow tables alike. A
 * node is 512 entries; entry i of node n is the *slot* `n << 9 | i`, a number that names it
 * everywhere (walk caches, loss records). Node 0 is never used.
 *
 * An entry is an int32: the low 7 bits are flags, the upper 25 the child node or the frame.
 */
export const Pte = {
  Present: 1,
  Writable: 2,
  Accessed: 4,
  Dirty: 8,
  Global: 16,
  /** A leaf above level 1: 2 MB at level 2, 1 GB at level 3. */
  Large: 32,
  /** Software bit: writable in principle, read-only because the frame is shared (copy-on-write). */
  Cow: 64,
} as const;
/** A TLB entry may be stored through when it is writable and its dirty bit is set already. */
export const STORE_OK = Pte.Writable | Pte.Dirty;
export const PTE_SHIFT = 7;
/** Frames are 25 bits: 128 GiB of 4 KiB pages. */
export const MAX_FRAMES = 1 << 25;

export class PageTables {
  /**
   * All entries of all nodes. Replaced when the pool grows: HOT code reads the field at each walk.
   */
  entries: Int32Array;
  /**
   * The frame that each node lives in: a guest frame for guest tables under virtualization, else a
   * host frame.
   */
  frame: Int32Array;
  /**
   * The node whose slots stand for this one in loss records: a shadow table answers for the guest
   * table it mirrors, so that "was this translation held before" survives rebuilding the shadow.
   * Itself otherwise.
   */
  mirror: Int32Array;
  /** Present entries of each node. */
  used: Uint16Array;
  /** Called when a node gets a new meaning, so that records about its old slots can be wiped. */
  readonly onReuse: ((node: number) => void)[] = [];
  /**
   * Incremented by every `set`, the only function that writes upper entries: an int32 that wraps
   * around (see walk-memo.ts).
   */
  version = 0;
  readonly #free: number[] = [];
  #next = 1;

  constructor(nodes: number) {
    this.entries = new Int32Array(nodes * 512);
    this.frame = new Int32Array(nodes);
    this.mirror = new Int32Array(nodes);
    this.used = new Uint16Array(nodes);
  }

  /** Nodes in use. */
  get count(): number {
    return this.#next - 1 - this.#free.length;
  }

  /** A zeroed node that lives in `frame`. */
  alloc(frame: number): number {
    let node = this.#free.pop();
    if (node === undefined) {
      if (this.#next === this.frame.length) this.#grow();
      node = this.#next++;
    } else {
      this.entries.fill(0, node << 9, (node + 1) << 9);
      for (const told of this.onReuse) told(node);
    }
    this.frame[node] = frame;
    this.mirror[node] = node;
    this.used[node] = 0;
    return node;
  }

  free(node: number): void {
    this.#free.push(node);
  }

  /** Writes an entry and keeps the count of present ones. */
  set(slot: number, entry: number): void {
    this.version = (this.version + 1) | 0;
    const had = this.entries[slot]! & Pte.Present;
    this.entries[slot] = entry;
    const has = entry & Pte.Present;
    if (has !== had) this.used[slot >> 9] = this.used[slot >> 9]! + (has - had);
  }

  #grow(): void {
    const nodes = this.frame.length * 2;
    if (nodes > 1 << 22) throw new Error('page tables need more than 4 million nodes');
    const grown = <T extends Int32Array | Uint16Array>(from: T, to: T): T => {
      to.set(from);
      return to;
    };
    this.entries = grown(this.entries, new Int32Array(nodes * 512));
    this.frame = grown(this.frame, new Int32Array(nodes));
    this.mirror = grown(this.mirror, new Int32Array(nodes));
    this.used = grown(this.used, new Uint16Array(nodes));
  }
}

/** Index of `page` in a table of `level` (4 = top … 1 = last). */
export function indexAt(page: number, level: number): number {
  return (page >>> (9 * (level - 1))) & 511;
}

/** The child node or frame an entry points to. */
export function target(entry: number): number {
  return entry >>> PTE_SHIFT;
}
