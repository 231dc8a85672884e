import type { Cycles } from '../../../base/ids.ts';
import type { Ticks } from '../../../engine/timebase.ts';
import type { IoRequest } from '../../../hypervisor/device-work.ts';
import type { Position } from '../../copy/history.ts';

/** What a secondary needs to go on from a checkpoint. Times are those of the engine. */
export interface GuestImage {
  /** Where the guest stood: its memory and processors are those of a guest that has come there. */
  readonly position: Position;
  /** Guest frames stored to since the checkpoint before. */
  readonly dirty: readonly number[];
  /** When it was taken: of what came later the guest knows nothing. */
  readonly at: Ticks;
  /** What the disk had been asked and had not answered; latencies in cycles of the primary. */
  readonly disk: readonly IoRequest[];
  /**
   * Requests whose answers the guest has sent and which have not left, by arrival time: the
   * guest's.
   */
  readonly answered: ReadonlySet<Cycles>;
}
