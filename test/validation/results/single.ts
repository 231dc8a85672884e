import { join } from 'node:path';
import { openScenario } from '../../../src/files/scenario-file.ts';
import { traceOpener } from '../../../src/files/trace-files.ts';
import { runBaseline } from '../../../src/scenario/baseline.ts';
import { runScenario } from '../../../src/scenario/run.ts';
import type { RunResult, VmRow } from '../../../src/stats/result.ts';
import { root } from '../../support/program.ts';
import { count, type Table } from './table.ts';

/** Tables of results/README.md and results/real-programs.md, each row a run of a shipped scenario. */

const README = 'results/README.md';

async function run(name: string, set: readonly string[], baseline = true): Promise<RunResult> {
  const loaded = await openScenario(join(root, 'configs', `${name}.yaml`), { set });
  const { scenario } = loaded;
  const result = await runScenario(scenario, { openTrace: traceOpener(loaded) });
  return baseline ? await runBaseline(scenario, result) : result;
}

/** As `--set` writes them: `a=1 b=2`, at blanks that stand outside braces. */
const settings = (text: string): string[] => text.split(/ (?=[\w.]+=)/).filter(Boolean);

const sum = (vms: readonly VmRow[], of: (metrics: VmRow['metrics']) => number | undefined) =>
  vms.reduce((total, { metrics }) => total + (of(metrics) ?? 0), 0);
/** Of VMs that do the same, the mean. */
const overheadOf = ({ vms }: RunResult) => sum(vms, ({ overhead }) => overhead) / vms.length;
const flushed = ({ vms }: RunResult) =>
  sum(vms, (m) => (m.walks_world_switch ?? 0) + (m.walks_asid_exhausted ?? 0));
const interference = ({ vms }: RunResult) => sum(vms, (m) => m.walks_interference);

/** 1.0304 and 1.0751 -> 4.5 points; small ones with more digits. */
const points = (flush: number, tags: number): string => {
  const value = 100 * (flush - tags);
  return `${value.toFixed(Math.abs(value) < 0.1 ? 2 : 1)}`;
};

const withAndWithout = async (set: string) => {
  const asid = (tags: string) =>
    run('asid-vs-flush', settings(`hypervisor.tags.kind=${tags} ${set}`));
  return { tags: await asid('kvm'), none: await asid('none') };
};

const turns: Table = {
  page: README,
  name: 'turns',
  words: 0,
  head: [
    ...['timeslice', 'overhead, tags', 'overhead, flush'],
    ...['walks caused by flushes, tags', 'flush', 'saved by tags, points'],
  ],
  async rows() {
    const rows: string[][] = [];
    for (const slice of ['100us', '200us', '1ms', '10ms', '30ms']) {
      const { tags, none } = await withAndWithout(`hypervisor.scheduler.timeslice=${slice}`);
      const [a, b] = [overheadOf(tags), overheadOf(none)];
      rows.push([
        slice.replace('us', ' µs').replace('ms', ' ms'),
        ...[a.toFixed(3), b.toFixed(3), count(flushed(tags)), count(flushed(none)), points(b, a)],
      ]);
    }
    return rows;
  },
};

const footprints: Table = {
  page: README,
  name: 'footprints',
  words: 0,
  head: [
    ...['pages per VM, 200 µs turns', 'overhead, tags', 'overhead, flush'],
    ...['lost to neighbours with tags', 'lost to the VM itself', 'saved by tags, points'],
  ],
  async rows() {
    const rows: (string | number)[][] = [];
    for (const pages of [100, 220, 300, 600]) {
      const { tags, none } = await withAndWithout(
        `vms.busy.workload.regions.data.size=${4 * pages}KiB`,
      );
      const [a, b] = [overheadOf(tags), overheadOf(none)];
      const own = sum(tags.vms, (m) => m.walks_capacity);
      rows.push([
        pages,
        ...[a.toFixed(3), b.toFixed(3), count(interference(tags)), count(own), points(b, a)],
      ]);
    }
    return rows;
  },
};

