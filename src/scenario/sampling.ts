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
/**
 * The next window begins when the run is so many times as long: how uncertain prices are, as a
 * multiple of the target, decides.
 */
const growthFor = (uncertainty: number): number =>
  uncertainty > 1 ? 1.25 : uncertainty > 0.5 ? 1.5 : 2;
/** Instructions of a path for each of its visits, about. */
const OF_A_PATH = 75;
/** Instructions of a group's programs below which windows tell nothing about it. */
const ENOUGH = 5e5;
/** Groups with a smaller part of the work need not reach the target. */
const SMALL = 0.02;
/** Prices change a little while nothing is learned: they are renewed when it is so much later. */
const REFRESH = 1.1;

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
        if (this.#windows < FIRST) this.#enter(Phase.Count, now, now + detail);
        else {
          this.#wake = now * growthFor(this.error / this.#plan.target);
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
    const window = this.#learned.map(({ cells }) => {
      const cycles = cells.takeCycles();
      return { units: cells.endWindow(), cycles };
    });
    for (const use of this.#firstUse) use.settle();
    return window;
  }

  /** The largest half-width of any group that does much. */
  get error(): number {
    const groups = this.groups();
    const all = groups.reduce((sum, { cycles }) => sum + cycles, 0);
    return groups
      .filter(({ cycles }) => cycles > SMALL * all)
      .reduce((most, { halfWidth }) => Math.max(most, halfWidth ?? Infinity), 0);
  }

  groups(): (LearnedGroup & { readonly cycles: number })[] {
    const { scenario } = this.#simulation;
    return scenario.vms.map(({ name }, group) => {
      const parts = this.#learned.flatMap((learned, host) => this.#partsOf(learned, host, group));
      const cycles = parts.reduce((sum, { part }) => sum + part, 0);
      const instructions = this.#learned.reduce((sum, one) => sum + one.learnedFrom(group), 0);
      const enough = instructions >= ENOUGH ? estimateRatio(parts)?.halfWidth : undefined;
      return { group: name, instructions, halfWidth: enough, cycles };
    });
  }

  /** By window: cycles of a group, and what the prices that are known now make of its work. */
  #partsOf(learned: Learned, host: number, group: number): Part[] {
    const { cells } = learned;
    const { members, scenario } = this.#simulation;
    const plan = scenario.vms[group]!;
    const member = members.find((one) => one.group === plan);
    const cpi = (member?.workload.cpiQ8 ?? 256) / 256;
    return this.#seen.map((window) => {
      const { cycles, units } = window[host]!;
      let part = 0;
      let whole = 0;
      // What is not learned belongs to what their work costs.
      let computed = 0;
      for (const [kind, sum] of cycles.entries()) {
        if (learned.groupOfKind(kind) === group && !learned.isAny(kind)) part += sum ?? 0;
      }
      for (const [cell, n] of units.entries()) {
        if (n === 0) continue;
        const kind = cells.kindOf(cell);
        if (learned.groupOfKind(kind) !== group || learned.isAny(kind)) continue;
        whole += n * cells.prices[cells.priceOf(cell) + CYCLES]!;
        if (learned.isUser(kind)) computed += n * cpi;
        else if (!learned.isStep(kind)) computed += n * OF_A_PATH * plan.os.cpi;
      }
      part += computed;
      whole += computed;
      return { part, whole };
    });
  }

  outcome(now: Ticks): SamplingOutcome {
    const last = this.#phase === Phase.Skip ? 0 : now - this.#since;
    const groups = this.groups().map(({ group, halfWidth, instructions }) => {
      return { group, halfWidth, instructions };
    });
    return {
      windows: this.#windows,
      target: this.#plan.target,
      detail: (this.#detail + last) / now,
      groups,
    };
  }
}

/** By host: units by cell, and cycles by kind. */
type Window = readonly {
  readonly units: readonly number[];
  readonly cycles: readonly (number | undefined)[];
}[];
