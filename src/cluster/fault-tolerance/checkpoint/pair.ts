import type { Cycles } from '../../../base/ids.ts';
import { Generations, type GenerationsDeps } from '../generations.ts';
import type { Captured, Checkpoint, Chunk, Standby } from './checkpoint.ts';
import { epochPolicies } from './index.ts';
import type { CheckpointParams } from './params.ts';
import { CheckpointPrimary, type Completed } from './primary.ts';
import { CheckpointSecondary } from './secondary.ts';

/** As much as comes is taken: there is one checkpoint at a time. */
const UNBOUNDED = 2 ** 40;

export interface CheckpointPairDeps extends GenerationsDeps {
  readonly params: CheckpointParams;
  onCompleted(completed: Completed, now: Cycles): void;
}

/** A guest protected by checkpoints. */
export class CheckpointPair<T> extends Generations<
  Chunk<T>,
  CheckpointPrimary<T>,
  CheckpointSecondary<T>
> {
  readonly cpuLimit = 1;
  protected readonly lagging = false;
  readonly #deps: CheckpointPairDeps;

  constructor(deps: CheckpointPairDeps) {
    const { params } = deps;
    const { kind, ...chosen } = params.policy;
    const hostTimeout = epochPolicies.of(kind).hostTimeout(chosen);
    super(
      deps,
      { ...params, hostTimeout, logTimeout: hostTimeout, controlInterval: hostTimeout },
      { ...params.costs, entryCycles: 0, buffer: UNBOUNDED },
    );
    this.#deps = deps;
  }

  /** While it is protected, what would be lost; while the secondary takes over, what is. */
  lagAt(now: Cycles): Cycles {
    const { primary, secondary, state } = this;
    if (primary?.recording) return primary.lagAt(now);
    return primary && secondary && state === 'go-live'
      ? primary.lagAt(now, secondary.committed.stamp)
      : 0;
  }

  /**
   * From now on the guest is copied again and again. `first`: what the secondary is like, of which
   * the last `bytes` are still to be sent; it exists when they have arrived.
   */
  protect(
    primary: { readonly host: string; readonly guest: Captured<T> },
    secondary: { readonly host: string; readonly guest: Standby<T> },
    first: Checkpoint<T>,
    now: Cycles,
    bytes = 0,
  ): void {
    const { onCompleted, params, toCycles } = this.#deps;
    this.connect(
      { primary: primary.host, secondary: secondary.host, bytes },
      now,
      (side) => {
        const policy = epochPolicies.create(params.policy, { cycles: toCycles });
        const { guest } = primary;
        return new CheckpointPrimary({ side, guest, policy, onCompleted }, now, first.stamp);
      },
      (side, at) => new CheckpointSecondary(side, secondary.guest, first, at),
    );
  }
}
