import { enumerated, groupBy } from '../base/collections.ts';
import type { MetricName } from '../stats/metrics.ts';
import type { LedgerRow } from '../stats/result.ts';
import { servedNone, starved } from '../stats/window.ts';
import { type CostKind, kindOfCost, kindWords } from './costs.ts';
import { percent } from './table.ts';

/**
 * The answer of one run in a sentence and at most four numbers: what virtualization costs here,
 * what for, who pays most, and whether anybody waits. Shares are of cycles that were charged in
 * the measured window; the ledger has the details.
 */
export interface RunAnswer {
  readonly sentence: string;
  readonly numbers: readonly AnswerNumber[];
  readonly state: HostState;
}

export interface AnswerNumber {
  /** `13.4 %`, `1.31 ×` */
  readonly value: string;
  /** What it is a share or a multiple of: reads on after the value. */
  readonly text: string;
}

/**
 * `idle`: nothing ran; `starved`: a VM got no turn or served nothing; `saturated`: requests arrive
 * faster than they are served; `full`: VMs wait and the pCPUs have no time left; `waiting`: a VM
 * waited for a pCPU; `room`: none of these.
 */
export type HostState = 'idle' | 'starved' | 'saturated' | 'full' | 'waiting' | 'room';

/** What an answer is made of: rows of a run, or of the tables it has written. */
export interface AnswerFacts {
  readonly vms: readonly {
    readonly vm: string;
    readonly metrics: Partial<Readonly<Record<MetricName, number>>>;
  }[];
  readonly ledger: readonly Pick<LedgerRow, 'vm' | 'leaf' | 'detail' | 'cycles'>[];
  /** False: native, so that only the company of other VMs costs anything. */
  readonly virtualized?: boolean;
}

/** Shares of the pCPUs' time from which on they count as full, of its own as waiting. */
const FULL = 0.995;
const WAITS = 0.01;
/** A queue that grew by more standard deviations of a Poisson count than this is not steady. */
const DEVIATIONS = 4;

export function runAnswer(facts: AnswerFacts): RunAnswer {
  const { ledger, vms } = facts;
  const all = total(ledger);
  const busy = ledger.filter(({ leaf }) => leaf !== 'idle' && leaf !== 'off');
  const busyCycles = total(busy);
  const reason = facts.virtualized === false ? 'Sharing the host' : 'Virtualization';
  const crowd = crowding(facts, all > 0 ? busyCycles / all : 0);
  if (!busy.some(({ leaf, cycles }) => leaf.startsWith('guest.') && cycles > 0)) {
    return { sentence: 'No VM ran in the measured window.', numbers: [], state: 'idle' };
  }
  const costs = busy.flatMap((row) => {
    const kind = kindOfCost(row);
    return kind ? [{ ...row, kind }] : [];
  });
  const share = total(costs) / busyCycles;
  if (share < SMALLEST) {
    const size = costs.length === 0 ? 'nothing' : 'less than 0.1 % of the busy cycles';
    const sentence = `${reason} costs ${size} here; ${crowd.clause}.`;
    return { sentence, numbers: numbersOf([slowdownOf(facts), crowd.number]), state: crowd.state };
  }
  const [kind, ofKind] = [...groupBy(costs, (row) => row.kind)]
    .map(([name, rows]) => [name, total(rows)] as const)
    .toSorted((a, b) => b[1] - a[1])[0]!;
  const payer = worstPayer(busy, costs);
  const pays = payer && vms.length > 1 ? `, and ${payer.vm} pays most` : '';
  const slowdown = slowdownOf(facts);
  const part = ofKind / total(costs);
  const most = part > 0.95 ? 'nearly all of it' : part > 0.5 ? 'most of it' : 'the largest part';
  const numbers = [
    slowdown,
    {
      value: percentOf(share),
      text:
        'of the busy cycles go to ' +
        (`${reason === 'Virtualization' ? 'virtualization' : 'sharing the host'}` +
          `${withNeighbours(costs, busyCycles)}`),
    },
    {
      value: percentOf(ofKind / busyCycles),
      text: `of the busy cycles go to ${kindWords[kind]}, ${most}`,
    },
    // With a slowdown, who suffers most is said there.
    ...(payer && vms.length > 1 && !slowdown
      ? [
          {
            value: percentOf(payer.share),
            text: `of the cycles of ${payer.vm} go to virtualization: it pays most`,
          },
        ]
      : []),
    crowd.number,
  ];
  return {
    sentence:
      `${reason} costs ${percentOf(share)} of the busy cycles here, ${most} for ` +
      `${kindWords[kind]}${pays}; ${crowd.clause}.`,
    numbers: numbersOf(numbers),
    state: crowd.state,
  };
}

