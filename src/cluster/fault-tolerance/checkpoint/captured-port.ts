import type { Cycles } from '../../../base/ids.ts';
import type { IoRequest } from '../../../hypervisor/device-work.ts';
import { DiskRequests } from '../disk-requests.ts';
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

  protected override askDisk(request: IoRequest): void {
    if (request.write) this.#writes++;
    super.askDisk(request);
  }

  protected override serveDisk(request: IoRequest, now: Cycles): void {
    this.#disk.ask(request);
    super.serveDisk(request, now);
  }

  protected override diskAnswers(request: IoRequest, now: Cycles): void {
    this.#disk.answered(request, now);
  }

  /** What is under way at `now`, and how many writes there were since the last call. */
  take(now: Cycles): {
    readonly disk: readonly IoRequest[];
    readonly answered: ReadonlySet<Cycles>;
    readonly writes: number;
  } {
    this.#disk.takeAnswered(now);
    const writes = this.#writes;
    this.#writes = 0;
    return { disk: this.#disk.all, answered: new Set(this.#answered), writes };
  }
}
