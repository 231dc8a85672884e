import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compareColumns } from '../../src/tables/columns.ts';
import { Folder } from '../support/command.ts';
import { gnuplotSum, hasGnuplot, headerOf, tableReaders } from '../support/table-readers.ts';

/** The tables of runs and sweeps: explained, and read by the programs that people read tables with. */

const server =
  '{ kind: synthetic, regions: [{ name: heap, kind: anon, size: 1MiB, share: 1, stores: 0.3 }], requests: { arrivals: { kind: open, rate: 3000/s }, instructions: 50000 } }';
const SCENARIO = `name: tables
duration: 12ms
warmup: 2ms
host: { processor: opteron-1354, memory: 2GiB, pcpus: 3 }
hypervisor: { profile: kvm-2.6.33 }
output: { timeseries: 1ms, evictions: true }
vms:
  - { name: web-a, count: 2, memory: 64MiB, workload: ${server} }
  - { name: loop, memory: 32MiB, workload: { kind: page-fault-loop, pages: 64 } }
  - { name: thrash, memory: 32MiB, workload: { kind: tlb-thrash } }
`;
const SWEEP = `sweep:
  axes:
    vms.web-a.count: [1, 2]
    hypervisor.mmu.kind: { "nested, by hardware": nested, "in \\"shadow\\"": shadow }
    seed: [1, 2]
  labels: { hypervisor.mmu.kind: paging }
  baseline: { hypervisor.mmu.kind: "nested, by hardware" }
  replications: 2
`;

const folder = new Folder();
const DIRECTORIES = ['run', 'plain', 'sweep'];
const inDirectory = (directory: string) =>
  readdirSync(join(folder.path, directory))
    .filter((name) => name.endsWith('.csv'))
    .toSorted();
const pathOf = (...names: readonly string[]) => join(folder.path, ...names);
const rowsOf = (...names: readonly string[]) =>
  parse(readFileSync(pathOf(...names)), { columns: true }) as Record<string, string>[];
let files: string[] = [];

beforeAll(async () => {
  folder.write('s.yaml', SCENARIO);
  folder.write('w.yaml', SCENARIO.replace('duration: 12ms', 'duration: 4ms') + SWEEP);
  const ended = [
    await folder.here(['run', 's.yaml', '-q', '--baseline', '--trace', 'csv', '--out', 'run']),
    // Nothing to say in most tables: a header alone.
    await folder.here([
      ...['run', 's.yaml', '-q', '--out', 'plain', '--set', 'output.evictions=false'],
      ...['--set', 'output.timeseries=1s', '--set', 'hypervisor.mmu={ kind: nested }'],
      ...['--set', 'vms=[{ name: one, memory: 32MiB, workload: { kind: tlb-thrash, hz: 0 } }]'],
    ]),
    await folder.here(['sweep', 'w.yaml', '-q', '--out', 'sweep']),
  ];
  for (const { code, err } of ended)
    expect([code, err.replace(/^.*runs in.*\n/, '')]).toEqual([0, '']);
  files = DIRECTORIES.flatMap((directory) =>
    inDirectory(directory).map((name) => pathOf(directory, name)),
  );
}, 120_000);
afterAll(() => folder.remove());