const layouts: Table = {
  page: README,
  name: 'layouts',
  head: ['', 'walks', 'of these lost to other VMs', 'to flushes'],
  async rows() {
    const eight = 'vms.busy.count=8 vms.busy.workload.regions.data.size=200KiB';
    const crowd = (set: string) => run('asid-vs-flush', settings(`${eight} ${set}`), false);
    const walks = ({ vms }: RunResult) => sum(vms, (m) => m.walks);
    const row = (label: string, result: RunResult) => [
      label,
      ...[walks, interference, flushed].map((of) => count(of(result))),
    ];
    const seeds: RunResult[] = [];
    for (let seed = 1; seed <= 5; seed++) seeds.push(await crowd(`seed=${seed}`));
    const spread = (of: (result: RunResult) => number) => {
      const values = seeds.map(of);
      const mean = values.reduce((total, value) => total + value, 0) / values.length;
      return `${count(Math.min(...values))} to ${count(Math.max(...values))}, mean ${count(mean)}`;
    };
    const flat = 'vms.busy.workload.aslr=false';
    return [
      row('no tags', await crowd(`${flat} hypervisor.tags.kind=none`)),
      row('tags, all VMs at the same addresses (`aslr: false`)', await crowd(flat)),
      [
        'tags, random layouts, seeds 1 to 5',
        ...[spread(walks), spread(interference), count(Math.max(...seeds.map(flushed)))],
      ],
    ];
  },
};

const refill: Table = {
  page: README,
  name: 'refill',
  head: ['', 'overhead, 5 ms turns', '50 ms turns'],
  async rows() {
    const rows: string[][] = [];
    for (const [label, set] of [
      ['Opteron 1354 (512 KiB L2, refilled from the L3)', ''],
      ['the same without data lines (`host.caches.data: off`)', 'host.caches.data=off'],
      [
        'Opteron 2218 (1 MiB L2, refilled from memory)',
        'host.processor=opteron-2218 hypervisor.mmu.kind=shadow vms.vm.workload.regions.data.size=1MiB',
      ],
    ] as const) {
      const row: string[] = [label];
      for (const slice of ['5ms', '50ms']) {
        const long = slice === '50ms' ? ' duration=420ms' : '';
        const whole = `${set} hypervisor.scheduler.timeslice=${slice}${long}`.trim();
        row.push(overheadOf(await run('cache-refill', settings(whole))).toFixed(3));
      }
      rows.push(row);
    }
    return rows;
  },
};

const mappings: Table = {
  page: README,
  name: 'mappings',
  words: 0,
  head: ['mappings per million instructions', 'overhead, nested', 'overhead, shadow', 'wins'],
  async rows() {
    const rows: (string | number)[][] = [];
    for (const calls of [0, 1, 3, 10, 30, 100]) {
      const paged = async (kind: string) => {
        const set = `hypervisor.mmu.kind=${kind} vms.app.workload.per1M.mmap.calls=${calls}`;
        return overheadOf(await run('shadow-vs-nested', settings(set)));
      };
      const [nested, shadow] = [await paged('nested'), await paged('shadow')];
      const wins = nested < shadow ? 'nested' : 'shadow';
      rows.push([calls, nested.toFixed(3), shadow.toFixed(3), wins]);
    }
    return rows;
  },
};

