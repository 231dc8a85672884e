import { enumerated, groupBy } from '../base/collections.ts';
import { grouped } from '../base/rounded.ts';
import { requestsNeeded, type WindowFinding } from './findings.ts';
import type { VmRow } from './result.ts';

/** What a VM had done by some moment of the window. */
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
   * Cycles in which each vCPU that competes for the VM's pCPUs could have one turn; undefined:
   * there are no slices.
   */
  readonly roundCycles: number | undefined;
  /** Set when it replays a trace that ended: when, in cycles from the start of the run. */
  readonly traceEndedAt?: number | undefined;
}

export interface WindowFacts {
  readonly windowCycles: number;
  /** When the window began, in cycles from the start of the run. */
  readonly startCycle: number;
  readonly mhz: number;
  readonly vms: readonly VmWindow[];
}

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
/** A larger difference in cycles per instruction between the halves of the window is not noise. */
const DRIFT = 0.1;
/** A half with fewer instructions says nothing about their cost. */
const INSTRUCTIONS = 200_000;
/** A queue that grew by more standard deviations of a Poisson count than this is not steady. */
const DEVIATIONS = 4;

export function windowFindings(facts: WindowFacts): WindowFinding[] {
  return [
    ...noTurn(facts),
    ...fewSlices(facts),
    ...fewRequests(facts),
    ...drifts(facts),
    ...growingQueues(facts),
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
  const message =
    `${enumerated(names)} waited for a pCPU and got no turn in ` + `${atLeast(windowCycles, mhz)}`;
  return round > windowCycles
    ? [{ kind: 'no-turn', vms: names, message, needed: picoseconds(round, mhz) }]
    : [{ kind: 'no-turn', vms: names, message }];
}

function fewSlices({ vms, windowCycles, mhz }: WindowFacts): WindowFinding[] {
  const short = vms.filter(({ row, roundCycles }) => {
    const { ready_cycles = 0, elapsed_cycles = windowCycles } = row.metrics;
    const ready = ready_cycles / elapsed_cycles;
    return ready > WAITED && (roundCycles ?? 0) > windowCycles;
  });
  if (short.length === 0) return [];
  const round = Math.max(...short.map(({ roundCycles }) => roundCycles!));
  const names = short.map(({ row }) => row.vm);
  return [
    {
      kind: 'few-slices',
      vms: names,
      message:
        `the window of ${atLeast(windowCycles, mhz)} is shorter than the ` +
        `${atLeast(round, mhz)} in which each VM has one slice: how ${enumerated(names)} ` +
        `${names.length === 1 ? 'shares' : 'share'} the pCPUs does not show yet`,
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
  // A VM that received no request in the window does not say how long it would take.
  const least = few.find(({ n }) => n > 0)?.n;
  const cycles = (quantile: number) => (windowCycles * requestsNeeded(quantile)) / least!;
  const needs = missing.map(([name, quantile], i) => {
    const window = i === 0 ? 'a window of ' : '';
    const time = least === undefined ? '' : ` (${window}${atLeast(cycles(quantile), mhz)})`;
    return `${name} needs ${grouped(requestsNeeded(quantile))}${time}`;
  });
  const names = few.map(({ vm }) => vm);
  const [fewest] = few;
  const counts = few.slice(0, 3).map(({ vm, n }) => `${vm} ${grouped(n)}`);
  const had =
    few.length === 1 ? `${fewest!.vm} had ${grouped(fewest!.n)}` : `fewest: ${counts.join(', ')}`;
  const message = `too few requests for some percentiles (${had}): ${needs.join(', ')}`;
  const needed = least === undefined ? {} : { needed: picoseconds(cycles(highest), mhz) };
  return [{ kind: 'few-requests', vms: names, message, ...needed }];
}

/** The halves of the window, for the VMs whose progress was recorded. */
const halvesOf = ({ vms }: WindowFacts) =>
  vms.flatMap(({ row, progress }) => (progress ? [{ row, progress }] : []));

/** Twice as long: the first half becomes warm-up. */
const twice = ({ windowCycles, mhz }: WindowFacts) => picoseconds(2 * windowCycles, mhz);

/** VMs of a group run the same program: together they say more about its cost than each alone. */
function drifts(facts: WindowFacts): WindowFinding[] {
  return [...groupBy(halvesOf(facts), ({ row }) => row.group)].flatMap(([group, members]) => {
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
    return {
      kind: 'drift',
      vms: members.map(({ row }) => row.vm),
      message:
        `${group} took ${first.toFixed(2)} cycles per instruction in the first half of the ` +
        `window and ${second.toFixed(2)} in the second`,
      needed: twice(facts),
    };
  });
}

function growingQueues(facts: WindowFacts): WindowFinding[] {
  return halvesOf(facts).flatMap(({ row: { vm, metrics }, progress: [start, middle, end] }) => {
    const noise = DEVIATIONS * Math.sqrt(Math.max(1, metrics.requests_arrived ?? 0));
    const grows = middle.queued > start.queued && end.queued > middle.queued;
    if (!grows || end.queued - start.queued <= noise) return [];
    return {
      kind: 'queue-grows',
      vms: [vm],
      message:
        `the queue of ${vm} grew from ${grouped(start.queued)} to ${grouped(end.queued)} ` +
        'requests: more arrive than it serves',
      needed: twice(facts),
    };
  });
}

function tracesEnded({ vms, startCycle, windowCycles, mhz }: WindowFacts): WindowFinding[] {
  return vms.flatMap(({ row: { vm }, traceEndedAt }): WindowFinding[] => {
    if (traceEndedAt === undefined || traceEndedAt >= startCycle + windowCycles) return [];
    const before = traceEndedAt <= startCycle;
    const when = before
      ? `after ${atLeast(traceEndedAt, mhz)}, before the measured window`
      : `${atLeast(traceEndedAt - startCycle, mhz)} into the window of ` +
        `${atLeast(windowCycles, mhz)}`;
    const message =
      `the trace of ${vm} ended ${when}: add loop: true to its workload, set duration: work, ` +
      'or give a longer trace';
    return [{ kind: 'trace-ended', vms: [vm], message }];
  });
}