/** Smaller shares are shown as `<0.1`. */
const SMALLEST = 0.0005;

const numbersOf = (numbers: readonly (AnswerNumber | undefined)[]) =>
  numbers.flatMap((number) => number ?? []);
const percentOf = (share: number) => `${percent(share)} %`;
const total = (rows: readonly { readonly cycles: number }[]) =>
  rows.reduce((sum, { cycles }) => sum + cycles, 0);

/** Neighbours are no mechanism of a hypervisor, but nobody would have them without one. */
function withNeighbours(
  costs: readonly { readonly kind: CostKind; readonly cycles: number }[],
  busyCycles: number,
): string {
  const neighbours = total(costs.filter(({ kind }) => kind === 'neighbours'));
  return neighbours / busyCycles < SMALLEST ? '' : ', what neighbours evict included';
}

/** The VM that bears most of the costs, and their share of its own cycles. */
function worstPayer(
  busy: AnswerFacts['ledger'],
  costs: AnswerFacts['ledger'],
): { readonly vm: string; readonly share: number } | undefined {
  const whole = groupBy(busy, ({ vm }) => vm);
  const paid = groupBy(costs, ({ vm }) => vm);
  const [worst] = [...paid]
    .filter(([vm]) => vm !== 'host')
    .map(([vm, rows]) => ({ vm, cycles: total(rows) }))
    .toSorted((a, b) => b.cycles - a.cycles);
  return worst && { vm: worst.vm, share: worst.cycles / total(whole.get(worst.vm)!) };
}

/** Known when each VM also ran alone and native. */
function slowdownOf({ vms }: AnswerFacts): AnswerNumber | undefined {
  const [worst] = vms
    .flatMap(({ vm, metrics: { slowdown } }) => (slowdown === undefined ? [] : [{ vm, slowdown }]))
    .toSorted((a, b) => b.slowdown - a.slowdown);
  if (!worst) return undefined;
  const most = vms.length > 1 ? ': the largest slowdown' : '';
  return {
    value: `${worst.slowdown.toFixed(2)} ×`,
    text: `the time that ${worst.vm} would take for its work alone and native${most}`,
  };
}

/** Share of the time in which a VM could run and had no pCPU, or was held back by its cap. */
export function waitedShare(metrics: Partial<Readonly<Record<MetricName, number>>>): number {
  const { ready_cycles = 0, costopped_cycles = 0, parked_cycles = 0, elapsed_cycles } = metrics;
  return (ready_cycles + costopped_cycles + parked_cycles) / (elapsed_cycles || 1);
}

interface Crowd {
  readonly state: HostState;
  /** Ends the sentence. */
  readonly clause: string;
  readonly number: AnswerNumber;
}

/** Whether anybody is starved, saturated or waits. */
function crowding({ vms }: AnswerFacts, busy: number): Crowd {
  const waits = vms
    .map(({ vm, metrics }) => ({ vm, share: waitedShare(metrics) }))
    .toSorted((a, b) => b.share - a.share);
  const longest = waits[0];
  const waiting = {
    value: percentOf(longest?.share ?? 0),
    text:
      `of the time ${longest?.vm} waits for a ` +
      `pCPU${vms.length > 1 ? ', the longest of all VMs' : ''}`,
  };
  const idle = {
    value: percentOf(busy),
    text: 'of the time the pCPUs are busy; no VM waits for one',
  };
  const number = longest && longest.share >= SMALLEST ? waiting : idle;
  const of = (state: HostState, clause: string): Crowd => ({ state, clause, number });

  const names = (some: AnswerFacts['vms']) => enumerated(some.map(({ vm }) => vm));
  const without = vms.filter(starved);
  if (without.length > 0) return of('starved', `${names(without)} got no turn`);
  const unserved = vms.filter(servedNone);
  if (unserved.length > 0) return of('starved', `${names(unserved)} served no request`);
  const growing = vms.filter(({ metrics }) => {
    const { requests_unfinished = 0, requests_queued_before = 0, requests_arrived = 0 } = metrics;
    const grown = requests_unfinished - requests_queued_before;
    return grown > DEVIATIONS * Math.sqrt(Math.max(1, requests_arrived));
  });
  if (growing.length > 0) {
    return of('saturated', `requests arrive faster than ${names(growing)} can serve them`);
  }
  if (longest && longest.share >= WAITS) {
    const wait = `${longest.vm} waits for a pCPU ${percentOf(longest.share)} of the time`;
    return busy >= FULL
      ? of('full', `the pCPUs have no time left, and ${wait}`)
      : of('waiting', `no VM is starved, but ${wait}`);
  }
  return of('room', 'no VM waits long for a pCPU');
}
