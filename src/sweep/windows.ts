import type { Place } from '../base/errors.ts';
import { tickRateOf } from '../scenario/hosts.ts';
import type { PlacedValue } from '../scenario/overrides.ts';
import type { Scenario } from '../scenario/resolve.ts';
import type { FindingKind } from '../stats/findings.ts';
import type { Objective } from './objective.ts';
import type { UnitResult, VmResult } from './unit.ts';

/**
 * How long the windows of a search are, and what they are too short for. Times are in picoseconds.
 */
export interface Window {
  readonly warmup: number;
  /** Of the measured window, which begins after the warm-up. */
  readonly length: number;
}

/** Why a window says too little, whatever was measured in it. */
export interface Shortcoming {
  readonly message: string;
  /** How long the window has to be at least; twice as long when it is not known. */
  readonly needed: number | undefined;
  /** The state still changes: the warm-up was too short. */
  readonly drift: boolean;
  /**
   * Share of the requests that the edges of the window may tell wrong; undefined: it may tell all
   * of them wrong.
   */
  readonly blur?: number;
}

/** A longer window is not worth its runs when it is not longer by this much. */
const WORTH = 1.25;

/** The next window to try; undefined when the ceiling on warm-up and window together is reached. */
export function longer(
  { warmup, length }: Window,
  ceiling: number,
  { needed = 0, drift = false }: Partial<Shortcoming> = {},
): Window | undefined {
  const wanted = Math.max(2 * length, needed);
  // What changed all the time becomes warm-up.
  const moved = drift ? warmup + length : warmup;
  const fits = Math.min(wanted, ceiling - moved);
  if (fits >= WORTH * length) return { warmup: moved, length: fits };
  return drift ? longer({ warmup, length }, ceiling, { needed }) : undefined;
}

/** That of a scenario; undefined when its end is not given by a time. */
export function ownWindow(scenario: Scenario): Window | undefined {
  const { duration, warmup } = scenario;
  if (duration === 'work') return undefined;
  const picoseconds = (ticks: number) => (ticks * 1e12) / tickRateOf(scenario);
  return { warmup: picoseconds(warmup), length: picoseconds(duration - warmup) };
}

/**
 * The settings that make a scenario have such a window; faults of theirs would be shown at `place`.
 */
export function settingsOf({ warmup, length }: Window, place: Place): PlacedValue[] {
  const setting = (path: string, time: number): PlacedValue => ({
    path,
    place,
    value: { form: 'scalar', place, value: exactTime(time) },
  });
  return [setting('warmup', warmup), setting('duration', warmup + length)];
}

/** As YAML has it, in the largest unit that is exact to the nanosecond. */
function exactTime(picoseconds: number): string {
  const ns = Math.round(picoseconds / 1e3);
  for (const [unit, factor] of [
    ['ms', 1e6],
    ['us', 1e3],
  ] as const) {
    if (ns % factor === 0) return `${ns / factor}${unit}`;
  }
  return `${ns}ns`;
}

/** Windows there may be from one of the scenario's own length on. */
export function stagesUpTo(own: Window, ceiling: number): number {
  let stages = 1;
  for (let next = longer(own, ceiling); next; next = longer(next, ceiling)) stages++;
  return stages;
}

/**
 * Turns that each VM has to have had: with fewer, what it got depends on where the window happens
 * to begin.
 */
const TURNS = 4;
/**
 * Rounds of slices that a window gets that was too short: a little more, so that turns at its edges
 * do not matter.
 */
export const ROUNDS = 5;
/** Share of the time a VM must wait for its turns to matter. */
const WAITS = 0.01;

/** VMs that compete for a pCPU, with the turns they had. */
function competing({ vms, windowCycles }: UnitResult): { vm: VmResult; turns: number }[] {
  return vms.flatMap((vm) => {
    const { ready_share: ready = 0, turns = 0 } = vm.values;
    return ready > WAITS && windowCycles > 0 ? [{ vm, turns }] : [];
  });
}

