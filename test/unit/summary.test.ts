import { readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openScenario } from '../../src/files/scenario-file.ts';
import { traceOpener } from '../../src/files/trace-files.ts';
import { mmuModes } from '../../src/hypervisor/mmu/index.ts';
import { runAnswer } from '../../src/report/answer.ts';
import { summary } from '../../src/report/summary.ts';
import { runBaseline } from '../../src/scenario/baseline.ts';
import { runScenario } from '../../src/scenario/run.ts';
import type { RunResult, VmRow } from '../../src/stats/result.ts';
import { shortened } from '../support/configs.ts';
import { load, type Overrides, run } from '../support/scenarios.ts';

/** What a terminal shows of a run, whatever has run. */

const configs = resolve(import.meta.dirname, '../../configs');
const SECTIONS =
  /^(?:VMs|Fault tolerance|Live migration|Slowdown|Requests|Largest costs of virtualization|Page walks, by why they were needed .*|Free of charge|Notes)(?: \(the first \d+ of \d+ lines\))?$/;

/** Lines of the summary, after what holds for each was checked. */
function checked(scenario: Parameters<typeof summary>[0], result: RunResult): string[] {
  const text = summary(scenario, result);
  const lines = text.split('\n');
  expect(Math.max(...lines.map((line) => line.length)), text).toBeLessThanOrEqual(100);
  expect(lines.length, text).toBeLessThanOrEqual(59);
  expect(text).not.toMatch(/NaN|Infinity|undefined|(?<![-\d])1 (?:jobs|requests|passes|turns)\b/);
  expect(text).not.toMatch(/\d{5,}(?!.*\bseed\b)(?![\w.]*\S*-)/);
  // Directly below the title: one sentence, then at most four numbers.
  const { virtualized } = mmuModes.of(scenario.hypervisor.mmu.kind);
  const { sentence, numbers } = runAnswer({ ...result, virtualized });
  expect(numbers.length).toBeLessThanOrEqual(4);
  expect(sentence).toMatch(/^[A-Z][^.!?]*(?:\d\.\d[^.!?]*)*\.$/);
  expect(lines.slice(1, 4).join(' ')).toContain(sentence.slice(0, 90));
  expect(text.replaceAll('\n', ' ').replaceAll(/ +/g, ' ')).toContain(sentence);
  expect(lines.indexOf('VMs')).toBeLessThanOrEqual(16);
  // Every number in per cent says of what, in its line or in the head above.
  for (const [i, line] of lines.entries()) {
    if (!line.includes('%')) continue;
    const near = [line, lines[i - 1], lines[i + 1], lines[i - 2]].join(' ');
    expect(near, line).toMatch(/\bof (?:the|its|busy|it|their|those)\b|%RDY/);
  }
  const numbered = lines.slice(lines.findIndex((line) => line.startsWith('  ')));
  for (const line of numbered.filter((one) => /^\S/.test(one))) {
    if (!/^[a-z]/.test(line)) expect(line).toMatch(SECTIONS);
  }
  return lines;
}

const short = ['duration=2ms', 'warmup=500us'];
const files = readdirSync(configs).filter((name) => name.endsWith('.yaml'));

