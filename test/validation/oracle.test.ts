import { describe, expect, it } from 'vitest';
import {
  compare,
  countOf,
  oracleCases,
  oracleText,
  oracleYaml,
  runOracleYaml,
  titleOf,
} from '../support/oracle.ts';

/**
 * Law 4: a scenario file that replays recorded programs gives exactly the misses that independent programs
 * counted (oracle.csv), for each level, side and VM. The whole traces take about a minute: `npm run validate`.
 */
const CONFIGS = ['I 4k:fa32>sa512w4', 'D 4k:fa48>sa512w4'];
const full = process.env['VALIDATE'] === 'full';
const cases = oracleCases();
/** Turns that VMs take in a quick run; two of gcc + redis are among the shipped scenarios. */
const QUICK_TURNS = ['sqlite+xz 1000', 'gcc+sqlite+redis 10000', 'redis+xz+gcc 100000'];
const isShort = ({ traces, limit, sched, q }: (typeof cases)[number]) =>
  sched === 'solo'
    ? limit > 0 || traces[0] === 'raw-seq'
    : limit > 0 && QUICK_TURNS.includes(`${traces.join('+')} ${q}`);

describe('replayed traces', () => {
  for (const oracle of cases.filter((oracle) => full || isShort(oracle))) {
    it(`have the misses of the oracle: ${titleOf(oracle)}`, async () => {
      const result = await runOracleYaml(oracleYaml(oracle));
      const { expected, measured } = compare(oracle, result, CONFIGS);
      expect(Object.keys(expected).length).toBeGreaterThanOrEqual(oracle.sched === 'solo' ? 6 : 15);
      expect(measured).toEqual(expected);
    });
  }
});

describe('the shipped scenarios', () => {
  it.each([
    ['one-trace.yaml', 'gcc', 'solo', 0],
    ['interleaved-flush.yaml', 'gcc+redis', 'flush', 1000],
    ['interleaved-tags.yaml', 'gcc+redis', 'asid', 1000],
  ])('%s gives its rows of the oracle', async (file, traces, sched, q) => {
    const oracle = cases.find(
      (c) => c.traces.join('+') === traces && c.limit > 0 && c.sched === sched && c.q === q,
    );
    const result = await runOracleYaml(oracleText(file));
    const { expected, measured } = compare(oracle!, result, CONFIGS);
    expect(measured).toEqual(expected);
    expect(countOf(result, 'all', 'references')).toBe(2_000_000 * oracle!.traces.length);
  });
});
