import type * as z from 'zod';
import type { Cycles } from '../../../base/ids.ts';
import { type Definition, type Registry, registry } from '../../../base/registry.ts';

/** What a checkpoint came to. */
export interface CheckpointNews {
  /** How long the guest was stopped for it. */
  readonly pause: Cycles;
  /** Pages that the guest had stored to since the one before. */
  readonly pages: number;
}

/** How long the guest runs from one checkpoint to the next. */
export interface EpochPolicy {
  /** Before anything is known. */
  readonly first: Cycles;
  /**
   * Cycles from the begin of the checkpoint that has just been acknowledged to that of the next; it
   * comes later when the acknowledgement does.
   */
  next(news: CheckpointNews): Cycles;
}

export interface EpochDeps {
  /** Picoseconds -> cycles of this run. */
  cycles(picoseconds: number): Cycles;
}

/** What a product does between two checkpoints. */
export interface EpochPolicyDefinition<P extends z.ZodObject = z.ZodObject>
  extends Definition<EpochPolicy, EpochDeps, P> {
  /** Silence after which the other side counts as lost, in picoseconds. */
  hostTimeout(params: z.output<P>): number;
  /** From asking the guest to stop until it has, besides its last step, in picoseconds. */
  suspend?(params: z.output<P>): number;
  /** A disk write is done, for the guest, when its checkpoint is acknowledged. */
  readonly holdsWrites: boolean;
  /** Why the paging must be the hardware's; undefined: it need not be. */
  readonly nestedOnly: string | undefined;
}

// biome-ignore lint/suspicious/noExplicitAny: definitions differ in their parameters
export type AnyEpochPolicyDefinition = EpochPolicyDefinition<any>;
export type EpochPolicyRegistry = Registry<EpochPolicy, EpochDeps, AnyEpochPolicyDefinition>;

export const epochPolicyRegistry = (
  definitions: readonly AnyEpochPolicyDefinition[],
): EpochPolicyRegistry =>
  registry<EpochPolicy, EpochDeps, AnyEpochPolicyDefinition>('epoch policy', definitions);
