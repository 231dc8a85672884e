import { type PairFacts, stateWords } from '../pairs.ts';
import { counted, plain } from '../quantities.ts';
import { percent } from '../table.ts';
import type { Table } from './page.ts';
import { MOST_PAIRS, type PairOfRun, wordsOf } from './run-pairs.ts';

/** Protected pairs in numbers. */

/** A column for each pair while they are few, else a row. */
export function pairTables(pairs: readonly PairOfRun[], mhz: number): Table[] {
  if (pairs.length === 0) return [];
  const ms = (cycles: number) => plain(cycles / mhz / 1000);
  const states = Object.keys(stateWords).filter((state) =>
    pairs.some(({ facts }) => facts.inState.has(state)),
  );
  const lines: (readonly [string, (pair: PairOfRun) => string])[] = [
    ...states.map((state): readonly [string, (pair: PairOfRun) => string] => [
      `${wordsOf(state)}, ms`,
      ({ facts }) => ms(facts.inState.get(state) ?? 0),
    ]),
    ['mean lag, ms', ({ facts }) => ms(facts.meanLag)],
    ['longest lag, ms', ({ facts }) => ms(facts.maxLag)],
    ['log, KiB', ({ facts }) => plain(facts.logBytes / 1024)],
    [
      'log, Mbit/s while protected',
      ({ facts: { covered, logBytes } }) => plain(covered > 0 ? (8 * logBytes * mhz) / covered : 0),
    ],
    ['checkpoints', ({ facts: { checkpoints } }) => plain(checkpoints?.all.length ?? 0)],
    ['pages of a checkpoint', ({ facts }) => plain(facts.checkpoints?.meanPages ?? 0)],
    ['standstill for a checkpoint, ms', ({ facts }) => ms(facts.checkpoints?.meanPause ?? 0)],
    ['longest standstill, ms', ({ facts }) => ms(facts.checkpoints?.maxPause ?? 0)],
    ['outputs held', ({ facts }) => counted(facts.released, 'outputs').split(' ')[0]!],
    ['hold of an output, ms', ({ facts }) => (facts.released > 0 ? ms(facts.meanHold) : '')],
    ['taken from its pCPU by control of the lag, %', ({ facts }) => percent(facts.throttled)],
    [
      'loss to takeover, ms',
      ({ facts }) => first(facts, (one) => one.loss && one.goLive - one.loss.at, ms),
    ],
    [
      'takeover to live, ms',
      ({ facts }) => first(facts, (one) => one.live && one.live - one.goLive, ms),
    ],
    ['longest gap between answers, ms', ({ gapMs }) => (gapMs === undefined ? '' : plain(gapMs))],
  ];
  const cells = lines
    .map(([name, cell]) => [name, ...pairs.map(cell)])
    .filter(([, ...values]) => values.some((value) => !['', '0'].includes(value)));
  const caption = 'Protected pairs: times of the whole run';
  const head = ['quantity', ...pairs.map(({ facts }) => facts.pair)];
  if (pairs.length <= MOST_PAIRS) {
    return [{ caption, head, rows: cells, ...(pairs.length === 1 && { beside: true }) }];
  }
  const [names, ...rows] = head.map((name, i) => [name, ...cells.map((row) => row[i]!)]);
  return [{ caption, head: ['pair', ...names!.slice(1)], rows }];
}

/** Of the first takeover that has it. */
function first(
  { takeovers }: PairFacts,
  of: (takeover: PairFacts['takeovers'][number]) => number | undefined,
  show: (cycles: number) => string,
): string {
  const found = takeovers.map(of).find((value) => value !== undefined);
  return found === undefined ? '' : show(found);
}
