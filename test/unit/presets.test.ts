import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { generatedFiles } from '../../src/cli/generated-files.ts';
import { presetNumbers } from '../../src/cli/preset-numbers.ts';
import { loadScenario } from '../../src/scenario/load.ts';
import { presets } from '../../src/scenario/presets.ts';
import { embeddedPresets as plain } from '../../src/scenario/presets-plain.generated.ts';
import type { Scenario } from '../../src/scenario/resolve.ts';
import { load as loadTest, type Overrides, run } from '../support/scenarios.ts';

const load = (processor: string, profile: string, mmu = 'shadow'): Scenario =>
  loadScenario(
    `name: x
host: { processor: ${processor} }
hypervisor: { profile: ${profile}, mmu: { kind: ${mmu} } }
vms: [{ name: a, workload: { kind: idle } }]`,
    { file: 'x.yaml' },
  );

const commented = Object.entries({
  ...presets.processors,
  ...presets.hypervisors,
  ...presets.kernels,
});

test.each(generatedFiles('.'))('$path is what `npm run generate` would write', ({ path, text }) => {
  expect(readFileSync(path, 'utf8') === text, 'run `npm run generate`').toBe(true);
});

test.each(Object.keys(presets) as (keyof typeof presets)[])(
  'pages get the same %s, without comments',
  (folder) => {
    const values = (texts: Readonly<Record<string, string>>) =>
      Object.entries(texts).map(([name, text]) => [name, parse(text), text.split('\n').length]);
    expect(values(plain[folder])).toEqual(values(presets[folder]));
    expect(Object.values(plain[folder]).filter((text) => text.includes('#'))).toEqual([]);
  },
);

test.each(commented)('every number of %s says how it is known', (_, text) => {
  const numbers = presetNumbers(text);
  expect(numbers.length).toBeGreaterThan(20);
  expect(numbers.filter(({ status }) => status === undefined)).toEqual([]);
});

test.each(commented)('every assumed number of %s has a range that holds it', (_, text) => {
  for (const { key, value, status, range } of presetNumbers(text)) {
    if (status !== 'assumed') continue;
    expect(range, key).not.toBe('');
    const [low, high] = range.split('-').map(Number.parseFloat);
    if (!/^\d+$/.test(value) || high === undefined) continue;
    expect(Number(value), key).toBeGreaterThanOrEqual(low!);
    expect(Number(value), key).toBeLessThanOrEqual(high);
  }
});

test('a number without a status is found, wherever it stands', () => {
  const text =
    'a: 1\nb: { c: 2 } # read somewhere\nd: 3 # assumed: no range\ne: [4]\nf: 2.2GHz\ng: word\n';
  const bare = presetNumbers(text).filter(({ status }) => status === undefined);
  expect(bare.map(({ line, key }) => `${line} ${key}`)).toEqual(['1 a', '2 b', '4 e', '5 f']);
});

const pairs = Object.keys(presets.processors).flatMap((processor) =>
  Object.keys(presets.hypervisors).map((profile) => [processor, profile] as const),
);

test.each(pairs)('%s under %s makes a scenario', (processor, profile) => {
  const scenario = load(processor, profile);
  expect(scenario.processor.name).toBe(processor);
  expect(scenario.hypervisor.profile).toBe(profile);
});

test.each(Object.keys(presets.processors))('%s is ordered as memories are', (name) => {
  const { processor } = load(name, 'kvm-2.6.33');
  const { caches, memory, tlb } = processor;
  expect(tlb.l2HitCycles).toBeLessThan(caches.l2.hitCycles + processor.walk.overheadCycles);
  if (caches.l3.size > 0) expect(caches.l3.hitCycles).toBeGreaterThan(caches.l2.hitCycles);
  expect(memory.localCycles).toBeGreaterThan(caches.l3.hitCycles);
  expect([...memory.hopPermille].toSorted((a, b) => a - b)).toEqual(memory.hopPermille);
});

// Sums of steps, in the order in which src/hypervisor charges them.

const hardware = ({ processor: { svm }, costs }: Scenario) =>
  svm.vmexitCycles +
  svm.vmrunCycles +
  (costs.guestInterruptFlag ? svm.stgiCycles + svm.clgiCycles : 0) +
  (costs.vmsaveEveryExit ? svm.vmsaveCycles + svm.vmloadCycles : 0);
