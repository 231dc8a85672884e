import type { Cycles } from '../../../base/ids.ts';
import type { DiskIo } from '../../../hypervisor/guest-port.ts';
import { brings, type DiskRequest, DiskRequests } from '../disk-requests.ts';
import { GatedPort } from '../gated-port.ts';

/** The port of a vCPU that is checkpointed: knows what its devices have under way. */
export class CapturedPort extends GatedPort {
  readonly #disk = new DiskRequests();
  /** Requests whose answers wait to leave, by arrival time. */
  readonly #answered = new Set<Cycles>();
  /** Disk writes since they were last taken. */
  #writes = 0;

  override endRequest(arrival: Cycles): void {
    this.#answered.add(arrival);
    super.endRequest(arrival);
  }

  protected override answerLeft(arrival: Cycles, now: Cycles): void {
    this.#answered.delete(arrival);
    super.answerLeft(arrival, now);
  }

  protected override askDisk(request: DiskIo): Cycles {
    if (request.write) this.#writes++;
    return super.askDisk(request);
  }

  protected override serveDisk(request: DiskIo, now: Cycles): Cycles {
    const due = super.serveDisk(request, now);
    this.#disk.ask(due, brings(request));
    return due;
  }

  /** What is under way at `now`, and how many writes there were since the last call. */
  take(now: Cycles): {
    readonly disk: readonly DiskRequest[];
    readonly answered: ReadonlySet<Cycles>;
    readonly writes: number;
  } {
    this.#disk.takeAnswered(now);
    const writes = this.#writes;
    this.#writes = 0;
    return { disk: [...this.#disk.all], answered: new Set(this.#answered), writes };
  }
}
