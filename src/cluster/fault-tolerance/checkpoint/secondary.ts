import type { Cycles } from '../../../base/ids.ts';
import { ReceivingSide } from '../receiving-side.ts';
import type { SideDeps } from '../side.ts';
import type { Checkpoint, Chunk, Standby } from './checkpoint.ts';

/**
 * The secondary of a pair with checkpoints: takes one after the other, and goes on from the last
 * one
 * that it has acknowledged. What has come of the next one is dropped.
 */
export class CheckpointSecondary<T> extends ReceivingSide<Chunk<T>> {
  readonly #guest: Standby<T>;
  #committed: Checkpoint<T>;

  /** `first`: what the copy is like to begin with. */
  constructor(deps: SideDeps<Chunk<T>>, guest: Standby<T>, first: Checkpoint<T>, now: Cycles) {
    super(deps, now);
    this.#guest = guest;
    this.#committed = first;
  }

  /** The last checkpoint that is complete here and acknowledged. */
  get committed(): Checkpoint<T> {
    return this.#committed;
  }

  protected get progress(): Cycles {
    return this.#committed.stamp;
  }

  protected onEntries(now: Cycles): void {
    if (this.state !== 'protected') return;
    for (let chunk = this.log.shift(); chunk; chunk = this.log.shift()) {
      if (!chunk.completes) continue;
      this.#committed = chunk.completes;
      this.#guest.commit(chunk.completes, now);
    }
  }

  protected onWon(now: Cycles): void {
    this.enter('going-live', now);
    this.goLive(now);
  }

  protected onLive(now: Cycles): void {
    this.#guest.goLive(this.#committed, now);
  }

  protected onStopped(now: Cycles): void {
    this.#guest.halt(now);
  }
}