describe('the tables', () => {
  it('are all there, evictions only where they are counted', () => {
    const always = 'dictionary exits latencies ledger metrics slices timeseries vms'.split(' ');
    const named = (names: readonly string[]) => names.map((name) => `${name}.csv`).toSorted();
    expect(inDirectory('run')).toEqual(named([...always, 'evictions', 'trace']));
    expect(inDirectory('plain')).toEqual(named(always));
    expect(inDirectory('sweep')).toEqual(named(['dictionary', 'differences', 'points', 'summary']));
  });

  it('have no header twice, whatever the case', () => {
    for (const file of files) {
      const header = headerOf(file).map((name) => name.toLowerCase());
      expect(new Set(header).size, file).toBe(header.length);
    }
  });

  it('have each column in the dictionary beside them, with one unit and one definition', () => {
    const meanings = new Map<string, string>();
    for (const directory of DIRECTORIES) {
      const dictionary = rowsOf(directory, 'dictionary.csv');
      for (const name of inDirectory(directory)) {
        for (const column of headerOf(pathOf(directory, name))) {
          const entries = dictionary.filter(
            (row) => row['file'] === name && row['column'] === column,
          );
          expect(entries, `${name} ${column}`).toHaveLength(1);
        }
      }
      for (const { column, unit, definition } of dictionary) {
        expect(definition!.length, column).toBeGreaterThan(5);
        const meaning = `${unit}: ${definition}`;
        expect(meanings.get(column!) ?? meaning, column).toBe(meaning);
        meanings.set(column!, meaning);
      }
    }
  });

  it('have each metric of the long tables in the dictionary, with its unit', () => {
    const long = [
      ...['metrics.csv', 'timeseries.csv'].map((name) => ['run', name] as const),
      ...['summary.csv', 'differences.csv'].map((name) => ['sweep', name] as const),
    ];
    for (const [directory, name] of long) {
      const units = new Map(
        rowsOf(directory, 'dictionary.csv').map((row) => [row['column'], row['unit']]),
      );
      const rows = rowsOf(directory, name);
      expect(rows.length).toBeGreaterThan(10);
      for (const { metric, unit } of rows)
        expect(units.get(metric), `${name} ${metric}`).toBe(unit);
    }
  });

  it('are explained by list metrics too, word for word', async () => {
    const { out } = await folder.here(['list', 'metrics', '--json']);
    const listed = new Map(
      (JSON.parse(out) as { name: string; summary: string }[]).map(({ name, summary }) => [
        name,
        summary,
      ]),
    );
    const axes = ['vms.web_a.count', 'paging', 'swept_seed'];
    for (const directory of DIRECTORIES) {
      for (const { column, definition } of rowsOf(directory, 'dictionary.csv')) {
        if (!axes.includes(column!)) expect(listed.get(column!), column).toContain(definition);
      }
    }
    for (const column of compareColumns) expect([...listed.keys()]).toContain(column);
    expect(out).toContain('p99 latency: ');
    for (const n of [20, 200, 1000]) expect(out).toContain(`Blank below n = ${n}:`);
  });

  it('lose evictions.csv when the next run counts none', async () => {
    expect((await folder.here(['run', 's.yaml', '-q', '--out', 'again'])).code).toBe(0);
    expect(inDirectory('again')).toContain('evictions.csv');
    const options = ['-q', '--out', 'again', '--set', 'output.evictions=false'];
    expect((await folder.here(['run', 's.yaml', ...options])).code).toBe(0);
    expect(inDirectory('again')).not.toContain('evictions.csv');
    const { code, out } = await folder.here(['why', 'again', 'loop-0']);
    expect([code, out.includes('output.evictions=true')]).toEqual([0, true]);
  });

  it('name each measure by its column in summary.csv', () => {
    const columns = headerOf(pathOf('sweep', 'points.csv'));
    const metrics = new Set(rowsOf('sweep', 'summary.csv').map(({ metric }) => metric!));
    expect([...metrics].filter((metric) => !columns.includes(metric))).toEqual([]);
    expect([...metrics]).toContain('work_per_second');
  });
});

for (const { name, missing } of tableReaders) {
  if (missing) console.warn(`SKIPPED: ${name} is not here; install the Debian package ${missing}`);
}
if (!hasGnuplot)
  console.warn('SKIPPED: gnuplot is not here; install the Debian package gnuplot-nox');

describe.each(tableReaders)('$name', ({ missing, read }) => {
  it.skipIf(missing !== undefined)(
    'reads every table without an option and renames no column',
    async () => {
      const found = await read(files);
      for (const [i, file] of files.entries()) {
        expect(found[i]!.columns, file).toEqual(headerOf(file));
        expect(found[i]!.rows, file).toBe(parse(readFileSync(file)).length - 1);
      }
    },
    60_000,
  );
});

describe.skipIf(!hasGnuplot)('gnuplot', () => {
  it.each([
    ['run', 'metrics.csv', 'value'],
    ['run', 'ledger.csv', 'cycles'],
    ['run', 'timeseries.csv', 'time_ns'],
    ['run', 'latencies.csv', 'latency_ns'],
    ['run', 'slices.csv', 'slice_cycles'],
    ['run', 'evictions.csv', 'count'],
    ['run', 'exits.csv', 'handler_cycles'],
    ['sweep', 'points.csv', 'ledger_guest_user_cycles'],
    ['sweep', 'points.csv', 'vms.web_a.count'],
    ['sweep', 'summary.csv', 'n'],
  ])('finds the column of %s/%s by name: %s', (directory, name, column) => {
    const sum = rowsOf(directory, name).reduce((n, row) => n + Number(row[column] || 0), 0);
    expect(sum).toBeGreaterThan(0);
    expect(gnuplotSum(pathOf(directory, name), column) / sum).toBeCloseTo(1, 9);
  });
});
