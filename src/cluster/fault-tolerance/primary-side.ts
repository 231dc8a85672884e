import type { Cycles } from '../../base/ids.ts';
import type { EntryKind, LogEntry } from './log-entry.ts';
import type { Message } from './messages.ts';
import type { Replica } from './replica.ts';
import { SendingSide } from './sending-side.ts';
import type { SideDeps } from './side.ts';

/** What a guest on the primary does that the log has to tell. */
export interface Recorded {
  readonly point: number;
  readonly kind: EntryKind;
  readonly value: number;
  readonly bytes: number;
  readonly stamp: Cycles;
}

/** The primary of record and replay: writes the log, and stops when that is full. */
export class PrimarySide extends SendingSide<LogEntry> {
  readonly #replica: Replica;
  #sequence = 0;
  #stalled = false;
  /** Something was heard of the replay since the lag was last looked at. */
  news = false;
  bytesLogged = 0;

  constructor(deps: SideDeps<LogEntry>, replica: Replica, now: Cycles, stamp: Cycles) {
    super(deps, now, stamp);
    this.#replica = replica;
  }

  /** Executed time by which the secondary is known to be behind. */
  get lag(): Cycles {
    return this.log.outstanding === 0 && this.replayed >= this.written
      ? 0
      : Math.max(0, this.written - this.replayed);
  }

  /** Number of the last entry written. */
  get sequence(): number {
    return this.#sequence;
  }

  get stalled(): boolean {
    return this.#stalled;
  }

  /** Writes an entry: at `now`, which may lie ahead of the engine, it is in the log. */
  record({ point, kind, value, bytes, stamp }: Recorded, now: Cycles): LogEntry {
    const entry = { sequence: ++this.#sequence, point, kind, value, bytes, stamp };
    this.written = stamp;
    this.bytesLogged += bytes;
    this.deps.timers.at(now, (at) => this.#append(entry, at));
    return entry;
  }

  #append(entry: LogEntry, now: Cycles): void {
    if (!this.recording) return;
    this.log.append(entry, now);
    if (!this.log.full || this.#stalled) return;
    this.#stalled = true;
    this.#replica.stall(now);
  }

  /**
   * Something leaves the guest, which goes on: `release` is called when it may leave the host, at
   * once when there is nobody to tell, never when this side has to halt.
   */
  output(event: Recorded, now: Cycles, release: (now: Cycles) => void): void {
    if (this.state === 'halted') return;
    if (!this.recording) {
      release(now);
      return;
    }
    const { sequence } = this.record(event, now);
    this.outputs.hold(sequence, now, release);
  }

  protected override onMessage(message: Message<LogEntry>, now: Cycles): void {
    if (message.kind === 'progress') this.news = true;
    super.onMessage(message, now);
  }

  protected onProgress(now: Cycles): void {
    this.outputs.acknowledge(this.acknowledged, now);
  }

  protected onAlone(now: Cycles): void {
    this.#replica.limit(1, now);
    this.onRoom(now);
  }

  protected onStopped(now: Cycles): void {
    this.#replica.halt(now);
  }

  protected onRoom(now: Cycles): void {
    if (!this.#stalled) return;
    this.#stalled = false;
    this.#replica.go(now);
  }
}
