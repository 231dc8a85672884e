import { enumerated, groupBy } from '../base/collections.ts';
import type { VmRow } from './result.ts';

/**
 * Whether the measured window was long enough for what is read from it, and how long it would have
 * to be.
 */
export interface WindowFinding {
  readonly kind: 'no-turn' | 'few-slices' | 'few-requests' | 'drift' | 'trace-ended';
  readonly vms: readonly string[];
  /** One line for people. */
  readonly message: string;
  /** How long the window would have to be, in picoseconds; absent where length is no cure. */
  readonly needed?: number;
}

/** What a VM did up to some moment of the window. */
export interface Progress {
  readonly instructions: number;
  readonly runningCycles: number;
  /** Requests that wait or are being served. */
  readonly queued: number;
}

export interface VmWindow {
  readonly row: VmRow;
  /**
   * At the beginning, in the middle and at the end of the window. Absent when it was not cut in
   * halves.
   */
  readonly progress?: readonly [Progress, Progress, Progress] | undefined;
  /**
   * Cycles in which each vCPU that competes for its pCPUs could have a turn; undefined: no slices.
   */
  readonly roundCycles: number | undefined;
  /** Replays a trace, which ended then, in cycles from the start of the run. */
  readonly traceEndedAt?: number | undefined;
}

export interface WindowFacts {
  readonly windowCycles: number;
  /** When the window began, in cycles from the start of the run. */
  readonly startCycle: number;
  readonly mhz: number;
  readonly vms: readonly VmWindow[];
}

/** A quantile is more than the maximum in disguise when ten values or more lie above it. */
export const requestsNeeded = (quantile: number): number => Math.round(10 / (1 - quantile));

/** The VM was runnable and executed nothing. */
export function starved({ metrics }: Pick<VmRow, 'metrics'>): boolean {
  const waited = (metrics.ready_cycles ?? 0) + (metrics.parked_cycles ?? 0);
  return waited > 0 && metrics.instructions === 0;
}

/** The VM had requests to serve and served none. */
export function servedNone({ metrics }: Pick<VmRow, 'metrics'>): boolean {
  return metrics.requests === 0 && (metrics.requests_unfinished ?? 0) > 0;
}

/** Share of the window that a VM must have waited for its slices to matter. */
const WAITED = 0.01;
/**
 * Difference of cycles per instruction between the halves of the window that is no noise any more.
 */
const DRIFT = 0.1;
/** A half with fewer instructions says nothing of their cost. */
const INSTRUCTIONS = 200_000;
/** A queue that grew by so many standard deviations of a Poisson count is not steady. */
const DEVIATIONS = 4;

export function windowFindings(facts: WindowFacts): WindowFinding[] {
  return [
    ...noTurn(facts),
    ...fewSlices(facts),
    ...fewRequests(facts),
    ...drifts(facts),
    ...tracesEnded(facts),
  ];
}

const picoseconds = (cycles: number, mhz: number) => Math.ceil((cycles / mhz) * 1e6);

/** `12 ms`, `1.2 s`: two digits, rounded up. */
function atLeast(cycles: number, mhz: number): string {
  const us = cycles / mhz;
  const [value, unit] = us < 1000 ? [us, 'us'] : us < 1e6 ? [us / 1000, 'ms'] : [us / 1e6, 's'];
  const digit = 10 ** Math.max(0, Math.floor(Math.log10(value)) - 1);
  const step = value < 10 ? digit / 10 : digit;
  return `${Number((Math.ceil(value / step - 1e-9) * step).toPrecision(3))} ${unit}`;
}

function noTurn({ vms, windowCycles, mhz }: WindowFacts): WindowFinding[] {
  const without = vms.filter(({ row }) => starved(row));
  if (without.length === 0) return [];
  const names = without.map(({ row }) => row.vm);
  const round = Math.max(...without.map(({ roundCycles }) => roundCycles ?? 0));
  const message = `${enumerated(names)} waited for a pCPU and got no turn in ${atLeast(windowCycles, mhz)}`;
  return round > windowCycles
    ? [{ kind: 'no-turn', vms: names, message, needed: picoseconds(round, mhz) }]
    : [{ kind: 'no-turn', vms: names, message }];
}

function fewSlices({ vms, windowCycles, mhz }: WindowFacts): WindowFinding[] {
  const short = vms.filter(({ row, roundCycles }) => {
    const ready = (row.metrics.ready_cycles ?? 0) / windowCycles;
    return ready > WAITED && (roundCycles ?? 0) > windowCycles;
  });
  if (short.length === 0) return [];
  const round = Math.max(...short.map(({ roundCycles }) => roundCycles!));
  const names = short.map(({ row }) => row.vm);
  return [
    {
      kind: 'few-slices',
      vms: names,
      message: `the window of ${atLeast(windowCycles, mhz)} is shorter than a round of slices of ${enumerated(names)}, ${atLeast(round, mhz)}: shares of the pCPUs do not show yet`,
      needed: picoseconds(round, mhz),
    },
  ];
}

