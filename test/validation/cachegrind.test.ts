import { describe, expect, it } from 'vitest';
import { countOf, csvRows, oracleYaml, runOracleYaml } from '../support/oracle.ts';

/**
 * Misses that valgrind's cachegrind printed for whole runs, its caches set up as first-level TLBs. Its second level is
 * shared by both sides and is not compared.
 */
const full = process.env['VALIDATE'] === 'full';
const ENTRIES: Readonly<Record<string, number>> = {
  'D48x4K I32x4K LL512w4x4K': 48,
  'D32x4K I32x4K LL512w4x4K': 32,
};

function printed(program: string, config: string): Record<string, number> {
  const rows = csvRows('cachegrind.csv').filter(([p, c]) => p === program && c === config);
  return Object.fromEntries(rows.map(([, , metric, value]) => [metric, Number(value)]));
}

describe('whole runs', () => {
  for (const program of full ? ['raw-seq', 'sqlite'] : ['raw-seq']) {
    it.each(Object.entries(ENTRIES))(
      `of ${program} miss as often as in cachegrind: %s`,
      async (config, entries) => {
        const text = oracleYaml({
          traces: [program],
          limit: 0,
          sched: 'solo',
          q: 0,
          rows: new Map(),
        });
        const result = await runOracleYaml(text, [`host.cpu.tlb.l1d.4K.entries=${entries}`]);
        const expected = printed(program, config);
        expect(countOf(result, 0, 'l1i_misses')).toBe(expected['I1_misses']);
        const misses = expected['D1_misses_rd']! + expected['D1_misses_wr']!;
        expect(countOf(result, 0, 'l1d_misses')).toBe(misses);
      },
    );
  }
});