/**
 * By how much a share of the pCPUs may be wrong because a window cuts the first and the last turn:
 * one turn of those that the VM had. Zero for a VM that did not have to wait.
 */
export function resolution({ values }: VmResult): number {
  const { ready_share: ready = 0, turns = 0 } = values;
  return ready > WAITS ? 1 / Math.max(1, turns) : 0;
}

/** In more than three of four replications it is no accident. */
const often = (count: number, n: number) => 4 * count > 3 * n;

/**
 * What stands in the way of any verdict from these results: a VM without a turn, a window of less
 * than a few rounds of slices, a state that still changes. `again`: the window was made longer so
 * often since a VM had no turn that the VM will have none in a longer one either.
 */
export function shortcoming(
  objective: Objective,
  results: readonly UnitResult[],
  window: Window,
  again: number,
): Shortcoming | undefined {
  const findings = results.flatMap((result) => result.findings);
  for (const { kind, message, needed, vms } of findings) {
    if (kind !== 'no-turn' && kind !== 'few-slices') continue;
    if (needed !== undefined) return { message, needed: ROUNDS * needed, drift: false };
    if (kind === 'few-slices' || again >= PATIENCE) continue;
    const about = objective.group === undefined || vms.some((vm) => isIn(vm, objective.group!));
    if (about) return { message, needed: undefined, drift: false };
  }
  const rare = results
    .flatMap(competing)
    .filter(({ turns }) => turns > 0 && turns < TURNS)
    .toSorted((a, b) => a.turns - b.turns)[0];
  if (rare) {
    const { vm, turns } = rare;
    const message = `${vm.vm} had ${turns === 1 ? 'one turn' : `${turns} turns`}`;
    return { message, needed: (window.length * ROUNDS) / turns, drift: false, blur: 1 / turns };
  }
  const message = oftenFound('drift', results);
  return message === undefined ? undefined : { message, needed: undefined, drift: true };
}

/** Windows are made longer so many times for a VM without a turn. */
export const PATIENCE = 2;

const isIn = (vm: string, group: string) => vm.replace(/-\d+(?=$|\/)/, '') === group;

/**
 * Says that a queue grew all the time: no limit is kept for long, so only a verdict that it is
 * broken is sure.
 */
export function growingQueue(results: readonly UnitResult[]): string | undefined {
  return oftenFound('queue-grows', results);
}

/** What the first finding of a kind says, when most replications have one. */
function oftenFound(kind: FindingKind, results: readonly UnitResult[]): string | undefined {
  const messages = results.flatMap(({ findings }) => {
    const found = findings.find((finding) => finding.kind === kind);
    return found ? [found.message] : [];
  });
  return often(messages.length, results.length) ? messages[0] : undefined;
}

/** A VM that could do nothing at all, in words that do not speak of infinity. */
export function gotNothing(results: readonly UnitResult[], vm: string): string | undefined {
  for (const { findings, vms } of results) {
    const found = findings.find(({ kind, vms: names }) => kind === 'no-turn' && names.includes(vm));
    if (found) return found.message;
    const values = vms.find((row) => row.vm === vm)?.values;
    const n = values?.requests_unfinished ?? 0;
    if (values?.requests === 0 && n > 0) {
      return `${vm} served none of its ${n === 1 ? 'one request' : `${n} requests`}`;
    }
  }
  return undefined;
}

/** `50 ms`, `1.28 s`. */
export function showTime(picoseconds: number): string {
  for (const [unit, factor] of [
    ['s', 1e12],
    ['ms', 1e9],
    ['us', 1e6],
  ] as const) {
    if (picoseconds >= factor) return `${Number((picoseconds / factor).toPrecision(3))} ${unit}`;
  }
  return `${Math.round(picoseconds / 1e3)} ns`;
}
