import type { Cycles } from '../../base/ids.ts';
import type { LogEntry } from './log-entry.ts';

/** What the two sides of a pair say to each other. */
export type Message =
  | { readonly kind: 'log'; readonly entries: readonly LogEntry[] }
  | {
      readonly kind: 'progress';
      /** Last entry that has arrived: none before it need be sent again. */
      readonly arrived: number;
      /** Last entry in the secondary's buffer: outputs up to it may leave. */
      readonly acknowledged: number;
      /** Stamp of the last entry that was replayed. */
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
