import type { Cycles } from '../../base/ids.ts';
import type { Timebase } from '../../engine/timebase.ts';
import type { DiskIo } from '../../hypervisor/guest-port.ts';

/**
 * A request to the disk: when it is answered, in cycles of the host of the guest, and what it
 * brings (0: it was a write).
 */
export interface DiskRequest {
  readonly due: Cycles;
  readonly bytes: number;
}

/** Bytes that a request brings the guest. */
export const brings = ({ bytes, write }: DiskIo): number => (write ? 0 : bytes);

/** Requests to the disk that the guest does not know to be answered, the first answer first. */
export class DiskRequests {
  #waiting: DiskRequest[];

  constructor(waiting: readonly DiskRequest[] = []) {
    this.#waiting = [...waiting];
  }

  get all(): readonly DiskRequest[] {
    return this.#waiting;
  }

  ask(due: Cycles, bytes: number): void {
    const at = this.#waiting.findIndex((other) => other.due > due);
    this.#waiting.splice(at < 0 ? this.#waiting.length : at, 0, { due, bytes });
  }

  /** The guest learns of the first `count` answers. */
  answer(count: number): void {
    this.#waiting.splice(0, count);
  }

  /** It learns of all that have come by `now`. */
  takeAnswered(now: Cycles): readonly DiskRequest[] {
    const later = this.#waiting.findIndex(({ due }) => due > now);
    return this.#waiting.splice(0, later < 0 ? this.#waiting.length : later);
  }

  /** The same requests on a host that counts other cycles. */
  on(own: Timebase, other: Timebase): DiskRequests {
    return new DiskRequests(
      this.#waiting.map(({ due, bytes }) => ({ due: other.from(own, due), bytes })),
    );
  }

  /** No answer comes before `time`. */
  putOff(time: Cycles): void {
    this.#waiting = this.#waiting.map(({ due, bytes }) => ({ due: Math.max(time, due), bytes }));
  }
}