const largePages: Table = {
  page: README,
  name: 'large-pages',
  words: 2,
  head: [
    ...['paging', 'guest pages of the pool', 'overhead', 'million instructions in 100 ms'],
    'walks per 1000 instructions',
  ],
  async rows() {
    const rows: string[][] = [];
    for (const [label, paging] of [
      ['nested, 4 KiB', '{ kind: nested, pageSize: 4KiB }'],
      ['nested, 2 MiB', '{ kind: nested, pageSize: 2MiB }'],
      ['shadow', '{ kind: shadow }'],
      ['native', '{ kind: native }'],
    ] as const) {
      for (const size of ['4KiB', '2MiB']) {
        const pages = `vms.db.workload.regions.pool.pageSize=${size}`;
        const result = await run('large-pages', [`hypervisor.mmu=${paging}`, pages]);
        const { metrics } = result.vms[0]!;
        const walks = (1000 * (metrics.walks ?? 0)) / (metrics.instructions || 1);
        rows.push([
          label,
          size.replace('iB', ' iB').replace(/(\d)([KM]) /, '$1 $2'),
          label === 'native' ? '1' : overheadOf(result).toFixed(3),
          ((metrics.instructions ?? 0) / 1e6).toFixed(1),
          walks.toFixed(walks < 0.1 ? 3 : 1),
        ]);
      }
    }
    return rows;
  },
};

const generations: Table = {
  page: README,
  name: 'generations',
  head: ['', 'build', 'web', 'db'],
  async rows() {
    const rows: string[][] = [];
    for (const [label, ...set] of [
      ['Opteron 2218, shadow'],
      [
        'Opteron 2218, shadow, flushed at every VMRUN (erratum 170 under Xen)',
        'hypervisor.tags={ kind: none, flush: every-vmrun }',
      ],
      ['Opteron 2356, shadow', 'host.processor=opteron-2356'],
      [
        'Opteron 2356, nested',
        ...['host.processor=opteron-2356', 'hypervisor.mmu={ kind: nested }'],
      ],
      [
        'Opteron 2356, nested, 2 MiB pages',
        ...['host.processor=opteron-2356', 'hypervisor.mmu={ kind: nested, pageSize: 2MiB }'],
      ],
    ] as const) {
      const { vms } = await run('rev-f-to-barcelona', set);
      const of = (group: string) => vms.find((vm) => vm.group === group)!.metrics.overhead!;
      rows.push([label, ...['build', 'web', 'db'].map((group) => of(group).toFixed(2))]);
    }
    return rows;
  },
};

const realPrograms: Table = {
  page: 'results/real-programs.md',
  name: 'runs',
  words: 2,
  head: [
    ...['run', 'VM', 'user instructions', 'cycles', 'slowdown', 'walks', 'cold', 'capacity'],
    ...['interference', 'world switch', 'invlpg', 'walk cycles'],
    ...['guest faults', 'hidden faults', 'nested faults', 'exits'],
  ],
  async rows() {
    const rows: (string | number)[][] = [];
    const native = new Map<string, number>();
    for (const [label, mmu, tags] of [
      ['native', 'native', 'kvm'],
      ['nested-kvm', 'nested', 'kvm'],
      ['nested-none', 'nested', 'none'],
      ['shadow-kvm', 'shadow', 'kvm'],
      ['shadow-none', 'shadow', 'none'],
    ] as const) {
      const set = settings(`hypervisor.mmu.kind=${mmu} hypervisor.tags.kind=${tags}`);
      for (const { group, metrics: m } of (await run('real-programs', set, false)).vms) {
        const cycles = m.running_cycles ?? 0;
        if (mmu === 'native') native.set(group, cycles);
        rows.push([
          ...[label, group, count(m.user_instructions ?? 0), count(cycles)],
          (cycles / native.get(group)!).toFixed(3),
          ...[m.walks, m.walks_cold, m.walks_capacity, m.walks_interference].map((n) => count(n!)),
          ...[m.walks_world_switch, m.walks_invlpg, m.walk_cycles].map((n) => count(n!)),
          ...[m.guest_faults, m.hidden_faults, m.nested_faults, m.exits].map((n) => count(n!)),
        ]);
      }
    }
    return rows;
  },
};

export const singles: readonly Table[] = [
  ...[turns, footprints, layouts, refill, mappings, largePages, generations, realPrograms],
];