describe('the summary of a run begins with its answer and fits a terminal', () => {
  it.each(files)('of configs/%s', async (file) => {
    const loaded = await openScenario(join(configs, file), { set: shortened(file, short) });
    const { scenario } = loaded;
    checked(scenario, await runScenario(scenario, { openTrace: traceOpener(loaded) }));
  });

  it('of a host that is lost too late for the other one to notice', async () => {
    const host = { processor: 'opteron-1354', memory: '1GiB', pcpus: 1 };
    const scenario = load({
      ...{ duration: '6ms', warmup: '1ms', host: undefined, hosts: { a: host, b: host } },
      links: [{ name: 'log', between: ['a', 'b'], bandwidth: '1Gb/s', latency: '50us' }],
      hypervisor: { profile: 'esx-4' },
      vms: [
        {
          ...{ name: 'vm', host: 'a', memory: '64MiB', workload: { kind: 'idle' } },
          faultTolerance: { kind: 'record-replay', secondary: 'b', link: 'log' },
        },
      ],
      events: [{ at: '4ms', kind: 'fail', host: 'a' }],
    });
    const text = checked(scenario, await runScenario(scenario))
      .join(' ')
      .replaceAll(/ +/g, ' ');
    expect(text).toContain('At 4 ms a lost power, which the other host had not noticed by the');
  });

  const spin = (name: string, more: Overrides = {}) => ({
    name,
    memory: '32MiB',
    workload: { kind: 'tlb-thrash', pages: 64 },
    ...more,
  });
  const server = (name: string, rate: string) => ({
    name,
    memory: '128MiB',
    workload: {
      kind: 'web-server',
      requests: { arrivals: { kind: 'open', rate }, instructions: 120_000, ioProbability: 0 },
    },
  });
  const slices = { scheduler: { kind: 'round-robin', timeslice: '30ms' } };

  it.each<[string, Overrides, RegExp]>([
    ['one VM', {}, /no VM waits long for a pCPU\.$/],
    ['one VM and no hypervisor', { hypervisor: { mmu: { kind: 'native' } } }, /nothing here/],
    [
      'a VM that starves',
      { hypervisor: slices, vms: [spin('a'), spin('b')] },
      /b-0 got no turn\.$/,
    ],
    [
      'VMs that share a pCPU',
      {
        vms: [spin('a', { count: 2 })],
        hypervisor: { scheduler: { kind: 'round-robin', timeslice: '100us' } },
      },
      /the pCPUs have no time left, and a-\d waits/,
    ],
    [
      'a server that is overrun',
      { duration: '8ms', vms: [server('web', '60000/s')] },
      /requests arrive faster than web-0 can serve/,
    ],
    [
      'a VM that is held back by its cap',
      {
        duration: '40ms',
        vms: [spin('a', { cap: 30 })],
        hypervisor: { scheduler: { kind: 'credit' } },
      },
      /a-0 waits for a pCPU/,
    ],
    ['a free mechanism', { free: ['exit', 'tlb-flush'] }, /./],
    [
      '30 VMs',
      {
        duration: '1ms',
        host: { pcpus: 4, memory: '4GiB' },
        vms: [
          spin('a', { count: 20 }),
          server('web', '2000/s'),
          { ...server('www', '3000/s'), count: 9 },
        ],
      },
      /got no turn/,
    ],
    [
      '30 VM groups',
      {
        duration: '1ms',
        host: { pcpus: 4, memory: '4GiB' },
        vms: Array.from({ length: 30 }, (_, i) =>
          i % 3 === 0 ? server(`a-server-with-a-long-name-${i}`, '3000/s') : spin(`vm${i}`),
        ),
      },
      /got no turn/,
    ],
  ])('of %s', async (_, overrides, sentence) => {
    const result = await run(overrides);
    checked(load(overrides), result);
    expect(runAnswer(result).sentence).toMatch(sentence);
  });

  it('with a baseline', async () => {
    const scenario = load({
      vms: [spin('a'), spin('b')],
      hypervisor: { scheduler: { kind: 'round-robin', timeslice: '100us' } },
    });
    const lines = checked(scenario, await runBaseline(scenario, await runScenario(scenario)));
    expect(lines.join('\n')).toMatch(
      /\n {2}\d\.\d\d × {2}the time that [ab]-0 would take for its work alone and native: /,
    );
    expect(lines).toContain('Slowdown');
  });
});

