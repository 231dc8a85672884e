import { type EventKind, Phase as EventPhase } from '../engine/engine.ts';
import type { Ticks } from '../engine/timebase.ts';
import { CYCLES } from '../machine/learned/cells.ts';
import { type Learned, Phase } from '../machine/learned/learned.ts';
import { estimateRatio, type Part } from '../stats/replications.ts';
import type { LearnedGroup, SamplingOutcome } from '../stats/result.ts';
import type { Simulation } from './build.ts';
import { FirstUse } from './first-use.ts';
import type { SamplingPlan } from './sampling-schema.ts';

/** Windows in a row before anything is skipped. */
const FIRST = 4;
/** The next window begins when the run is so many times as long. */
const GROWTH = 1.5;
/** Prices change a little while nothing is learned: they are renewed when it is so much later. */
const REFRESH = 1.1;
/** Windows after which an error that stays above the target is told instead. */
const MOST = 40;

/**
 * Decides what is simulated in detail: the beginning, windows until prices are known well enough,
 * then one now and then, so that a change is noticed.
 */
export class Sampling {
  readonly #simulation: Simulation;
  readonly #learned: readonly Learned[];
  readonly #plan: SamplingPlan;
  readonly #step: EventKind;
  #phase: Phase = Phase.Detail;
  #since: Ticks = 0;
  #detail: Ticks = 0;
  #windows = 0;
  /** When the next window begins, of a time that is skipped. */
  #wake: Ticks = 0;
  readonly #firstUse: readonly FirstUse[];
  /** By host and group, by window: cycles, and what the prices of all windows say. */
  readonly #seen: Window[] = [];

  constructor(simulation: Simulation, learned: readonly Learned[], plan: SamplingPlan) {
    this.#simulation = simulation;
    this.#learned = learned;
    this.#plan = plan;
    this.#firstUse = learned.flatMap((one) =>
      simulation.scenario.vms.map((_, group) => new FirstUse(one, group)),
    );
    const { engine, scenario } = simulation;
    this.#step = engine.defineEvent(EventPhase.Stop, (now) => this.#next(now));
    engine.schedule(Math.max(plan.warm, scenario.warmup), this.#step, 0);
  }

  #enter(phase: Phase, now: Ticks, until: Ticks): void {
    if (this.#phase !== Phase.Skip) this.#detail += now - this.#since;
    this.#since = now;
    this.#phase = phase;
    for (const learned of this.#learned) learned.phase = phase;
    this.#simulation.engine.schedule(Math.ceil(until), this.#step, 0);
  }

  #next(now: Ticks): void {
    const { detail, warm } = this.#plan;
    switch (this.#phase) {
      case Phase.Detail:
        this.#enter(Phase.Count, now, now + detail);
        break;
      case Phase.Count:
        this.#windows++;
        this.#seen.push(this.#look());
        if (this.#windows < FIRST || (this.#windows < MOST && this.error > this.#plan.target)) {
          this.#enter(Phase.Count, now, now + detail);
        } else {
          this.#wake = GROWTH * now;
          this.#skip(now);
        }
        break;
      default:
        if (now < this.#wake) this.#skip(now);
        else this.#enter(Phase.Detail, now, now + warm);
    }
  }

  /** Skips until the next window, or until prices have to be looked at again. */
  #skip(now: Ticks): void {
    for (const use of this.#firstUse) use.fade();
    for (const { cells } of this.#learned) cells.renew();
    this.#enter(Phase.Skip, now, Math.min(this.#wake, REFRESH * now));
  }

  /** What a window has seen. */
  #look(): Window {
    for (const use of this.#firstUse) use.look();
    return this.#learned.map(({ cells }) => {
      const units = cells.endWindow();
      return { units, cycles: cells.takeCycles() };
    });
  }

  /** The largest half-width of any group. */
  get error(): number {
    return this.groups().reduce((most, { halfWidth }) => Math.max(most, halfWidth ?? 0), 0);
  }

  groups(): LearnedGroup[] {
    const { scenario } = this.#simulation;
    return scenario.vms.map(({ name }, group) => {
      const parts = this.#learned.flatMap((learned, host) => this.#partsOf(learned, host, group));
      return { group: name, halfWidth: estimateRatio(parts)?.halfWidth };
    });
  }

  /** By window: cycles of a group, and what the prices that are known now make of its work. */
  #partsOf(learned: Learned, host: number, group: number): Part[] {
    const { cells } = learned;
    return this.#seen.map((window) => {
      const { cycles, units } = window[host]!;
      let part = 0;
      let whole = 0;
      for (const [kind, sum] of cycles.entries()) {
        if (learned.groupOfKind(kind) === group && !learned.isAnyPath(kind)) part += sum ?? 0;
      }
      for (const [cell, n] of units.entries()) {
        if (n === 0) continue;
        const kind = cells.kindOf(cell);
        if (learned.groupOfKind(kind) !== group || learned.isAnyPath(kind)) continue;
        whole += n * cells.prices[cells.priceOf(cell) + CYCLES]!;
      }
      return { part, whole };
    });
  }

  outcome(now: Ticks): SamplingOutcome {
    const last = this.#phase === Phase.Skip ? 0 : now - this.#since;
    return {
      windows: this.#windows,
      detail: (this.#detail + last) / now,
      groups: this.groups(),
    };
  }
}

/** By host: units by cell, and cycles by kind. */
type Window = readonly {
  readonly units: readonly number[];
  readonly cycles: readonly (number | undefined)[];
}[];
