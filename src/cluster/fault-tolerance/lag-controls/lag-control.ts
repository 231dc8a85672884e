import type * as z from 'zod';
import type { Cycles } from '../../../base/ids.ts';
import { type Definition, type Registry, registry } from '../../../base/registry.ts';

/** What a controller is told at each interval. */
export interface LagNews {
  readonly now: Cycles;
  /** Executed time by which the secondary is behind: what it has still to replay. */
  readonly lag: Cycles;
  /** How long the primary and the secondary have executed the program. */
  readonly executed: Cycles;
  readonly replayed: Cycles;
}

/** Slows the primary down when the secondary does not keep up. */
export interface LagControl {
  /** The primary may take this share of a pCPU: 1 = as much as it wants. */
  readonly limit: number;
  /** A lag of more is too long, and it is so until it is below `good` again. */
  readonly bad: Cycles;
  readonly good: Cycles;
  /** Called at each interval; sets `limit`. */
  next(news: LagNews): void;
}

export interface LagControlDeps {
  /** Picoseconds of the real system -> cycles of this run. */
  cycles(picoseconds: number): Cycles;
}

export type LagControlDefinition<P extends z.ZodObject> = Definition<LagControl, LagControlDeps, P>;
export type LagControlRegistry = Registry<LagControl, LagControlDeps>;

export function lagControlRegistry(
  // biome-ignore lint/suspicious/noExplicitAny: definitions differ in their parameters
  definitions: readonly LagControlDefinition<any>[],
): LagControlRegistry {
  return registry('lag control', definitions);
}
