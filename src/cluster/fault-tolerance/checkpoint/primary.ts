import type { Cycles } from '../../../base/ids.ts';
import { SendingSide } from '../sending-side.ts';
import type { SideDeps } from '../side.ts';
import type { Timer } from '../timers.ts';
import type { Captured, Checkpoint, Chunk } from './checkpoint.ts';
import type { EpochPolicy } from './policy.ts';

/** Bytes of a chunk. */
const CHUNK = 65_536;

/** A checkpoint that was acknowledged: what it took. */
export interface Completed {
  readonly epoch: number;
  /** From the begin of the checkpoint before to that of this one. */
  readonly length: Cycles;
  readonly pages: number;
  readonly bytes: number;
  readonly pause: Cycles;
}

interface UnderWay<T> {
  readonly checkpoint: Checkpoint<T>;
  /** Number of its last chunk. */
  readonly last: number;
  readonly length: Cycles;
}

export interface CheckpointPrimaryDeps<T> {
  readonly side: SideDeps<Chunk<T>>;
  readonly guest: Captured<T>;
  readonly policy: EpochPolicy;
  onCompleted(completed: Completed, now: Cycles): void;
}

/**
 * The primary of a pair with checkpoints: the guest runs for an epoch, is stopped and copied, and
 * runs on while the copy crosses the link. What it sends in an epoch leaves when the checkpoint
 * that
 * ends the epoch is acknowledged. The next checkpoint begins no sooner (Remus: one buffer).
 */
export class CheckpointPrimary<T> extends SendingSide<Chunk<T>> {
  readonly #deps: CheckpointPrimaryDeps<T>;
  #epoch = 1;
  #sequence = 0;
  /** When the last checkpoint began, and how long it took from there to be acknowledged. */
  #begun: Cycles;
  #turnaround: Cycles = 0;
  /** When the next one is due, if it is not held up. */
  #due: Cycles;
  #underWay: UnderWay<T> | null = null;
  #timer: Timer;

  constructor(deps: CheckpointPrimaryDeps<T>, now: Cycles, stamp: Cycles) {
    super(deps.side, now, stamp);
    this.#deps = deps;
    this.#begun = now;
    this.#due = now + deps.policy.first;
    this.#timer = this.#captureAt(this.#due);
  }

  /** Number of the last epoch whose outputs have left. */
  releasedEpoch = 0;

  /** Number of the epoch that the guest is in. */
  get epoch(): number {
    return this.#epoch;
  }

  /** Executed time that is lost when the other side goes on from there. */
  lagAt(now: Cycles, from = this.replayed): Cycles {
    return Math.max(0, this.#deps.guest.executedAt(now) - from);
  }

  /** How long an output of `now` will wait, if the next checkpoint is like the last one. */
  waitAt(now: Cycles): Cycles {
    return Math.max(0, this.#due - now) + this.#turnaround;
  }

  /**
   * Something leaves the guest, which goes on: `release` is called when it may leave the host, at
   * once when there is nobody to tell, never when this side has to halt.
   */
  output(now: Cycles, release: (now: Cycles) => void): void {
    if (this.state === 'halted') return;
    if (this.recording) this.outputs.hold(this.#epoch, now, release);
    else release(now);
  }

  #captureAt(time: Cycles): Timer {
    return this.deps.timers.at(time, (now) => {
      if (this.state !== 'protected') return;
      const length = now - this.#begun;
      this.#begun = now;
      this.#due = now + Math.max(length, this.#turnaround);
      this.#deps.guest.capture((capture, at) => this.#send(capture, length, at));
    });
  }

  /** The guest runs again: the next epoch has begun. */
  #send(capture: Omit<Checkpoint<T>, 'epoch'>, length: Cycles, now: Cycles): void {
    if (this.state !== 'protected') return;
    const checkpoint = { ...capture, epoch: this.#epoch++ };
    this.written = checkpoint.stamp;
    const chunks = Math.max(1, Math.ceil(checkpoint.bytes / CHUNK));
    this.#underWay = { checkpoint, last: this.#sequence + chunks, length };
    for (let i = 1; i <= chunks; i++) {
      const last = i === chunks;
      this.log.append(
        {
          sequence: ++this.#sequence,
          bytes: last ? checkpoint.bytes - (chunks - 1) * CHUNK : CHUNK,
          completes: last ? checkpoint : undefined,
        },
        now,
      );
    }
  }

  protected onProgress(now: Cycles): void {
    const done = this.#underWay;
    if (!done || this.acknowledged < done.last) return;
    this.#underWay = null;
    const { bytes, epoch, pages, pause, stamp } = done.checkpoint;
    const { onCompleted, policy } = this.#deps;
    this.replayed = stamp;
    this.#turnaround = now - this.#begun;
    this.releasedEpoch = epoch;
    this.outputs.acknowledge(epoch, now);
    this.#due = Math.max(now, this.#begun + policy.next({ pages, pause }));
    this.#timer = this.#captureAt(this.#due);
    onCompleted({ epoch, length: done.length, pages, bytes, pause }, now);
  }

  protected onRoom(): void {}

  protected onAlone(now: Cycles): void {
    this.#timer.cancel();
    this.#deps.guest.alone(now);
  }

  protected onStopped(now: Cycles): void {
    this.#timer.cancel();
    this.#deps.guest.halt(now);
  }
}
