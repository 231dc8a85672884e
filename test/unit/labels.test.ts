import { parse } from 'csv-parse/sync';
import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/base/errors.ts';
import { ScenarioTree } from '../../src/scenario/load.ts';
import { builtInColumns } from '../../src/sweep/columns.ts';
import { makePlan } from '../../src/sweep/plan.ts';
import {
  dictionaryCsv,
  differencesCsv,
  pointsCsv,
  summaryCsv,
  type UnitSource,
} from '../../src/sweep/tables.ts';

/** Names that users give and that stand in tables, on terminals and in spreadsheets. */

const base = `name: s
host: { processor: opteron-1354 }
hypervisor: { profile: kvm-2.6.33, mmu: { kind: nested } }
vms:
  - { name: web-1, memory: 64MiB, workload: { kind: idle } }
sweep:
`;
const plan = (sweep: string) => makePlan(new ScenarioTree(base + sweep, { file: 's.yaml' }));
function problem(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  return 'none';
}
const nothing: UnitSource = { result: () => undefined, unit: () => 'u', seed: () => '1/0' };
const headers = (made: ReturnType<typeof plan>) =>
  [pointsCsv, summaryCsv, differencesCsv].map(
    (table) => parse([...table(made, nothing)].join(''))[0] as string[],
  );

describe('the label of an axis', () => {
  it('is refused when it is any column of a table of the sweep, whatever the case', () => {
    for (const name of builtInColumns) {
      for (const label of name.length < 7 ? [name, name.toUpperCase()] : [name]) {
        const text = problem(() =>
          plan(`  axes: { vms.web-1.count: [1, 2] }\n  labels: { vms.web-1.count: ${label} }\n`),
        );
        expect(text, label).toMatch(/^s\.yaml:8:30: error: /);
        expect(text, label).toMatch(/a column of the tables already|a word of R|one word/);
      }
    }
    expect(builtInColumns).toEqual(
      expect.arrayContaining(['work', 'group', 'point', 'seed', 'unit', 'vms', 'metric', 'mean']),
    );
    expect(builtInColumns).toEqual(
      expect.arrayContaining(['replication', 'half_width', 'baseline', 'ledger_host_cycles']),
    );
  });

  it.each([
    ['vms.web-1.count: NA', 'a word of R'],
    ["vms.web-1.count: 'TRUE'", 'a word of R'],
    ['vms.web-1.count: _n', 'a label is one word'],
    ['vms.web-1.count: a-b', 'a label is one word'],
    ["vms.web-1.count: '=a'", 'a label is one word'],
    ['vms.web-1.count: hypervisor.mmu.kind', 'is the path of another axis'],
    ['vms.web-1.count: n_vms, hypervisor.mmu.kind: N_vms', 'two axes are labelled "N_vms"'],
  ])('%s is refused', (labels, message) => {
    const text = problem(() =>
      plan(`  axes: { vms.web-1.count: [1, 2], hypervisor.mmu.kind: [nested, shadow] }
  labels: { ${labels} }
`),
    );
    expect(text).toMatch(/^s\.yaml:8:\d+: error: /);
    expect(text).toContain(message);
  });

  it('may be left out: paths become names that no program changes, and none twice', () => {
    const made = plan('  axes: { vms.web-1.count: [1, 2], seed: [1, 2] }\n');
    expect(made.space.axes.map(({ column }) => column)).toEqual(['vms.web_1.count', 'swept_seed']);
    for (const header of headers(made)) {
      expect(new Set(header.map((name) => name.toLowerCase())).size).toBe(header.length);
      expect(header.filter((name) => !/^[A-Za-z][\w.]*$/.test(name))).toEqual([]);
    }
    const rows = parse([...dictionaryCsv(made)].join(''), { columns: true }) as {
      file: string;
      column: string;
      definition: string;
    }[];
    expect(rows.find(({ column }) => column === 'swept_seed')!.definition).toBe(
      'value of seed, an axis of the sweep',
    );
  });
});

describe('the label of a value', () => {
  it.each([
    [`{ "=cmd|' /C calc'!A0": 1 }`, 'formula to a spreadsheet: it begins with ='],
    ['{ "@SUM(A1)": 1 }', 'begins with @'],
    ['{ "+A1": 1 }', 'begins with +'],
    ['{ "-A1": 1 }', 'begins with -'],
    ['{ " =A1": 1 }', 'begins with ='],
    ['["=A1"]', 'formula'],
    ['{ "\\e[31mred": 1 }', 'control characters: U+001B'],
    ['{ "two\\nlines": 1 }', 'control characters: U+000A'],
    ['{ "a\\tb": 1 }', 'control characters: U+0009'],
    ['{ "a\\x7f": 1 }', 'control characters: U+007F'],
    ['{ "a\\u009b31m": 1 }', 'control characters: U+009B'],
    ['{ "a\\u202eb": 1 }', 'control characters: U+202E'],
    ['{ "a\\u2066b": 1 }', 'control characters: U+2066'],
    ['["a\\rb"]', 'control characters: U+000D'],
    ['["two\\nlines"]', 'control characters: U+000A'],
  ])('%s is refused', (values, message) => {
    const text = problem(() => plan(`  axes: { description: [x], vms.web-1.count: ${values} }\n`));
    const made = problem(() => plan(`  axes: { vms.web-1.count: ${values} }\n`));
    for (const said of [text, made]) expect(said).toMatch(/s\.yaml:7:\d+: error: /);
    expect(made).toContain(message);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what must not be there.
    expect(made).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/);
  });

  it('may be a number of either sign', () => {
    const made = plan('  axes: { vms.web-1.count: { "-1": 1, "+2": 2 } }\n');
    expect(made.point(0).values[0]!.label).toBe('-1');
  });
});

describe('texts of a scenario', () => {
  it.each([
    ['name: "s\\e[2J"', '1:7'],
    ['description: "a\\u202eb"', '1:14'],
    ['seed: "=1+1"', '1:7'],
    ['seed: "-a"', '1:7'],
    ['seed: "a\\x9b"', '1:7'],
    ['"na\\u009bme": s', '1:1'],
  ])('%s is refused with its place', (line, place) => {
    const text = `${line}\n${base.replace(/^name.*\n/, line.startsWith('name') ? '' : 'name: s\n')}`;
    const said = problem(() =>
      new ScenarioTree(text.replace('sweep:\n', ''), { file: 'd.yaml' }).load(),
    );
    expect(said).toContain(`d.yaml:${place}: error:`);
  });

  it.each(['web\\n', 'web\\e[0m', 'we\\u202eb'])('the name of a VM %s is refused', (name) => {
    const text = base.replace('sweep:\n', '').replace('name: web-1', `name: "${name}"`);
    expect(problem(() => new ScenarioTree(text, { file: 'd.yaml' }).load())).toContain(
      'd.yaml:5:13:',
    );
  });

  it('may have several lines where they describe', () => {
    const text = `description: |\n  one\n\n  two\tthree\n${base.replace('sweep:\n', '')}`;
    expect(new ScenarioTree(text, { file: 'd.yaml' }).load().scenario.description).toContain(
      'two\t',
    );
  });
});
