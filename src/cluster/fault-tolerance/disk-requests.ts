import type { Cycles } from '../../base/ids.ts';
import type { Timebase } from '../../engine/timebase.ts';
import type { IoRequest } from '../../hypervisor/device-work.ts';
import type { DiskIo } from '../../hypervisor/guest-port.ts';

/** A request to the disk, and when it is answered, in cycles of the host of the guest. */
interface Waiting {
  readonly request: IoRequest;
  /** Infinity: nobody knows yet. */
  due: Cycles;
}

/** Bytes that a request brings the guest; 0: it is a write. */
export const brings = ({ bytes, write }: DiskIo): number => (write ? 0 : bytes);

/** Requests to the disk that the guest does not know to be answered. */
export class DiskRequests {
  #waiting: Waiting[];

  constructor(waiting: readonly Waiting[] = []) {
    this.#waiting = [...waiting];
  }

  get all(): readonly IoRequest[] {
    return this.#waiting.map(({ request }) => request);
  }

  /** `due`: when it is answered, if that is known. */
  ask(request: IoRequest, due: Cycles = Infinity): void {
    const at = this.#waiting.findIndex((other) => other.due > due);
    this.#waiting.splice(at < 0 ? this.#waiting.length : at, 0, { request, due });
  }

  /** It is answered at `now`. */
  answered(request: IoRequest, now: Cycles): void {
    const own = this.#waiting.find((waiting) => waiting.request === request);
    if (own) own.due = now;
  }

  /** When the first `count` of them are answered; 0: at once, or nobody knows. */
  dueOf(count: number): Cycles {
    const due = this.#waiting[Math.min(this.#waiting.length, count) - 1]?.due ?? 0;
    return due === Infinity ? 0 : due;
  }

  /** The guest learns of the first `count` answers. */
  answer(count: number): void {
    this.#waiting.splice(0, count);
  }

  /** It learns that an I/O is over. */
  over(io: number): void {
    this.#waiting = this.#waiting.filter(({ request }) => request.io !== io);
  }

  /** It learns of all that have come by `now`. */
  takeAnswered(now: Cycles): readonly IoRequest[] {
    const done = this.#waiting.filter(({ due }) => due <= now);
    this.#waiting = this.#waiting.filter(({ due }) => due > now);
    return done.map(({ request }) => request);
  }

  /** The same requests on a host that counts other cycles. */
  on(own: Timebase, other: Timebase): DiskRequests {
    return new DiskRequests(
      this.#waiting.map(({ due, request }) => ({
        due: due === Infinity ? due : other.from(own, due),
        request: { ...request, latency: other.from(own, request.latency) },
      })),
    );
  }
}
