import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { assumedNumbers, endsOf } from '../../src/cli/assumed-numbers.ts';
import { sensitivityChart } from '../../src/cli/sensitivity-chart.ts';
import { asCsv, asMarkdown, asSummary } from '../../src/cli/sensitivity-text.ts';
import { openTree } from '../../src/files/scenario-file.ts';
import type { Scenario } from '../../src/scenario/resolve.ts';
import { Campaign } from '../../src/sweep/campaign.ts';
import { type Pool, UnitFailed } from '../../src/sweep/pool.ts';
import { readQuestion } from '../../src/sweep/question.ts';
import {
  type Sensitivity,
  sensitivity,
  stepsOf,
  type Varied,
} from '../../src/sweep/sensitivity.ts';
import type { UnitResult } from '../../src/sweep/unit.ts';

describe('the ends of a range', () => {
  it.each([
    [800, '500-1200', [500, 1200]],
    [800, '500..1200', [500, 1200]],
    [0.3, '0-0.6', [0, 0.6]],
    ['8ms', '4-12 ms', ['4ms', '12ms']],
    ['32MiB', '1 MiB-1 GiB', ['1MiB', '1GiB']],
    ['50us', '18-250us', ['18us', '250us']],
    [16384, '4-64 KiB', [4096, 65536]],
    [4, '1-8 workers', [1, 8]],
    [1e7, '2e6-200e6', [2e6, 2e8]],
    [800, '800-1200', [1200]],
    [250, '100, 250, 1000', [100, 1000]],
    [true, 'true, false', [false]],
    ['kvm', 'kvm, xen-4.1', ['xen-4.1']],
    [200, '', [100, 300]],
    ['8ms', '', ['4ms', '12ms']],
    [0, '', []],
    ['both', '', []],
    [10240, '0.3-16 KB were served when measuring', []],
  ])('of %j, %j', (value, range, ends) => {
    expect(endsOf(value, range)).toEqual(ends);
  });
});

describe('steps of the axis', () => {
  const curve = new Map([
    [0, 10],
    [1, 20],
    [-1, 5],
    [2, 40],
  ]);
  it.each([
    [10, 0],
    [15, 0.5],
    [30, 1.5],
    [50, 2.5],
    [1e9, 4],
    [7.5, -0.5],
    [2.5, -1.5],
    [Number.NaN, 4],
  ])('for a value of %d', (value, steps) => {
    expect(stepsOf(curve, value)).toBeCloseTo(steps, 9);
  });

  it('of a value that falls along it', () => {
    const falling = new Map([...curve].map(([by, at]) => [by, -at]));
    expect(stepsOf(falling, -15)).toBeCloseTo(0.5, 9);
  });

  it('of one that chance has turned round', () => {
    const turned = new Map([
      [0, 10],
      [1, 8],
      [2, 20],
    ]);
    expect(stepsOf(turned, 15)).toBeCloseTo(1.5, 9);
  });
});

/** A host that is a formula: the share in which a VM waits follows from their number and two prices. */
let base: { readonly exitPath: number; readonly halt: number } | undefined;

function formula(ran: Scenario[], broken?: number): Pool {
  return {
    lanes: 2,
    async run({ scenario }) {
      ran.push(scenario);
      const { exitPath, halt } = scenario.costs;
      base ??= { exitPath, halt };
      if (exitPath === broken) {
        throw new UnitFailed({ name: 'ModelError', message: 'no memory\nat a', stack: '' });
      }
      const count = scenario.vms[0]!.count;
      const dearer = (exitPath - base.exitPath) / 150 + (halt - base.halt) / 10_000;
      const ready_share = (count + dearer) / 20;
      const vms = Array.from({ length: count }, (_, i) => ({
        vm: `a-${i}`,
        group: 'a',
        values: { ready_share, turns: 1e9 },
      }));
      const result: UnitResult = {
        ...{ mhz: 2200, windowCycles: 1000, host: {}, groups: [], findings: [], vms },
      };
      return result;
    },
    async close() {},
  };
}

const YAML = `name: formula
duration: work
host: { processor: opteron-1354, pcpus: 1, memory: 1GiB }
hypervisor: { profile: kvm-2.6.33 }
vms: [{ name: a, memory: 16MiB, workload: { kind: page-fault-loop, pages: 8, work: 1 } }]
find: { axis: vms.a.count, from: 1, to: 20, objective: ready share < 50.1% for every VM, replications: 2 }
`;

