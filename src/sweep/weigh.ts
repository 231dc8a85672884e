import { requestsNeeded } from '../stats/findings.ts';
import type { MeasureName } from '../stats/measures.ts';
import { percentiles } from '../stats/metrics.ts';
import {
  type Counted,
  type Evidence,
  judge,
  shareEvidence,
  turned,
  type Verdict,
  valueEvidence,
} from './evidence.ts';
import { concerned, type Objective, vmValue } from './objective.ts';
import type { UnitResult, VmResult } from './unit.ts';
import { resolution } from './windows.ts';

/**
 * An objective held against the results of one point: what each VM it is about says, and all
 * together. A percentile is a statement on requests: `p95 latency < 10ms` says that less than 5 %
 * of them take 10 ms or more. So it is requests that are counted, in all replications, and not
 * percentiles that are averaged.
 */
export interface Weighed {
  readonly each: readonly Witness[];
  readonly together: Evidence;
  /** What `each` and `together` have to stay below. */
  readonly limit: number;
  /** True: shares of requests; false: values of the measure. */
  readonly shares: boolean;
  /** VMs that the objective is about and that say nothing yet, for want of requests. */
  readonly silent: readonly string[];
}

export interface Witness {
  /** Undefined: the host, or the average over VMs. */
  readonly vm: string | undefined;
  readonly group: string | undefined;
  readonly evidence: Evidence;
  /** Requests in all replications. */
  readonly requests: number;
}

const QUANTILES: Readonly<Partial<Record<MeasureName, number>>> = percentiles;
/** The maximum: not one request takes so long. */
const MAXIMUM = 1;
/** A maximum is kept when none of so many requests broke it, one that breaks it is enough. */
const MAXIMUM_NEEDS = 1000;
const RARE = 0.01;

/**
 * The percentile that an objective sets for each VM, 0 to 1; undefined when it is about something
 * else.
 */
export const quantileOf = ({ measure, scope, below }: Objective): number | undefined => {
  if (scope !== 'every') return undefined;
  return measure === 'latency_max_ns' && below ? MAXIMUM : QUANTILES[measure];
};

/** Requests of a VM from which on a quantile is more than the maximum in disguise. */
export const requestsFor = (quantile: number): number =>
  quantile === MAXIMUM ? MAXIMUM_NEEDS : requestsNeeded(quantile);

/**
 * Measures that depend on how much of the pCPUs a VM gets, which a short window shows in whole
 * turns.
 */
const SHARED = /^(?:slowdown|ready_share|\w+_per_second)$/;

export function weigh(objective: Objective, results: readonly UnitResult[]): Weighed {
  const { below, scope } = objective;
  const quantile = quantileOf(objective);
  const facing = (evidence: Evidence) => (below ? evidence : turned(evidence));
  if (quantile !== undefined) return weighRequests(objective, results, quantile);
  const limit = below ? objective.limit : -objective.limit;
  if (scope !== 'every') {
    const { samples, silent } = single(objective, results);
    const evidence = facing(valueEvidence(samples));
    const witness = { vm: undefined, group: undefined, evidence, requests: 0 };
    const each = samples.length > 0 ? [witness] : [];
    return { each, together: evidence, limit, shares: false, silent };
  }
  const silent = new Set<string>();
  const witnesses = byVm(objective, results).flatMap(([vm, rows]): Witness[] => {
    const samples = rows.flatMap((row) => vmValue(objective, row) ?? []);
    if (isLatency(objective) && rows.every(hadNoRequest)) silent.add(vm);
    if (samples.length === 0) return [];
    const blur = SHARED.test(objective.measure) ? Math.max(...rows.map(resolution)) : 0;
    const evidence = blurred(facing(valueEvidence(samples)), blur);
    const requests = rows.reduce((sum, row) => sum + countedOf(row), 0);
    return [{ vm, group: rows[0]!.group, evidence, requests }];
  });
  const averages = results.flatMap((result) => average(objective, result) ?? []);
  const blur = witnesses.length > 0 ? meanBlur(objective, results) : 0;
  return {
    each: witnesses,
    together: blurred(facing(valueEvidence(averages)), blur),
    limit,
    shares: false,
    silent: [...silent],
  };
}

/** One value for each replication: of the host, or the average over the VMs. */
function single(objective: Objective, results: readonly UnitResult[]) {
  const silent = new Set<string>();
  const samples = results.flatMap((result) => {
    if (objective.scope === 'host') return result.host[objective.measure] ?? [];
    const lacking = concerned(objective, result).filter(
      (vm) => vmValue(objective, vm) === undefined && isServer(vm) && isLatency(objective),
    );
    for (const { vm } of lacking) silent.add(vm);
    return lacking.length > 0 ? [] : (average(objective, result) ?? []);
  });
  return { samples, silent: [...silent] };
}

