import type { Cycles } from '../../../base/ids.ts';
import { GatedPort } from '../gated-port.ts';

/** The port of a vCPU that is checkpointed: knows what its devices have under way. */
export class CapturedPort extends GatedPort {
  /** When disk requests will be answered. */
  #io: Cycles[] = [];
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

  protected override answerIo(bytes: number, due: Cycles): void {
    if (bytes === 0) this.#writes++;
    super.answerIo(bytes, due);
  }

  protected override gatedIo(bytes: number, due: Cycles): void {
    this.#io.push(due);
    super.gatedIo(bytes, due);
  }

  /** What is under way at `now`, and how many writes there were since the last call. */
  take(now: Cycles): { io: readonly Cycles[]; answered: ReadonlySet<Cycles>; writes: number } {
    this.#io = this.#io.filter((due) => due > now);
    const writes = this.#writes;
    this.#writes = 0;
    return { io: [...this.#io], answered: new Set(this.#answered), writes };
  }
}
