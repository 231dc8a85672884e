import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openScenario } from '../../src/files/scenario-file.ts';
import { traceOpener } from '../../src/files/trace-files.ts';
import { runScenario } from '../../src/scenario/run.ts';
import { runTables } from '../../src/tables/csv.ts';
import { shortened } from '../support/configs.ts';

/**
 * Did any result change? Every scenario that ships runs for a short while, with all checks on, and its tables are
 * compared as text. `npm run golden:update` rewrites them; the difference is to be reviewed like code.
 */
const configs = resolve(import.meta.dirname, '../../configs');
const files = readdirSync(configs).filter((name) => name.endsWith('.yaml'));
const kept = ['metrics.csv', 'ledger.csv', 'exits.csv'];
const short = ['duration=8ms', 'warmup=2ms', 'checks.translations=true'];

describe.each(files)('%s', (file) => {
  it('gives the same tables as before, and pCPUs whose ledgers have one sum', async () => {
    const loaded = await openScenario(join(configs, file), { set: shortened(file, short) });
    const result = await runScenario(loaded.scenario, { openTrace: traceOpener(loaded) });
    const sums = new Map<string, number>();
    for (const { host, pcpu, cycles } of result.ledger) {
      const id = `${host} ${pcpu}`;
      sums.set(id, (sums.get(id) ?? 0) + cycles);
    }
    expect(sums.size).toBe(result.pcpuCount);
    expect(new Set(sums.values())).toEqual(new Set([result.windowCycles]));
    const tables = new Map(runTables(result));
    for (const name of kept) {
      const path = join(import.meta.dirname, basename(file, '.yaml'), name);
      const text = [...tables.get(name)!].join('');
      if (process.env.GOLDEN === 'update') {
        mkdirSync(dirname(path), { recursive: true });
        writeFileSync(path, text);
      }
      expect(existsSync(path), `${path} is missing: npm run golden:update`).toBe(true);
      expect(text).toBe(readFileSync(path, 'utf8'));
    }
  });
});
