import { MemoryError, ModelError } from '../base/errors.ts';
import { MAX_FRAMES } from './page-tables.ts';

/** Owner of a frame that belongs to no VM. */
export const HOST_OWNER = 0xffff;

/**
 * Host frames: which NUMA node they are on, which VM owns them, and what happened to each of their
 * 64 cache lines. Nodes own equal, consecutive ranges. Running out is an error of the scenario.
 */
export class HostMemory {
  readonly frames: number;
  readonly nodes: number;
  readonly framesPerNode: number;
  /** VM that owns each frame, or HOST_OWNER. */
  readonly owner: Uint16Array;
  /**
   * Two bits a line, 16 lines a word, `frame << 2 | line >> 4`: 0 never in a core's own caches
   * (L1, L2) since it was cleared, 1 evicted from them by its own VM, 2 by another, 3 in those of
   * some core. Empty when data lines are off.
   */
  readonly lineState: Int32Array;
  /** For errors. */
  readonly #of: { readonly host: string };
  readonly #next: number[];
  readonly #free: number[][];
  /** Aligned 2 MB blocks handed back, by node. */
  readonly #freeBlocks: number[][];

  /** `host`: what errors call the host. */
  constructor(bytes: number, nodes: number, trackLines: boolean, host = '') {
    this.#of = { host };
    this.nodes = nodes;
    this.framesPerNode = Math.floor(bytes / 4096 / nodes / 512) * 512;
    this.frames = this.framesPerNode * nodes;
    if (this.frames > MAX_FRAMES) throw new ModelError('host memory above 128 GiB');
    this.owner = new Uint16Array(this.frames).fill(HOST_OWNER);
    this.lineState = new Int32Array(trackLines ? this.frames * 4 : 0);
    // Frame 0 stays unused: cache tags use 0 for "empty".
    this.#next = Array.from({ length: nodes }, (_, node) => node * this.framesPerNode || 512);
    this.#free = Array.from({ length: nodes }, () => []);
    this.#freeBlocks = Array.from({ length: nodes }, () => []);
  }

  nodeOf(frame: number): number {
    return Math.floor(frame / this.framesPerNode);
  }

  /**
   * One frame, on `node` while some are left there, else on the next. Throws ModelError when the
   * host is full.
   */
  take(node: number, vm: number): number {
    for (let i = 0; i < this.nodes; i++) {
      const n = (node + i) % this.nodes;
      const frame = this.#free[n]!.pop() ?? this.#bumpOrBreak(n);
      if (frame >= 0) {
        this.owner[frame] = vm;
        return frame;
      }
    }
    throw new MemoryError(`host memory is full (${this.frames / 256} MiB)`, this.#of);
  }

  /** `count` consecutive frames aligned to `align`. */
  takeRange(node: number, vm: number, count: number, align: number): number {
    for (let i = 0; i < this.nodes; i++) {
      const n = (node + i) % this.nodes;
      const frame =
        count === 512 && align === 512
          ? (this.#freeBlocks[n]!.pop() ?? this.#bump(n, count, align))
          : this.#bump(n, count, align);
      if (frame >= 0) {
        this.owner.fill(vm, frame, frame + count);
        return frame;
      }
    }
    throw new MemoryError(`host memory has no ${count} consecutive frames left`, this.#of);
  }

  /**
   * The same for a range larger than what is left of a node: it continues on nodes from which
   * nothing has been taken.
   */
  takeSpan(node: number, vm: number, count: number, align: number): number {
    for (let i = 0; i < this.nodes; i++) {
      const first = (node + i) % this.nodes;
      const at = Math.ceil(this.#next[first]! / align) * align;
      const end = at + count;
      if (end > this.frames) continue;
      const last = this.nodeOf(end - 1);
      let untouched = true;
      for (let n = first + 1; n <= last; n++) {
        untouched &&= this.#next[n] === n * this.framesPerNode;
      }
      if (!untouched) continue;
      for (let n = first; n <= last; n++) {
        this.#next[n] = Math.min(end, (n + 1) * this.framesPerNode);
      }
      this.owner.fill(vm, at, end);
      return at;
    }
    throw new MemoryError(`host memory has no ${count} consecutive frames left`, this.#of);
  }

  /** Frames that belong to nobody. */
  get free(): number {
    let frames = 0;
    for (let n = 0; n < this.nodes; n++) {
      const untouched = (n + 1) * this.framesPerNode - this.#next[n]!;
      frames += this.#free[n]!.length + 512 * this.#freeBlocks[n]!.length + untouched;
    }
    return frames;
  }

  /** Gives consecutive frames back: aligned 2 MB blocks stay together. */
  giveRange(first: number, count: number): void {
    for (let frame = first; frame < first + count; ) {
      if (frame % 512 === 0 && frame + 512 <= first + count) {
        this.owner.fill(HOST_OWNER, frame, frame + 512);
        this.#freeBlocks[this.nodeOf(frame)]!.push(frame);
        frame += 512;
      } else this.give(frame++);
    }
  }

  give(frame: number): void {
    this.owner[frame] = HOST_OWNER;
    this.#free[this.nodeOf(frame)]!.push(frame);
  }

  /** One frame that was never taken, or, when there is none left, one of a block. */
  #bumpOrBreak(node: number): number {
    const frame = this.#bump(node, 1, 1);
    if (frame >= 0) return frame;
    const block = this.#freeBlocks[node]!.pop();
    if (block === undefined) return -1;
    for (let i = 511; i > 0; i--) this.#free[node]!.push(block + i);
    return block;
  }

  #bump(node: number, count: number, align: number): number {
    const at = Math.ceil(this.#next[node]! / align) * align;
    if (at + count > (node + 1) * this.framesPerNode) return -1;
    // Frames skipped by alignment stay usable one by one.
    for (let frame = this.#next[node]!; frame < at; frame++) this.#free[node]!.push(frame);
    this.#next[node] = at + count;
    return at;
  }
}
