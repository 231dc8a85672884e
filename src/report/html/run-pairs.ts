import { duration } from '../../base/units.ts';
import type { RunFiles } from '../../files/results.ts';
import { eventWords, type PairEvent, type PairFacts, pairFacts, stateWords } from '../pairs.ts';
import { counted, plain } from '../quantities.ts';
import { pairSentence, takeoverSentence } from '../summary-moving.ts';
import { percent } from '../table.ts';
import { type Drawing, marginFor, type PlotModule } from './charts.ts';
import { number } from './run-ledger.ts';
import { timeAxis, VmColours } from './run-time.ts';
import { pairColours } from './style.ts';

/** What protected pairs did when: from ft.csv. */

/** What a resolved scenario says that matters here. */
export interface Moving {
  readonly duration?: string;
  readonly links?: readonly { readonly name: string; readonly bandwidth: string }[];
  readonly events?: readonly Readonly<Record<string, unknown>>[];
  readonly vms?: readonly {
    readonly name: string;
    readonly faultTolerance?: { readonly secondary?: string; readonly link?: string };
  }[];
}

export interface PairOfRun {
  readonly facts: PairFacts;
  readonly sentence: string;
  readonly events: readonly PairEvent[];
  /** In cycles. */
  readonly end: number;
  /** Of the log, in Mbit/s; undefined: the scenario does not say. */
  readonly link: { readonly name: string; readonly mbit: number } | undefined;
  readonly gapMs: number | undefined;
}

/** So many pairs have figures and sentences of their own; the table has all. */
export const MOST_PAIRS = 3;
/** Looks are put together until there are no more than this. */
const MOST_BARS = 240;

export function pairsOf(files: RunFiles, scenario: Moving, mhz: number): PairOfRun[] {
  const rows = files.faultTolerance;
  if (rows.length === 0) return [];
  const events = (scenario.events ?? [])
    .flatMap((event): PairEvent[] => {
      const what = eventWords(event);
      return what === undefined ? [] : [{ at: cyclesOf(event['at'], mhz), what }];
    })
    .toSorted((a, b) => a.at - b.at);
  const end = scenario.duration === 'work' ? rows.at(-1)!.cycle : cyclesOf(scenario.duration, mhz);
  return pairFacts(rows, events, end).map((facts) => {
    const link = linkOf(scenario, facts.pair);
    const own = files.vms.find((row) => row['vm'] === facts.pair);
    const gapNs = own?.['answer_gap_max_ns'] ? number(own, 'answer_gap_max_ns') : undefined;
    const sentence = pairSentence(
      facts,
      link && { name: link.name, bandwidth: link.mbit * 1e6 },
      mhz,
      gapNs,
    );
    return { facts, sentence, events, end, link, gapMs: gapNs && gapNs / 1e6 };
  });
}

/** The pairs that there is most to say of: those that failed over, then those that lag most. */
function telling(pairs: readonly PairOfRun[]): readonly PairOfRun[] {
  if (pairs.length <= MOST_PAIRS) return pairs;
  const weight = ({ facts }: PairOfRun) => [facts.takeovers.length, facts.maxLag] as const;
  const first = pairs.toSorted((a, b) => {
    const [[x, lagX], [y, lagY]] = [weight(a), weight(b)];
    return y - x || lagY - lagX;
  });
  const chosen = new Set(first.slice(0, MOST_PAIRS));
  return pairs.filter((pair) => chosen.has(pair));
}

/** A sentence for each pair, or for those with figures, and how the others are. */
export function pairTexts(pairs: readonly PairOfRun[]): string[] {
  const shown = telling(pairs);
  const rest = pairs.length - shown.length;
  const last =
    `Of the other ${rest} pairs, which failed over less or lag less, ` +
    'the table has the numbers.';
  return [...shown.map(({ sentence }) => sentence), ...(rest > 0 ? [last] : [])];
}

function cyclesOf(text: unknown, mhz: number): number {
  const picoseconds = duration().safeParse(text);
  return picoseconds.success ? (Number(picoseconds.data) * mhz) / 1e6 : 0;
}

