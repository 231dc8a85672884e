import { describe, expect, it } from 'vitest';
import type { RunResult } from '../../src/stats/result.ts';
import {
  countOf,
  type OracleCase,
  oracleCases,
  oracleYaml,
  runOracleYaml,
} from '../support/oracle.ts';

/**
 * The other configurations of oracle.csv, through whole scenarios: one level alone, 1 to 4096 entries, victim fills,
 * 2 MB pages, events that remove pages and empty the TLBs. `npm run validate` runs all of them; otherwise
 * a whole small trace does, and one of several address spaces where they matter.
 */
const full = process.env['VALIDATE'] === 'full';
const solo = oracleCases().filter(({ sched }) => sched === 'solo');

/** `4k:fa48>sa512w4`: page size, first level, how the second is filled, second level. */
const CONFIG = /^(ev:)?(4k|2m):(fa|sa)(\d+)(?:w(\d+))?(?:([>^])(fa|sa)(\d+)(?:w(\d+))?)?$/;

/** `--set`s that make the TLBs of both sides what `config` says. */
function setsFor(config: string): string[] {
  const match = CONFIG.exec(config);
  if (!match) throw new Error(`configuration ${config}`);
  const [, events, page, kind1, n1, w1, fill, kind2, n2, w2] = match;
  const array = (kind: string | undefined, n: string | undefined, ways: string | undefined) =>
    `{ entries: ${n ?? 0}, ways: ${kind === 'sa' ? ways : 'full'} }`;
  const size = page === '2m' ? '2M' : '4K';
  const sets = ['l1i', 'l1d'].map(
    (level) => `host.cpu.tlb.${level}.${size}=${array(kind1, n1, w1)}`,
  );
  for (const level of ['l2i', 'l2d']) {
    sets.push(`host.cpu.tlb.${level}.${size}=${array(kind2, n2, w2)}`);
  }
  sets.push(
    'host.cpu.tlb.l1d.shared=false',
    `host.cpu.tlb.fill=${fill === '^' ? 'victim' : 'both'}`,
  );
  if (page === '2m') sets.push('vms.0.workload.pageSize=2MiB', 'vms.0.memory=4GiB');
  if (events) sets.push('vms.0.workload.events=replay', 'vms.0.workload.kernel=false');
  return sets;
}

const SIDES = { I: 'i', D: 'd' } as const;

/** The simulator's count for a row of stream I or D; undefined when it has none. */
function measure(result: RunResult, stream: string, metric: string): number | undefined {
  const side = SIDES[stream as 'I' | 'D'];
  if (metric === 'miss' || metric === 'l1_miss') return countOf(result, 0, `l1${side}_misses`);
  if (metric === 'l2_hit') return countOf(result, 0, `l2${side}_hits`);
  if (metric === 'l2_miss') return countOf(result, 0, `l2${side}_misses`);
  return undefined;
}

/** Configuration -> rows (`I miss` -> value). */
function byConfig({ rows }: OracleCase): Map<string, Map<string, number>> {
  const configs = new Map<string, Map<string, number>>();
  for (const [key, value] of rows) {
    const [stream, config, metric] = key.split(' ') as [string, string, string];
    if (!CONFIG.test(config) || !(stream in SIDES)) continue;
    const entry = configs.get(config) ?? new Map<string, number>();
    configs.set(config, entry);
    entry.set(`${stream} ${metric}`, value);
  }
  return configs;
}

const QUICK = /\^|^ev:|^2m:fa(4|16)$|^4k:(fa40|sa64w4)$|^2m:.*>/;

describe('every configuration of the oracle', () => {
  for (const oracle of solo) {
    const name = oracle.traces[0]!;
    const quick = name === 'sh' && oracle.limit > 0;
    if (!full && name !== 'raw-seq' && !quick) continue;
    it(`gives the same misses for ${name}, ${oracle.limit || 'all'} references`, async () => {
      const expected: Record<string, number> = {};
      const measured: Record<string, number | undefined> = {};
      for (const [config, rows] of byConfig(oracle)) {
        if (!full && quick && !QUICK.test(config)) continue;
        const result = await runOracleYaml(oracleYaml(oracle), setsFor(config));
        for (const [key, value] of rows) {
          const [stream, metric] = key.split(' ') as [string, string];
          const count = measure(result, stream, metric);
          if (count === undefined) continue;
          expected[`${config} ${key}`] = value;
          measured[`${config} ${key}`] = count;
        }
        if (config === '4k:fa48>sa512w4' || config === '2m:fa48>sa128w2') {
          const distinct = config.startsWith('4k') ? 'distinct_4k' : 'distinct_2m';
          expected[distinct] =
            oracle.rows.get(`I - ${distinct}`)! + oracle.rows.get(`D - ${distinct}`)!;
          measured[distinct] = countOf(result, 0, 'walks_cold');
        }
      }
      expect(Object.keys(expected).length).toBeGreaterThan(full || !quick ? 80 : 20);
      expect(measured).toEqual(expected);
    }, 900_000);
  }
});