const exit = (scenario: Scenario) => hardware(scenario) + scenario.costs.exitPath;
/** Four lines of the guest's tables, read by software, all in the L2. */
const guestWalk = ({ processor }: Scenario) => 4 * processor.caches.l2.hitCycles;
const fault = (scenario: Scenario) =>
  exit(scenario) + scenario.costs.faultPath + guestWalk(scenario);
const hiddenFault = (scenario: Scenario) => fault(scenario) + scenario.costs.shadowFill;
const pteWrite = (scenario: Scenario) => {
  const { costs } = scenario;
  return fault(scenario) + costs.decode + guestWalk(scenario) + costs.emulateWrite + costs.zapEntry;
};
const nestedFault = (scenario: Scenario) =>
  exit(scenario) + scenario.costs.faultPath + scenario.costs.nestedFill;
const vcpuSwitch = (scenario: Scenario) => {
  const { costs, processor } = scenario;
  const { svm, instructions } = processor;
  return (
    exit(scenario) +
    costs.vcpuSwitch +
    costs.switchMsrs * (instructions.rdmsr + instructions.wrmsr) +
    instructions.fpuSwitch +
    (costs.vmsaveEveryExit ? 0 : 2 * (svm.vmsaveCycles + svm.vmloadCycles))
  );
};

test.each(Object.keys(presets.hypervisors))(
  'the steps of %s add up to what is known of whole operations on an Opteron 1354',
  (profile) => {
    const scenario = load('opteron-1354', profile);
    const sums: [string, number, number, number][] = [
      ['hardware round trip', hardware(scenario), 1000, 2000],
      ['hidden fault', hiddenFault(scenario), 2500, 4500],
      ['emulated PTE write', pteWrite(scenario), 3000, 6200],
      ['nested fault', nestedFault(scenario), 2500, 4000],
      ['vCPU switch', vcpuSwitch(scenario), 3000, 10_000],
    ];
    for (const [what, cycles, low, high] of sums) {
      expect(cycles, what).toBeGreaterThanOrEqual(low);
      expect(cycles, what).toBeLessThanOrEqual(high);
    }
  },
);

test('a null hypercall of Xen costs the published 3300 cycles on K8', () => {
  expect(exit(load('opteron-2218', 'xen-3.4'))).toBe(3300);
});

test('putting VMSAVE and VMLOAD off saves the published 650 cycles of an exit in pairs of two', () => {
  const { svm } = load('opteron-2218', 'xen-3.4').processor;
  expect(Math.abs(2 * (svm.vmsaveCycles + svm.vmloadCycles) - 650)).toBeLessThanOrEqual(10);
});

test.each(Object.keys(presets.hypervisors))(
  'a run under %s charges these sums for its exits',
  async (profile) => {
    const over: Overrides = {
      hypervisor: {
        profile,
        mmu: { kind: 'shadow', profile: 'write-protect' },
        footprint: { touches: false },
      },
      vms: [{ name: 'vm', memory: '32MiB', workload: { kind: 'mmap-loop' } }],
    };
    const scenario = loadTest(over);
    const { exits } = await run(over);
    const mean = (reason: string, key: 'transitionCycles' | 'handlerCycles') => {
      const rows = exits.filter((row) => row.reason === reason && row.count > 50);
      expect(rows.length).toBe(1);
      return rows[0]![key] / rows[0]!.count;
    };
    // The edge of the window may cut one exit.
    for (const reason of ['page-fault', 'pte-write']) {
      const { count, transitionCycles } = exits.find((row) => row.reason === reason)!;
      expect(transitionCycles).toBeLessThanOrEqual(count * hardware(scenario));
      expect(transitionCycles).toBeGreaterThan((count - 1) * hardware(scenario));
    }
    const software = pteWrite(scenario) - hardware(scenario);
    // On top come reverse mappings and lines of the guest's tables that were not in the L2.
    expect(mean('pte-write', 'handlerCycles')).toBeGreaterThan(0.9 * software);
    expect(mean('pte-write', 'handlerCycles')).toBeLessThan(1.3 * software);
  },
);
