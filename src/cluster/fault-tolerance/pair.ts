import type { Cycles } from '../../base/ids.ts';
import { Generations, type GenerationsDeps } from './generations.ts';
import { lagControls } from './lag-controls/index.ts';
import type { LagControl } from './lag-controls/lag-control.ts';
import type { LogEntry } from './log-entry.ts';
import type { RecordReplayParams } from './params.ts';
import { PrimarySide } from './primary-side.ts';
import type { Replica } from './replica.ts';
import { SecondarySide } from './secondary-side.ts';

export type { PairState } from './generations.ts';

/** A host and what executes the guest there. */
export interface End {
  readonly host: string;
  readonly replica: Replica;
}

export interface PairDeps extends GenerationsDeps {
  readonly params: Omit<RecordReplayParams, 'disk'>;
}

/** A guest protected by record and replay: its sides, and the controller of the lag. */
export class Pair extends Generations<LogEntry, PrimarySide, SecondarySide> {
  readonly control: LagControl;
  protected lagging = false;
  #primaryReplica: Replica | null = null;

  constructor(deps: PairDeps) {
    const { params, timers, toCycles } = deps;
    super(deps, params, params.log);
    const scaled = (picoseconds: number) =>
      Math.max(1, Math.round(toCycles(picoseconds) * params.timeScale));
    this.control = lagControls.create(params.lagControl, { cycles: scaled });
    const look = (now: Cycles) => {
      this.#look(now);
      timers.at(now + this.times.control, look);
    };
    timers.at(this.times.control, look);
  }

  /**
   * From now on the primary records: the secondary is a copy of it at this moment, after it has
   * executed for `stamp`. The last `bytes` of the copy are still to be sent; the secondary exists
   * when they have arrived.
   */
  protect(primary: End, secondary: End, stamp: Cycles, now: Cycles, bytes = 0): void {
    this.lagging = false;
    this.#primaryReplica = primary.replica;
    this.connect(
      { primary: primary.host, secondary: secondary.host, bytes },
      now,
      (deps) => new PrimarySide(deps, primary.replica, now, stamp),
      (deps, at) => new SecondarySide(deps, secondary.replica, at, stamp),
    );
  }

  get cpuLimit(): number {
    return this.control.limit;
  }

  lagAt(): Cycles {
    return this.primary?.recording ? this.primary.lag : 0;
  }

  /** The primary's host looks at the lag: it knows what the other side has told it. */
  #look(now: Cycles): void {
    const { primary } = this;
    if (primary?.state !== 'protected' || !primary.news) return;
    primary.news = false;
    const { control } = this;
    const before = control.limit;
    const { lag, replayed, written } = primary;
    control.next({ now, lag, executed: written, replayed });
    if (control.limit !== before) this.#primaryReplica!.limit(control.limit, now);
    if (lag > control.bad) this.lagging = true;
    else if (lag < control.good) this.lagging = false;
    this.update(now);
  }
}