function linkOf({ links = [], vms = [] }: Moving, pair: string) {
  const group = vms.find(({ name }) => pair.slice(0, pair.lastIndexOf('-')) === name);
  const link = links.find(({ name }) => name === group?.faultTolerance?.link);
  const [, value, scale] = /^([\d.]+)\s*([GMk]?)b\/s$/.exec(link?.bandwidth ?? '') ?? [];
  if (!link || value === undefined) return undefined;
  const factor = { G: 1000, M: 1, k: 1e-3, '': 1e-6 }[scale as 'G' | 'M' | 'k' | ''];
  return { name: link.name, mbit: Number(value) * factor };
}

export function pairDrawings(
  files: RunFiles,
  pairs: readonly PairOfRun[],
  mhz: number,
): (Drawing | undefined)[] {
  if (pairs.length === 0) return [];
  const vms = new VmColours(files);
  return [
    statesOverTime(pairs, mhz),
    ...telling(pairs).flatMap((pair, i) => {
      const name = pairs.length > 1 ? `: ${pair.facts.pair}` : '';
      const colour = vms.of(vms.nameOf(pair.facts.pair));
      const bars = barsOf(pair, mhz);
      return [
        lagOverTime({ pair, i, name, colour, bars, mhz }),
        logOverTime({ pair, i, name, colour, bars, mhz }),
        holdOverTime({ pair, i, name, colour, bars, mhz }),
        checkpointsOverTime({ pair, i, name, colour, bars, mhz }),
      ];
    }),
  ];
}

/** A stretch of time in ms, and what was seen in it. */
interface Bar {
  readonly from: number;
  to: number;
  /** Longest, in ms. */
  lag: number;
  bytes: number;
  released: number;
  held: number;
  waiting: number;
}

/** Looks in ms, neighbours put together where there are many. */
function barsOf({ facts, end }: PairOfRun, mhz: number): Bar[] {
  const perMs = mhz * 1000;
  const least = end / MOST_BARS;
  const bars: Bar[] = [];
  let began = Number.NEGATIVE_INFINITY;
  for (const look of facts.looks) {
    let bar = bars.at(-1);
    if (!bar || look.to - began > least) {
      began = look.from;
      bar = { from: look.from / perMs, to: 0, lag: 0, bytes: 0, released: 0, held: 0, waiting: 0 };
      bars.push(bar);
    }
    bar.to = look.to / perMs;
    if (look.protectedThen) bar.lag = Math.max(bar.lag, look.lag / perMs);
    bar.bytes += look.logBytes;
    bar.released += look.released;
    bar.held += look.held / perMs;
    bar.waiting = Math.max(bar.waiting, look.waiting);
  }
  return bars;
}

export const wordsOf = (state: string) => stateWords[state] ?? state;
const colourOf = (state: string) => pairColours[state] ?? pairColours['off']!;

/** Dashed lines where something breaks, takes over or is live again, in ms. */
function moments({ events, facts }: PairOfRun, mhz: number): number[] {
  const at = [
    ...events.map((event) => event.at),
    ...facts.takeovers.flatMap(({ goLive, live }) =>
      live === undefined ? [goLive] : [goLive, live],
    ),
  ];
  return [...new Set(at)].map((cycles) => cycles / mhz / 1000);
}

/** What the dashed lines are. */
function momentsInWords({ facts }: PairOfRun, mhz: number): string {
  const all = facts.takeovers.map((takeover) => takeoverSentence(takeover, mhz));
  return all.length > 0 ? ` Dashed lines: ${all.join(' ')}` : '';
}