function average(objective: Objective, result: UnitResult): number | undefined {
  const values = concerned(objective, result).flatMap((vm) => vmValue(objective, vm) ?? []);
  if (values.length === 0) return undefined;
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function meanBlur(objective: Objective, results: readonly UnitResult[]): number {
  if (!SHARED.test(objective.measure)) return 0;
  const all = results.flatMap((result) => concerned(objective, result).map(resolution));
  return all.reduce((sum, one) => sum + one, 0) / Math.max(1, all.length);
}

/** A value that may be wrong by a share of itself besides what chance does to it. */
function blurred(evidence: Evidence, share: number): Evidence {
  if (share === 0 || !Number.isFinite(evidence.mean)) return evidence;
  const by = share * Math.abs(evidence.mean);
  return {
    ...evidence,
    bounds(tail) {
      const { low, high } = evidence.bounds(tail);
      return { low: low - by, high: high + by };
    },
  };
}

function weighRequests(
  objective: Objective,
  results: readonly UnitResult[],
  quantile: number,
): Weighed {
  const facing = (evidence: Evidence) => (objective.below ? evidence : turned(evidence));
  const judged = (all: readonly Counted[]) =>
    quantile === MAXIMUM ? noneOver(all) : shareEvidence(all, requestsNeeded(quantile));
  const vms = byVm(objective, results).filter(([, rows]) => rows.some(isServer));
  const counts = vms.map(([vm, rows]) => {
    const all = rows.flatMap((row) => (row.requests ? [counted(row, objective.limit)] : []));
    return { vm, group: rows[0]!.group, counted: all };
  });
  const share = quantile === MAXIMUM ? RARE : 1 - quantile;
  return {
    each: counts.map(({ vm, group, counted: all }) => ({
      vm,
      group,
      evidence: facing(judged(all)),
      requests: all.reduce((sum, { n }) => sum + n, 0),
    })),
    together: facing(judged(togetherIn(results.length, counts))),
    limit: objective.below ? share : -share,
    shares: true,
    silent: counts.flatMap(({ vm, counted: all }) => (all.every(({ n }) => n === 0) ? [vm] : [])),
  };
}

/** Of a maximum: one request over it breaks it, and it takes many that are not to keep it. */
function noneOver(all: readonly Counted[]): Evidence {
  const share = shareEvidence(all, MAXIMUM_NEEDS);
  const over = all.some((one) => one.over > 0);
  const open = all.some((one) => one.unknown > 0);
  return {
    mean: share.mean,
    enough: share.enough,
    bounds: (tail) => ({ low: over ? 1 : 0, high: over || open ? 1 : share.bounds(tail).high }),
  };
}

/** All VMs, replication by replication. */
function togetherIn(n: number, counts: readonly { readonly counted: readonly Counted[] }[]) {
  return Array.from({ length: n }, (_, r): Counted => {
    const all = counts.flatMap(({ counted }) => counted[r] ?? []);
    const sum = (of: (one: Counted) => number) => all.reduce((total, one) => total + of(one), 0);
    return {
      n: sum((one) => one.n),
      over: sum((one) => one.over),
      unknown: sum((one) => one.unknown),
    };
  });
}

/**
 * What was not finished when the window began is counted when it is served, and stands for as many
 * that are not finished at its end: in a steady state a window has as many of the one as of the
 * other. Only more of those are unknown.
 */
function counted({ requests, values }: VmResult, limit: number): Counted {
  const { served, unfinished } = requests!;
  const over = (all: readonly number[]) => all.filter((value) => value >= limit).length;
  const old = over(unfinished);
  const young = unfinished.length - old;
  const unknown = Math.max(0, young - (values.requests_queued_before ?? 0));
  return { n: served.length + old + unknown, over: over(served) + old, unknown };
}

/** The results of each VM that the objective is about, by name. */
function byVm(objective: Objective, results: readonly UnitResult[]): [string, VmResult[]][] {
  const rows = new Map<string, VmResult[]>();
  for (const result of results) {
    for (const vm of concerned(objective, result)) {
      const all = rows.get(vm.vm);
      if (all) all.push(vm);
      else rows.set(vm.vm, [vm]);
    }
  }
  return [...rows];
}

const isLatency = ({ measure }: Objective) => measure.startsWith('latency_');
const isServer = ({ requests, values }: VmResult) =>
  requests !== undefined || values.requests_unfinished !== undefined;
const countedOf = ({ values }: VmResult) =>
  (values.requests ?? 0) + (values.requests_unfinished ?? 0);
const hadNoRequest = (vm: VmResult) => isServer(vm) && countedOf(vm) === 0;

export function verdictOf({ each, together, limit, silent }: Weighed, tail: number): Verdict {
  const verdict = judge(
    each.map(({ evidence }) => evidence),
    together,
    limit,
    tail,
  );
  return verdict === 'meets' && silent.length > 0 ? 'undecided' : verdict;
}

/** The witness that is furthest from the limit, or nearest to it when all keep to it. */
export function worst({ each }: Weighed): Witness | undefined {
  return each.reduce<Witness | undefined>(
    (most, one) => (most === undefined || one.evidence.mean > most.evidence.mean ? one : most),
    undefined,
  );
}

/**
 * How many times as much would have to be measured for a verdict that means meeting the limit, or
 * breaking it; undefined when the value lies so near to the limit that nobody would wait for it.
 */
export function timesMore(weighed: Weighed, tail: number, needed: number): number | undefined {
  const factors = weighed.each.map(({ evidence, requests }) => {
    const { low, high } = evidence.bounds(tail);
    const few = weighed.shares && !evidence.enough ? needed / Math.max(1, requests) : 1;
    if (!Number.isFinite(high - low)) return Math.max(2, few);
    const margin = Math.abs(weighed.limit - evidence.mean);
    const half = evidence.mean < weighed.limit ? high - evidence.mean : evidence.mean - low;
    return half < margin ? few : Math.max(few, (half / margin) ** 2);
  });
  const most = Math.max(...factors, 1);
  return Number.isFinite(most) && most < MOST ? most * 1.1 : undefined;
}

const MOST = 1000;