const QUANTILES = [
  ['p50', 0.5],
  ['p95', 0.95],
  ['p99', 0.99],
] as const;

/** One line for all VMs: how many requests the percentiles need, and how few there were. */
function fewRequests({ vms, windowCycles, mhz }: WindowFacts): WindowFinding[] {
  const [, highest] = QUANTILES.at(-1)!;
  const few = vms
    .flatMap(({ row: { vm, requests } }) =>
      requests ? [{ vm, n: requests.served.length + requests.unfinished.length }] : [],
    )
    .filter(({ n }) => n < requestsNeeded(highest))
    .toSorted((a, b) => a.n - b.n);
  if (few.length === 0) return [];
  const missing = QUANTILES.filter(([, quantile]) => few[0]!.n < requestsNeeded(quantile));
  // A VM to which nothing came in the window does not say how long it would take.
  const least = few.find(({ n }) => n > 0)?.n;
  const cycles = (quantile: number) => (windowCycles * requestsNeeded(quantile)) / least!;
  const needs = missing.map(([name, quantile]) => {
    const time = least === undefined ? '' : ` (${atLeast(cycles(quantile), mhz)})`;
    return `${name} needs ${requestsNeeded(quantile)}${time}`;
  });
  const names = few.map(({ vm }) => vm);
  const counts = few.slice(0, 3).map(({ vm, n }) => `${vm} ${n}`);
  const more = few.length > 3 ? `, ${few.length - 3} more` : '';
  const message = `too few requests for some percentiles: ${counts.join(', ')}${more}; ${needs.join(', ')}`;
  const needed = least === undefined ? {} : { needed: picoseconds(cycles(highest), mhz) };
  return [{ kind: 'few-requests', vms: names, message, ...needed }];
}

function drifts({ vms, windowCycles, mhz }: WindowFacts): WindowFinding[] {
  const needed = picoseconds(2 * windowCycles, mhz);
  const found = (names: readonly string[], message: string): WindowFinding => ({
    kind: 'drift',
    vms: names,
    message,
    needed,
  });
  const halves = vms.flatMap(({ row, progress }) => (progress ? [{ row, progress }] : []));
  // VMs of a group run the same program: together they say more of its cost than each.
  const costs = [...groupBy(halves, ({ row }) => row.group)].flatMap(([group, members]) => {
    const sum = (at: 0 | 1 | 2, name: 'instructions' | 'runningCycles') =>
      members.reduce((total, { progress }) => total + progress[at][name], 0);
    const cpi = (from: 0 | 1, to: 1 | 2) => {
      const instructions = sum(to, 'instructions') - sum(from, 'instructions');
      if (instructions < INSTRUCTIONS) return undefined;
      return (sum(to, 'runningCycles') - sum(from, 'runningCycles')) / instructions;
    };
    const [first, second] = [cpi(0, 1), cpi(1, 2)];
    if (first === undefined || second === undefined) return [];
    if (Math.abs(second - first) <= DRIFT * Math.min(first, second)) return [];
    return found(
      members.map(({ row }) => row.vm),
      `${group} took ${first.toFixed(2)} cycles per instruction in the first half of the window and ${second.toFixed(2)} in the second`,
    );
  });
  const queues = halves.flatMap(({ row: { vm, metrics }, progress: [start, middle, end] }) => {
    const noise = DEVIATIONS * Math.sqrt(Math.max(1, metrics.requests_arrived ?? 0));
    const grows = middle.queued > start.queued && end.queued > middle.queued;
    if (!grows || end.queued - start.queued <= noise) return [];
    return found(
      [vm],
      `the queue of ${vm} grew from ${start.queued} to ${end.queued} requests: more arrive than it serves`,
    );
  });
  return [...costs, ...queues];
}

function tracesEnded({ vms, startCycle, windowCycles, mhz }: WindowFacts): WindowFinding[] {
  return vms.flatMap(({ row: { vm }, traceEndedAt }): WindowFinding[] => {
    if (traceEndedAt === undefined || traceEndedAt >= startCycle + windowCycles) return [];
    const before = traceEndedAt <= startCycle;
    const when = before
      ? `after ${atLeast(traceEndedAt, mhz)}, before the measured window`
      : `${atLeast(traceEndedAt - startCycle, mhz)} into the window of ${atLeast(windowCycles, mhz)}`;
    const message = `the trace of ${vm} ended ${when}: add loop: true to its workload, set duration: work, or give a longer trace`;
    return [{ kind: 'trace-ended', vms: [vm], message }];
  });
}
