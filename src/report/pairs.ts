import { groupBy } from '../base/collections.ts';
import type { FaultToleranceRow } from '../stats/result.ts';

/** What the looks at protected pairs come to: for the summary of a run and for its report. */

/** Time in one state, in cycles from the start of the run. */
export interface PairStretch {
  readonly state: string;
  readonly from: number;
  readonly to: number;
}

/** A host, or a link, was lost and another side went on. Times are cycles from the start. */
export interface Takeover {
  /** What happened last before, and when; undefined: nothing that the scenario says. */
  readonly loss: PairEvent | undefined;
  /** The secondary has won. */
  readonly goLive: number;
  /** It answers; undefined: not before the end of the run. */
  readonly live: number | undefined;
}

/** Something that the scenario lets happen. */
export interface PairEvent {
  readonly at: number;
  /** `a loses power`. */
  readonly what: string;
}

/** What happens to an output between two looks. */
export interface PairLook {
  readonly from: number;
  readonly to: number;
  readonly protectedThen: boolean;
  readonly lag: number;
  readonly logBytes: number;
  /** Outputs that wait at its end. */
  readonly waiting: number;
  /** Outputs that left, and how long they had waited in all. */
  readonly released: number;
  readonly held: number;
  readonly limit: number;
}

/** The checkpoints of a pair, and their means. Times in cycles. */
export interface Checkpoints {
  readonly all: readonly {
    readonly at: number;
    readonly epoch: number;
    readonly pages: number;
    readonly pause: number;
  }[];
  readonly meanPages: number;
  readonly meanPause: number;
  readonly maxPause: number;
}

export interface PairFacts {
  readonly pair: string;
  readonly stretches: readonly PairStretch[];
  readonly takeovers: readonly Takeover[];
  readonly looks: readonly PairLook[];
  /** Cycles by state, in the order in which they were first reached. */
  readonly inState: ReadonlyMap<string, number>;
  /** Over the protected time, in cycles. */
  readonly meanLag: number;
  readonly maxLag: number;
  readonly logBytes: number;
  /** Protected time in cycles. */
  readonly covered: number;
  readonly released: number;
  /** Mean of a released output, in cycles. */
  readonly meanHold: number;
  /** Mean share of a pCPU that the control of the lag took. */
  readonly throttled: number;
  /** Least share of a pCPU that it left. */
  readonly limit: number;
  /** Undefined: it is protected otherwise. */
  readonly checkpoints: Checkpoints | undefined;
}

/** States with a secondary that can take over. */
const PROTECTED: ReadonlySet<string> = new Set(['running', 'lagging']);
export const isProtected = (state: string): boolean => PROTECTED.has(state);

/** Pairs in the order of their first look. `end`: of the run. */
export function pairFacts(
  rows: readonly FaultToleranceRow[],
  events: readonly PairEvent[],
  end: number,
): PairFacts[] {
  return [...groupBy(rows, ({ pair }) => pair)].map(([pair, own]) => {
    const stretches = stretchesOf(own, end);
    const looks = own.map((row, i) => lookOf(row, own[i - 1])).filter(({ from, to }) => to > from);
    const covered = looks.filter(({ protectedThen }) => protectedThen);
    const inState = new Map<string, number>();
    for (const { state, from, to } of stretches) {
      inState.set(state, (inState.get(state) ?? 0) + to - from);
    }
    const time = sum(covered, ({ from, to }) => to - from);
    const mean = (of: (look: PairLook) => number) =>
      time > 0 ? sum(covered, (look) => of(look) * (look.to - look.from)) / time : 0;
    const released = sum(looks, (look) => look.released);
    return {
      pair,
      stretches,
      takeovers: takeoversOf(stretches, events),
      looks,
      inState,
      meanLag: mean(({ lag }) => lag),
      maxLag: covered.reduce((most, { lag }) => Math.max(most, lag), 0),
      logBytes: sum(looks, ({ logBytes }) => logBytes),
      covered: time,
      released,
      meanHold: released > 0 ? sum(looks, ({ held }) => held) / released : 0,
      throttled: 1 - (covered.length > 0 ? mean(({ limit }) => limit) : 1),
      limit: covered.reduce((least, { limit }) => Math.min(least, limit), 1),
      checkpoints: checkpointsOf(own),
    };
  });
}

function checkpointsOf(rows: readonly FaultToleranceRow[]): Checkpoints | undefined {
  const all = rows.flatMap(({ cycle: at, dirtyPages: pages = 0, epochCycles, pauseCycles }) => {
    return epochCycles === undefined
      ? []
      : [{ at, epoch: epochCycles, pages, pause: pauseCycles ?? 0 }];
  });
  if (all.length === 0) return undefined;
  const mean = (of: (one: (typeof all)[number]) => number) =>
    all.reduce((total, one) => total + of(one), 0) / all.length;
  return {
    all,
    meanPages: mean(({ pages }) => pages),
    meanPause: mean(({ pause }) => pause),
    maxPause: Math.max(...all.map(({ pause }) => pause)),
  };
}

const sum = (looks: readonly PairLook[], of: (look: PairLook) => number) =>
  looks.reduce((total, look) => total + of(look), 0);

/** A row holds at its time: its state begins there, its numbers are of the time up to there. */
function lookOf(row: FaultToleranceRow, last: FaultToleranceRow | undefined): PairLook {
  // Counted from zero again with each new secondary.
  const again = !last || row.releasedOutputs < last.releasedOutputs;
  return {
    from: row.cycle - row.cycles,
    to: row.cycle,
    protectedThen: isProtected((last ?? row).state),
    lag: row.lagCycles,
    logBytes: row.logBytes,
    waiting: row.heldOutputs,
    released: row.releasedOutputs - (again ? 0 : last.releasedOutputs),
    held: row.heldCycles - (again ? 0 : last.heldCycles),
    limit: row.limit,
  };
}

function stretchesOf(rows: readonly FaultToleranceRow[], end: number): PairStretch[] {
  const starts = rows.filter((row, i) => row.state !== rows[i - 1]?.state);
  return starts
    .map(({ state, cycle }, i) => ({ state, from: cycle, to: starts[i + 1]?.cycle ?? end }))
    .filter(({ from, to }) => to > from);
}

function takeoversOf(stretches: readonly PairStretch[], events: readonly PairEvent[]): Takeover[] {
  return stretches.flatMap(({ state, from }, i): Takeover[] => {
    if (state !== 'go-live') return [];
    const next = stretches[i + 1];
    // What happened after the last takeover.
    const since = stretches.slice(0, i).findLast((one) => one.state === 'go-live')?.from ?? 0;
    return [
      {
        loss: events.findLast(({ at }) => at <= from && at >= since),
        goLive: from,
        live: next && next.state !== 'lost' ? next.from : undefined,
      },
    ];
  });
}

/** What events of a scenario mean to a pair; undefined: nothing that it could notice. */
export function eventWords({ kind, ...params }: Readonly<Record<string, unknown>>) {
  switch (kind) {
    case 'fail':
      return `${params['host']} lost power`;
    case 'failover':
      return `${params['vm']} was stopped`;
    case 'cut':
      return `the link ${params['link']} was cut`;
    default:
      return undefined;
  }
}

/** What a state means, for a reader. */
export const stateWords: Readonly<Record<string, string>> = {
  off: 'not protected yet',
  cloning: 'secondary being made',
  running: 'protected',
  lagging: 'protected, secondary far behind',
  'go-live': 'secondary takes over',
  alone: 'one runs, unprotected',
  lost: 'nobody left',
};
