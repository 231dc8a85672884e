import type { Cycles } from '../../base/ids.ts';

/** A piece of what one side streams to the other: an entry of a log, a part of a checkpoint. */
export interface Sequenced {
  /** From 1, without gaps. */
  readonly sequence: number;
  /** On the wire. */
  readonly bytes: number;
}

/** What the two sides of a pair say to each other. */
export type Message<E extends Sequenced> =
  | { readonly kind: 'log'; readonly entries: readonly E[] }
  | {
      readonly kind: 'progress';
      /** Last entry that has arrived: none before it need be sent again. */
      readonly arrived: number;
      /** Last entry in the secondary's buffer: outputs up to it may leave. */
      readonly acknowledged: number;
      /** How far the secondary has come, in executed time of the primary. */
      readonly replayed: Cycles;
    }
  | { readonly kind: 'heartbeat' }
  /** The sender runs alone: whoever reads this has lost. */
  | { readonly kind: 'superseded' };

/** One direction of a link. What is sent while it is cut is lost; the rest arrives in order. */
export interface Wire {
  send(bytes: number, now: Cycles, arrive: (now: Cycles) => void): void;
}

/** CPU time of a host for its side of the log. */
export interface HostWork {
  post(cycles: Cycles, done: (now: Cycles) => void): void;
}
