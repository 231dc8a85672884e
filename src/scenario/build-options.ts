import type { TraceFeed } from '../guest/workloads/workload.ts';
import type { Hypervisor } from '../hypervisor/hypervisor.ts';
import type { Observer } from '../observe/observer.ts';

/** A trace that can be fed while the simulation waits. */
export interface RefillableFeed extends TraceFeed {
  /** Reads on; resolves when `take` has something to give or the trace has ended. */
  refill(): Promise<void>;
  /** Called once, when the run is over. */
  close?(): void;
}

export interface BuildOptions {
  /** `again`: the trace will be read several times. */
  openTrace?: ((file: string, again: boolean) => RefillableFeed) | undefined;
  /**
   * Measure a piece of work instead of a span of time: from so many user instructions of a VM to so
   * many; of any VM when it is not named.
   */
  piece?:
    | { readonly from: number; readonly to: number; readonly vm?: string | undefined }
    | undefined;
  /** Told of what happens; by default nobody is. */
  observer?: Observer | undefined;
  /** Called with each host before its scheduler is made: for tasks of the host. */
  prepare?: ((hypervisor: Hypervisor) => void) | undefined;
  /** Note which VM ran where and when, from the warm-up on, up to about so many stretches. */
  slices?: number | undefined;
}
