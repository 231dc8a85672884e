import type { Cycles } from '../../../base/ids.ts';
import type { Sequenced } from '../messages.ts';

/**
 * A guest as it was between two of its steps; `T` is what a secondary needs to go on from there.
 */
export interface Checkpoint<T> {
  /** Number of the epoch that it ends. */
  readonly epoch: number;
  /** How long the guest had executed. */
  readonly stamp: Cycles;
  /** Pages stored to since the one before. */
  readonly pages: number;
  /** On the wire, headers of packets apart. */
  readonly bytes: number;
  /** How long the guest was stopped. */
  readonly pause: Cycles;
  readonly image: T;
}

/** What goes over the link: a part of a checkpoint. */
export interface Chunk<T> extends Sequenced {
  /** The whole of it is there: this is the last part. */
  readonly completes: Checkpoint<T> | undefined;
}

/** What a guest on the primary offers: it is stopped, copied, and let go. */
export interface Captured<T> {
  /** How long it has executed by `now`. */
  executedAt(now: Cycles): Cycles;
  /**
   * Stops the guest and copies what it has stored to since the last time. `taken` is called when it
   * runs again; never if the host is lost before.
   */
  capture(taken: (capture: Omit<Checkpoint<T>, 'epoch'>, now: Cycles) => void): void;
  /** There is nobody left to copy it for. */
  alone(now: Cycles): void;
  /** It never executes again. */
  halt(now: Cycles): void;
}

/** The second copy: it executes nothing before it goes live. */
export interface Standby<T> {
  /** A checkpoint is complete. The copy is to be like that. */
  commit(checkpoint: Checkpoint<T>, now: Cycles): void;
  /** It goes on from a checkpoint, for all the world to see. */
  goLive(from: Checkpoint<T>, now: Cycles): void;
  halt(now: Cycles): void;
}
