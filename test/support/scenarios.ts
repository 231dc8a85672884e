import { stringify } from 'yaml';
import { mmuModes } from '../../src/hypervisor/mmu/index.ts';
import type { MmuDefinition } from '../../src/hypervisor/mmu/mmu.ts';
import { buildSimulation, disposeOf, type Simulation } from '../../src/scenario/build.ts';
import { loadScenario } from '../../src/scenario/load.ts';
import type { Scenario } from '../../src/scenario/resolve.ts';
import { type RunOptions, runScenario } from '../../src/scenario/run.ts';
import type { RunResult, VmRow } from '../../src/stats/result.ts';

/** What a scenario of a test says besides its defaults; maps are merged, all else is replaced. */
export type Overrides = Readonly<Record<string, unknown>>;

const isMap = (value: unknown): value is Overrides =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** `kind` chooses other parameters, so a map with another kind replaces the old one. */
function merged(base: unknown, over: unknown): unknown {
  if (!isMap(base) || !isMap(over)) return over;
  if ('kind' in over && over['kind'] !== base['kind']) return over;
  const out: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(over)) {
    out[key] = key in out ? merged(out[key], value) : value;
  }
  return out;
}

const DEFAULTS: Overrides = {
  name: 'test',
  seed: 1,
  duration: '4ms',
  warmup: '0us',
  host: { processor: 'opteron-1354', pcpus: 1, memory: '1GiB' },
  hypervisor: { profile: 'kvm-2.6.33' },
  vms: [{ name: 'vm', memory: '32MiB', workload: { kind: 'page-fault-loop', pages: 64 } }],
  output: { timeseries: '1ms' },
  checks: { translations: true },
};

/** A small scenario as YAML: one VM on one pCPU of an Opteron 1354 under KVM 2.6.33, 4 ms, all checks on. */
export function aScenario(overrides: Overrides = {}): string {
  return stringify(merged(DEFAULTS, overrides), { aliasDuplicateObjects: false });
}

export function load(overrides: Overrides = {}): Scenario {
  return loadScenario(aScenario(overrides), { file: 'test.yaml' });
}

/** Runs it with the checks that are on by default here. */
export function run(overrides: Overrides = {}, options: RunOptions = {}): Promise<RunResult> {
  return runScenario(load(overrides), options);
}

/** How many random cases: few in every test run, many under `npm run validate`. */
export const runs = (quick: number): number =>
  process.env['VALIDATE'] === 'full' ? quick * 10 : quick;

/** Builds it, hands it to `use` and takes the machine down again. */
export function simulate<T>(overrides: Overrides, use: (simulation: Simulation) => T): T {
  const simulation = buildSimulation(load(overrides));
  try {
    return use(simulation);
  } finally {
    disposeOf(simulation);
  }
}

/** A metric of the only VM, or of the one with that name; a metric nobody reported is a mistake. */
export function metric(result: RunResult, name: keyof VmRow['metrics'], vm?: string): number {
  const row =
    vm === undefined ? result.vms[0] : result.vms.find((candidate) => candidate.vm === vm);
  const value = row?.metrics[name];
  if (value === undefined) throw new Error(`no ${name} for ${vm ?? 'the first VM'}`);
  return value;
}

type Mode = Overrides & { readonly kind: string };

/** A registered paging mode in all its variants, as scenarios write them. */
export const variantsOf = ({ name, variants = [{}] }: MmuDefinition): Mode[] =>
  variants.map((params) => ({ kind: name, ...params }));

/** Every registered way of virtualizing memory, and every one with a hypervisor. */
export const PAGING_MODES: readonly Mode[] = mmuModes.definitions.flatMap(variantsOf);
export const VIRTUALIZED_MODES: readonly Mode[] = PAGING_MODES.filter(
  ({ kind }) => mmuModes.of(kind).virtualized,
);

export const modeName = (mode: Overrides): string => Object.values(mode).join(' ');