describe('the sensitivity of an answer', () => {
  const directory = mkdtempSync(join(tmpdir(), 'sensitivity-'));
  const file = join(directory, 's.yaml');
  const ran: Scenario[] = [];
  let found: Sensitivity;
  let all: Varied[];
  const open = async () => {
    const { tree } = openTree(file, { set: [] });
    const question = readQuestion(tree);
    return { question, campaign: await Campaign.open(question.plan, join(directory, 'out')) };
  };
  const screen = async (pool: Pool) => {
    const { question, campaign } = await open();
    const loaded = campaign.plan.point(question.series[0]![9]!).load();
    all = assumedNumbers(loaded, question.axis.place);
    const numbers = all.filter(({ path }) => /\.(exitPath|halt|wake)$/.test(path));
    const silent = { onProgress: () => {}, onStage: () => {} };
    return sensitivity(question, campaign, numbers, { pool, last: 9, ...silent });
  };
  beforeAll(async () => {
    writeFileSync(file, YAML);
    found = await screen(formula(ran));
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  const effect = (name: string, end: number) =>
    found.effects.find(({ number, end: at }) => number.path.endsWith(name) && at === `${end}`)!;

  it('is found for the numbers of presets that are assumed, and for no others', () => {
    const paths = all.map(({ path }) => path);
    expect(paths).toContain('host.cpu.svm.vmrunCycles');
    expect(paths).toContain('vms.a.os.instructions.exception');
    expect(paths).not.toContain('hypervisor.costs.switchMsrs');
    expect(new Set(paths).size).toBe(paths.length);
  });

  it('is in steps of the axis, further and less far', () => {
    expect(found.answer).toBe('10');
    for (const { number, end, steps } of found.effects) {
      const dearer = Number(end) - Number(number.value);
      if (number.path.endsWith('exitPath')) expect(steps).toBeCloseTo(-dearer / 150, 6);
      if (number.path.endsWith('halt')) expect(steps).toBeCloseTo(-dearer / 10_000, 6);
      if (number.path.endsWith('wake')) expect(steps).toBe(0);
    }
  });

  it('is tried where it is near a step or more', () => {
    expect(effect('exitPath', 500).moves).toBe('yes');
    expect(effect('exitPath', 1200).moves).toBe('yes');
    for (const { number, moves } of found.effects) {
      if (!number.path.endsWith('exitPath')) expect(moves).toBeUndefined();
    }
    expect(found.effects[0]!.end).toBe('1200');
  });

  it('runs nothing again', async () => {
    const before = ran.length;
    expect((await screen(formula(ran))).effects).toEqual(found.effects);
    expect(ran).toHaveLength(before);
  });

  it('leaves out what fails in a run, with the reason', async () => {
    rmSync(join(directory, 'out'), { recursive: true });
    const { effects } = await screen(formula([], 500));
    expect(effects.find(({ end }) => end === '500')).toMatchObject({
      steps: undefined,
      refused: 'no memory',
    });
    expect(effects.find(({ end }) => end === '1200')!.moves).toBe('yes');
  });

  it('is written as a table, a page, a chart and a few lines', async () => {
    const { question } = await open();
    const rows = asCsv(found).split('\n');
    expect(rows[1]).toMatch(
      /^hypervisor kvm-2\.6\.33,hypervisor\.costs\.exitPath,800,500\.\.1200,1200,-2\.667,yes,tried$/,
    );
    expect(rows.at(-2)).toMatch(/,0,no,not used$/);
    const page = asMarkdown(question, found, []);
    expect(page).toContain('`hypervisor.costs.exitPath` moves the answer by more than one step');
    expect(page).toMatch(
      /\| `hypervisor\.costs\.exitPath` \| 800 \| 500 \| .* \| \+2\.00 \| yes \|/,
    );
    const chart = sensitivityChart(question, found);
    expect(chart).toContain('ready share &lt; 50.1%');
    expect(chart.match(/<title>hypervisor\.costs\.exitPath/g)).toHaveLength(2);
    expect(asSummary(question, found, 'out')).toContain(
      'More than one step: hypervisor.costs.exitPath.',
    );
  });
});