describe('the tables of a summary', () => {
  const vm = (name: string, more: Partial<VmRow> = {}): VmRow => ({
    vm: name,
    group: name.replace(/-\d+$/, ''),
    workload: 'w',
    unit: 'requests',
    startInstructions: 0,
    ledger: { 'guest.user': 9e8, 'walk.nested': 1e8 },
    requests: { served: [], unfinished: [] },
    ...more,
    metrics: {
      work: 12_345,
      instructions: 1e6,
      running_cycles: 5e8,
      ready_cycles: 4e8,
      elapsed_cycles: 1e9,
      requests: 12_345,
      requests_unfinished: 55,
      requests_arrived: 12_400,
      requests_queued_before: 7,
      latency_mean_ns: 662_000,
      latency_p50_ns: 5_150_000,
      walks: 1_234_567,
      walks_cold: 1_000_000,
      walks_cr3: 234_567,
      ...more.metrics,
    },
  });
  const result = (...vms: VmRow[]): RunResult => ({
    name: 's',
    seed: '1',
    mhz: 2200,
    windowCycles: 1e9,
    pcpuCount: 1,
    metrics: [],
    ledger: vms.flatMap(({ vm: name, ledger }) =>
      Object.entries(ledger).map(([leaf, cycles]) => ({
        pcpu: 0,
        vm: name,
        leaf,
        detail: leaf.startsWith('walk') ? 'cold' : '',
        cycles,
      })),
    ),
    exits: [],
    evictions: undefined,
    vms,
    latencies: [],
    timeseries: [],
    findings: [],
  });

  it('have as many digits after the point in a column as its smallest value needs', () => {
    const text = summary(
      load(),
      result(vm('a-0'), vm('b-0', { metrics: { latency_mean_ns: 10.6e6 } })),
    );
    expect(text).toMatch(/\n {2}a-0 +7 +12,400 +12,345 +27,159 +0\.662 +5\.15 .* 12,400\n/);
    expect(text).toMatch(/\n {2}b-0 +7 .* 10\.600 +5\.15 /);
  });

  it('answer in words that say of what, with one unit of cost named', () => {
    const waits = { ready_cycles: 5e6, running_cycles: 9.95e8 };
    const dear = { ledger: { 'guest.user': 5e8, 'walk.nested': 4e8, host: 1e8 }, metrics: waits };
    const { sentence, numbers, state } = runAnswer(
      result(vm('a-0', { metrics: waits }), vm('b-0', dear)),
    );
    expect(sentence).toBe(
      'Virtualization costs 30.0 % of the busy cycles here, most of it for nested page walks, and b-0 pays most; no VM waits long for a pCPU.',
    );
    expect(numbers.map(({ value, text }) => `${value} ${text}`)).toEqual([
      '30.0 % of the busy cycles go to virtualization',
      '25.0 % of the busy cycles go to nested page walks, most of it',
      '50.0 % of the cycles of b-0 go to virtualization: it pays most',
      '0.5 % of the time a-0 waits for a pCPU, the longest of all VMs',
    ]);
    expect(state).toBe('room');
    const asleep = result(vm('a-0', { ledger: {}, metrics: { instructions: 0 } }));
    expect(runAnswer(asleep)).toEqual({
      sentence: 'No VM ran in the measured window.',
      numbers: [],
      state: 'idle',
    });
  });

  it.each([
    ['million instructions', 8_523_111.4],
    ['iterations', 1_234_567_890],
    ['passes', 1],
  ])('are narrow enough with long names and much work in %s', (unit, work) => {
    for (const count of [1, 7]) {
      const vms = Array.from({ length: count }, (_, i) =>
        vm(`a-very-long-name-of-a-virtual-machine-${i}`, {
          unit,
          metrics: { work: work / (i + 1) },
        }),
      );
      checked(load(), result(...vms));
    }
  });

  it('give up rows where there are more than a screen has, and say so', () => {
    const vms = Array.from({ length: 40 }, (_, i) => vm(`vm${i}-0`));
    const lines = checked(load(), result(...vms));
    expect(lines.join('\n')).toMatch(/^VMs \(the first \d+ of 40 lines\)$/m);
  });
});