/** Make, a shell, a compiler whose output an assembler reads from a pipe, and now and then a linker. */
export function treeOf(more: Overrides = {}, output = '150KiB'): Overrides {
  const regions = (text: string) => [
    { name: text, kind: 'code', size: '96KiB', share: 2 },
    { name: 'libc', kind: 'file', size: '64KiB', share: 1, stores: 0.1 },
    { name: 'heap', kind: 'anon', size: '120KiB', share: 2, stores: 0.4 },
  ];
  const command = (name: string, instructions: number, keys: Overrides = {}) => ({
    name,
    instructions,
    regions: regions(name),
    ...keys,
  });
  return {
    kind: 'process-tree',
    sizes: 'fixed',
    hz: 0,
    work: 4,
    unit: 'files',
    programs: [
      command('make', 4000, {
        starts: 'vfork',
        runs: [{ commands: ['sh'] }, { commands: ['ld'], every: 2 }],
      }),
      command('sh', 2000, {
        cowPages: 6,
        runs: [{ commands: ['cc1', 'as'] }, { commands: ['mv'] }],
      }),
      command('cc1', 20_000, {
        output,
        scaled: true,
        per1M: { mmap: { calls: 200, pages: 6, live: 3 }, mprotect: 200 },
      }),
      command('as', 6000, { scaled: true }),
      command('mv', 1500),
      command('ld', 5000),
    ],
    ...more,
  };
}

/** Guests that do to page tables what guests do: small, quick, each a different mixture. */
export const BUSY_WORKLOADS: Readonly<Record<string, Overrides>> = {
  faults: { kind: 'page-fault-loop', pages: 40, hz: 0, work: 6 },
  mappings: { kind: 'mmap-loop', pages: 600, touched: 9, hz: 0, work: 8 },
  forks: { kind: 'fork-loop', pages: 40, written: 10, hz: 0, work: 5 },
  crowd: { kind: 'context-switch-ring', processes: 18, pages: 3, hz: 0, work: 60 },
  ring: { kind: 'context-switch-ring', processes: 4, pages: 20, hz: 0, work: 20 },
  compile: {
    kind: 'synthetic',
    regions: [
      { name: 'text', kind: 'code', size: '160KiB', share: 2 },
      { name: 'heap', kind: 'anon', size: '400KiB', share: 3, stores: 0.4 },
      { name: 'shared', kind: 'shared', size: '64KiB', share: 1, stores: 0.3 },
      { name: 'library', kind: 'file', size: '100KiB', share: 1, stores: 0.1 },
    ],
    per1M: {
      mprotect: 300,
      munmap: 100,
      yields: 20,
      mmap: { calls: 200, pages: 6, live: 3 },
      heapGrowth: { calls: 200, pages: 5, limit: '128KiB' },
    },
    jobs: { instructions: 12_000, forks: true, exec: true, freshPages: 12, cowPages: 6 },
    hz: 0,
    work: 2,
  },
  tree: treeOf({ jobs: 2, quantum: 4000, sizes: 'exponential' }),
  server: {
    kind: 'synthetic',
    processes: 3,
    threads: 2,
    quantum: 5000,
    regions: [
      { name: 'text', kind: 'code', size: '96KiB', share: 1 },
      { name: 'data', kind: 'anon', size: '300KiB', share: 2, stores: 0.5, populated: false },
    ],
    per1M: { mprotect: 500, munmap: 200, mmap: { calls: 500, pages: 3, live: 4 }, yields: 50 },
    jobs: { instructions: 8_000, freshPages: 9 },
    hz: 0,
    work: 4,
  },
  large: {
    kind: 'synthetic',
    regions: [
      { name: 'text', kind: 'code', size: '64KiB', share: 1 },
      { name: 'heap', kind: 'anon', size: '6MiB', pageSize: '2MiB', share: 3, stores: 0.4 },
    ],
    jobs: { instructions: 5_000, forks: true, exec: false, cowPages: 40 },
    hz: 0,
    work: 2,
  },
};