function statesOverTime(pairs: readonly PairOfRun[], mhz: number): Drawing {
  const perMs = mhz * 1000;
  const bars = pairs.flatMap(({ facts }) =>
    facts.stretches.map(({ state, from, to }) => ({
      ...{ pair: facts.pair, state, from: from / perMs, to: to / perMs },
    })),
  );
  const names = pairs.map(({ facts }) => facts.pair);
  const used = Object.keys(stateWords).filter((state) => bars.some((bar) => bar.state === state));
  const rules = [...new Set(pairs[0]!.events.map(({ at }) => at / perMs))];
  const what = pairs[0]!.events.map(({ at, what }) => `${what} at ${plain(at / perMs)} ms`);
  return {
    id: 'pair-states',
    title: 'Protected pairs',
    description:
      'State of each protected VM and its second copy over the whole run, warm-up included; a ' +
      `loss shows when it is noticed.${what.length > 0 ? ` Dashed: ${what.join('; ')}.` : ''}`,
    wide: true,
    cross: true,
    legend: used.map((state) => ({ label: wordsOf(state), colour: colourOf(state) })),
    options: {
      height: 66 + names.length * 28,
      marginTop: 10,
      marginLeft: marginFor(names),
      marginRight: 24,
      x: { ...timeAxis, domain: [0, pairs[0]!.end / perMs] },
      y: { domain: names, label: null, type: 'band' },
      color: { type: 'identity' },
    },
    marks: (plot) => [
      plot.barX(bars, {
        x1: 'from',
        x2: 'to',
        y: 'pair',
        fill: ({ state }: { state: string }) => colourOf(state),
        title: ({ pair, state, from, to }: (typeof bars)[number]) =>
          `${pair}: ${wordsOf(state)} from ${plain(from)} to ${plain(to)} ms`,
      }),
      plot.ruleX(rules, { strokeDasharray: '4 3' }),
    ],
  };
}

interface Curve {
  readonly pair: PairOfRun;
  readonly i: number;
  readonly name: string;
  readonly colour: string;
  readonly bars: readonly Bar[];
  readonly mhz: number;
}

/** Axes of a figure over time, with the states of the pair as a band above what is drawn. */
function frame({ pair, mhz }: Curve, label: string, most: number) {
  const perMs = mhz * 1000;
  const top = most > 0 ? most : 1;
  const band = pair.facts.stretches.map(({ state, from, to }) => ({
    ...{ state, x1: from / perMs, x2: to / perMs, y1: top * 1.06, y2: top * 1.12 },
  }));
  return {
    options: {
      height: 260,
      marginTop: 30,
      marginLeft: 64,
      marginRight: 24,
      x: { ...timeAxis, domain: [0, pair.end / perMs] },
      y: {
        label,
        labelArrow: 'none' as const,
        grid: true,
        domain: [0, top * 1.12],
        tickFormat: plain,
        ticks: 5,
      },
      color: { type: 'identity' as const },
    },
    around: (plot: PlotModule) => [
      plot.rect(band, {
        ...{ x1: 'x1', x2: 'x2', y1: 'y1', y2: 'y2' },
        fill: ({ state }: { state: string }) => colourOf(state),
        title: ({ state }: { state: string }) => wordsOf(state),
      }),
      plot.ruleX(moments(pair, mhz), { strokeDasharray: '4 3' }),
      plot.ruleY([0]),
    ],
  };
}

function lagOverTime(curve: Curve): Drawing {
  const { bars, colour, i, mhz, name, pair } = curve;
  const { meanLag, maxLag } = pair.facts;
  const perMs = mhz * 1000;
  const { options, around } = frame(curve, 'lag, ms', maxLag / perMs);
  return {
    id: `lag-${i}`,
    title: `Lag of the secondary${name}`,
    description:
      'Executed time by which the secondary is behind, as the primary knows it, in ms: ' +
      `${plain(meanLag / perMs)} on average, ${plain(maxLag / perMs)} at most. The band above ` +
      `has the states of the pair.${momentsInWords(pair, mhz)}`,
    cross: true,
    options,
    marks: (plot) => [
      plot.rectY(bars, {
        ...{ x1: 'from', x2: 'to', y: 'lag', fill: colour, inset: 0 },
        title: ({ lag, to }: Bar) => `${plain(lag)} ms behind at ${plain(to)} ms`,
      }),
      ...around(plot),
    ],
  };
}

