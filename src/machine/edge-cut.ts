import { LEAVES, Leaf } from '../stats/leaves.ts';
import { heap } from './heap.ts';

/**
 * The edge of a measured window falls inside a step of a core: a visit, an exit, a switch. The cut
 * says how much each leaf of the ledger held at the edge itself, so that every core accounts for
 * exactly the window's cycles.
 *
 * A step is made of charges. One that the edge divides is cut there; the charges of a visit, which
 * HOT code books together, count in the order in which they happen: translation, instructions,
 * data.
 */

/**
 * How many cycles before an edge visits start to be executed one by one: more than nearly every
 * visit takes.
 */
const NEAR = 2 ** 15;
/** More than any visit takes: at most 65535 instructions, at 16 cycles each. */
const FAR = 2 ** 21;

/**
 * Receives what a core had charged, by leaf, since it was last drained, when the clock stood at the
 * edge.
 */
type OnEdge<C> = (core: C, leaves: Float64Array) => void;

/** What the cut has to know of a core. */
interface Clocked {
  readonly now: number;
  /** First of its charges by leaf. */
  readonly pending: number;
  readonly sinceDrain: number;
}

/** Leaves of a visit, the last to happen first. */
const lastFirst: readonly number[] = [
  ...range(Leaf.StallL2, Leaf.ExitTransition),
  Leaf.GuestUser,
  Leaf.GuestKernel,
  ...range(Leaf.WalkGuest, Leaf.StallL2).toReversed(),
  Leaf.TlbL2Hit,
];

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}

export class EdgeCut<C extends Clocked> {
  /** The next edge; Infinity = none. */
  edge = Infinity;
  /** From this time on, visits are executed one by one. */
  near = Infinity;
  /** Before this time, the last visit of a block cannot reach the edge. */
  far = Infinity;
  #onEdge: OnEdge<C> = () => {};
  /** What was charged when the step began that may reach the edge. */
  readonly #before = new Float64Array(LEAVES);
  readonly #leaves = new Float64Array(LEAVES);

  /** The next edge, not in the past of the core. `onEdge` sets the one after it. */
  set(edge: number, onEdge: OnEdge<C>): void {
    this.edge = edge;
    this.near = edge - NEAR;
    this.far = edge - FAR;
    this.#onEdge = onEdge;
  }

  /** A step begins that may reach the edge. */
  begin(core: C): void {
    this.#charged(core, this.#before);
  }

  /** The visit that has just ended has passed the edge. */
  inVisit(core: C): void {
    this.#pass(core, (leaves, beyond) => this.#cutVisit(leaves, beyond));
  }

  /** Takes `cycles` back that the visit under way has charged, the last ones first. */
  #cutVisit(leaves: Float64Array, cycles: number): void {
    let left = cycles;
    // A kernel step longer than NEAR: anything it charges may have to be cut.
    for (const before of [this.#before, none]) {
      for (const leaf of lastFirst) {
        const part = Math.min(left, Math.max(0, leaves[leaf]! - before[leaf]!));
        leaves[leaf] = leaves[leaf]! - part;
        left -= part;
      }
    }
  }

  /** `cycles` have just been charged to `leaf`, and with them the clock has passed the edge. */
  inCharge(core: C, leaf: number, cycles: number): void {
    this.#pass(core, (leaves, beyond) => {
      const own = Math.min(beyond, cycles);
      leaves[leaf] = leaves[leaf]! - own;
      // The edge lies before the charge: in the walk of a visit that has then faulted.
      this.#cutVisit(leaves, beyond - own);
    });
  }

  /** The clock of an idle core stands at the edge, and is about to move on. */
  here(core: C): void {
    this.#pass(core, () => {});
  }

  /** More than one edge may lie in the same step. */
  #pass(core: C, cut: (leaves: Float64Array, beyond: number) => void): void {
    do {
      const { edge } = this;
      const leaves = this.#leaves;
      this.#charged(core, leaves);
      cut(leaves, Math.max(0, core.now - edge));
      this.set(Infinity, this.#onEdge);
      this.#onEdge(core, leaves);
    } while (core.now > this.edge);
  }

  /** Charges since the last drain. Instructions of the block under way are booked when it ends. */
  #charged(core: C, leaves: Float64Array): void {
    let sum = 0;
    for (let leaf = 0; leaf < LEAVES; leaf++) {
      const cycles = heap[core.pending + leaf]!;
      leaves[leaf] = cycles;
      sum += cycles;
    }
    leaves[Leaf.GuestUser] = leaves[Leaf.GuestUser]! + core.sinceDrain - sum;
  }
}

const none = new Float64Array(LEAVES);