function logOverTime(curve: Curve): Drawing {
  const { bars, colour, i, name, pair } = curve;
  const rate = ({ bytes, from, to }: Bar) => (8 * bytes) / 1e3 / (to - from);
  const rates = bars.map((bar) => ({ ...bar, rate: rate(bar) }));
  const most = Math.max(...rates.map((bar) => bar.rate), 0);
  const { link } = pair;
  // A link that is far from full would only press the log to the ground.
  const near = link !== undefined && link.mbit < 2 * most;
  const { options, around } = frame(curve, 'Mbit/s', near ? Math.max(most, link.mbit) : most);
  const ofLink = link
    ? ` The link ${link.name} carries ${plain(link.mbit)} Mbit/s${near ? ' (dotted)' : ''}: ` +
      `the log takes ${percent(most / link.mbit)} % of it at most.`
    : '';
  return {
    id: `log-${i}`,
    title: `Bandwidth of the log${name}`,
    description:
      `Bytes of the log that went over the link, in Mbit/s; ${plain(most)} ` + `at most.${ofLink}`,
    cross: true,
    options,
    marks: (plot) => [
      plot.rectY(rates, {
        ...{ x1: 'from', x2: 'to', y: 'rate', fill: colour, inset: 0 },
        title: (bar: Bar & { rate: number }) =>
          `${plain(bar.rate)} Mbit/s up to ${plain(bar.to)} ms`,
      }),
      ...(near ? [plot.ruleY([link.mbit], { strokeDasharray: '2 3' })] : []),
      ...around(plot),
    ],
  };
}

function holdOverTime(curve: Curve): Drawing | undefined {
  const { bars, colour, i, mhz, name, pair } = curve;
  const { meanHold, released } = pair.facts;
  const held = bars
    .filter((bar) => bar.released > 0)
    .map((bar) => ({ ...bar, hold: bar.held / bar.released }));
  if (held.length === 0) return undefined;
  const { options, around } = frame(curve, 'ms', Math.max(...held.map(({ hold }) => hold)));
  const waiting = Math.max(...bars.map((bar) => bar.waiting));
  const queue = waiting > 0 ? ` When looked at, up to ${counted(waiting, 'outputs')} waited.` : '';
  return {
    id: `hold-${i}`,
    title: `How long outputs are held${name}`,
    description:
      'Nothing leaves before the other host has acknowledged the log up to it: how long the ' +
      'outputs waited that left in each stretch of time, on average. Over the run, ' +
      `${counted(released, 'outputs')}, ${plain(meanHold / mhz / 1000)} ms each.${queue}`,
    cross: true,
    options,
    marks: (plot) => [
      plot.rectY(held, {
        ...{ x1: 'from', x2: 'to', y: 'hold', fill: colour, inset: 0 },
        title: (bar: Bar & { hold: number }) =>
          `${counted(bar.released, 'outputs')} held ${plain(bar.hold)} ms each, up to ` +
          `${plain(bar.to)} ms`,
      }),
      ...around(plot),
    ],
  };
}

/** Undefined for a pair without checkpoints. */
function checkpointsOverTime(curve: Curve): Drawing | undefined {
  const { colour, i, mhz, name, pair } = curve;
  const { checkpoints } = pair.facts;
  if (!checkpoints) return undefined;
  const perMs = mhz * 1000;
  const all = checkpoints.all.map(({ at, epoch, pages, pause }) => ({
    ...{ from: Math.max(0, at - epoch) / perMs, to: at / perMs, pages, pause: pause / perMs },
  }));
  const { options, around } = frame(curve, 'pages', Math.max(...all.map(({ pages }) => pages)));
  return {
    id: `checkpoints-${i}`,
    title: `Checkpoints${name}`,
    description:
      'Pages of 4 KiB that the VM stored to in each epoch, which its checkpoint sends; as wide ' +
      `as the epoch was long. ${counted(all.length, 'checkpoints')}, ` +
      `${plain(checkpoints.meanPages)} pages each; the VM stood still for ` +
      `${plain(checkpoints.meanPause / perMs)} ms each time, ` +
      `${plain(checkpoints.maxPause / perMs)} at most.`,
    cross: true,
    options,
    marks: (plot) => [
      plot.rectY(all, {
        ...{ x1: 'from', x2: 'to', y: 'pages', fill: colour, inset: 0.2 },
        title: (one: (typeof all)[number]) =>
          `${counted(one.pages, 'pages')}, stood still for ${plain(one.pause)} ms, at ` +
          `${plain(one.to)} ms`,
      }),
      ...around(plot),
    ],
  };
}
