import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import { program } from '../../support/command.ts';
import { root } from '../../support/program.ts';
import type { Table } from './table.ts';

/** Tables of results/ that come from sweeps, which go on where they were stopped. */

type Row = Readonly<Record<string, string>>;

/** Runs a sweep of a shipped scenario into `results/`, and reads one of its tables. */
function sweep(name: string, table: string, out = `${name}-sweep`, more: readonly string[] = []) {
  const path = join('results', out);
  const args = [program, 'sweep', `configs/${name}.yaml`, '--quiet', '--out', path, ...more];
  const { status, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' });
  if (status !== 0) throw new Error(`sweep of ${name}: ${stderr}`);
  return parse(readFileSync(join(root, path, table)), { columns: true }) as Row[];
}

/** Those that have these values in these columns. */
const where = (rows: readonly Row[], values: Row): Row[] =>
  rows.filter((row) => Object.entries(values).every(([column, value]) => row[column] === value));

function only(rows: readonly Row[], values: Row): Row {
  const [row, ...others] = where(rows, values);
  if (!row || others.length > 0) {
    throw new Error(
      `${JSON.stringify(values)}: ${others.length + Number(!!row)} rows instead of 1`,
    );
  }
  return row;
}

/** `3.88 ± 0.01`; without the interval where it is less than half of the last digit. */
function withInterval(mean: number, half: number, digits: number): string {
  const shown = mean
    .toFixed(digits)
    .replace(/^-(?=0*\.?0*$)/, '')
    .replace('-', '−');
  const width = half.toFixed(digits);
  return Number(width) === 0 ? shown : `${shown} ± ${width}`;
}

/**
 * The digits that an interval leaves, and at most three: 12.34 ± 2.1 -> 12 ± 2; 0.774 ± 0.112 ->
 * 0.77 ± 0.11; 8.0251 ± 0.0049 -> 8.03.
 */
function measured(mean: number, half: number): string {
  if (!(half > 0)) return Number(mean.toPrecision(3)).toString();
  const first = half / 10 ** Math.floor(Math.log10(half));
  const told = (first < 2 ? 1 : 0) - Math.floor(Math.log10(half));
  const most = mean === 0 ? told : 2 - Math.floor(Math.log10(Math.abs(mean)));
  const digits = Math.max(0, Math.min(told, most));
  return withInterval(mean, half, digits);
}

const sized = (row: Row, scale = 1) =>
  measured(Number(row['mean']) * scale, Number(row['half_width']) * scale);

const tags: Table = {
  page: 'results/README.md',
  name: 'tags',
  words: 0,
  head: [
    ...['VMs', 'pages each', 'together', 'walks saved by tags, %, 100 µs turns', '1 ms'],
    ...['cycles saved, %, 100 µs turns', '1 ms', '10 ms'],
  ],
  async rows() {
    const differences = sweep('asid-vs-flush', 'differences.csv');
    const saved = (values: Row, metric: string, digits: number) => {
      const [row] = where(differences, { ...values, metric });
      if (!row) return '';
      const half = 100 * Number(row['ratio_half_width']);
      return withInterval(100 * (1 - Number(row['ratio'])), half, digits);
    };
    return [2, 4, 8, 16].flatMap((vms) =>
      [25, 50, 100, 200].map((pages) => {
        const at = (timeslice: string, metric: string, digits: number) =>
          saved({ busy_vms: `${vms}`, pages: `${pages}`, tags: 'kvm', timeslice }, metric, digits);
        return [
          ...[vms, pages, (vms * pages).toLocaleString('en-US')],
          ...['100us', '1ms'].map((turn) => at(turn, 'walks_per_1000_instructions', 0)),
          ...['100us', '1ms', '10ms'].map((turn) => at(turn, 'cycles_per_instruction', 2)),
        ];
      }),
    );
  },
};

const consolidation: Table = {
  page: 'results/README.md',
  name: 'consolidation',
  words: 0,
  head: [
    ...['VMs', 'cycles per instruction, nested', 'shadow'],
    ...['p95 latency of the slowest VM, nested, ms', 'shadow'],
    'ready time, nested, % of the time a pCPU was wanted',
  ],
  async rows() {
    const summary = sweep('consolidation', 'summary.csv');
    return ['1', '4', '8', '16', '20', '24', '28'].map((web_vms) => {
      const of = (mmu: string, metric: string, scale = 1) =>
        sized(only(summary, { web_vms, mmu, tags: 'kvm', metric }), scale);
      const ready = only(summary, { web_vms, mmu: 'nested', tags: 'kvm', metric: 'ready_share' });
      return [
        web_vms,
        ...['nested', 'shadow'].map((mmu) => of(mmu, 'cycles_per_instruction')),
        ...['nested', 'shadow'].map((mmu) => of(mmu, 'latency_p95_ns', 1e-6)),
        Number((100 * Number(ready['mean'])).toPrecision(2)),
      ];
    });
  },
};

const PROGRAMS = ['kernel compile', 'Java server', 'database', 'terminal server'];

const protection: Table = {
  page: 'results/README.md',
  name: 'protection',
  head: [
    ...['program', 'nested, cycles per instruction', 'RVI given up, %', 'recording, %'],
    ...['record and replay in all, %', 'Remus, %', 'vSphere 6, %'],
  ],
  async rows() {
    const points = sweep('protection-cost', 'points.csv');
    const cycles = (program: string, paging: string, protection: string) =>
      where(points, { program, paging, protection, group: 'guest' }).map((row) =>
        Number(row['cycles_per_instruction']),
      );
    return PROGRAMS.map((program) => {
      const nested = cycles(program, 'nested', 'none');
      const more = (values: readonly number[], than: readonly number[]) =>
        change(values.map((value, i) => 100 * (value / than[i]! - 1)));
      const shadow = cycles(program, 'shadow', 'none');
      const recorded = cycles(program, 'shadow', 'record-replay');
      return [
        ...[program, mean(nested).toFixed(3), more(shadow, nested)],
        ...[more(recorded, shadow), more(recorded, nested)],
        ...['remus', 'vsphere-6'].map((policy) => more(cycles(program, 'nested', policy), nested)),
      ];
    });
  },
};

const mean = (values: readonly number[]): number =>
  values.reduce((total, value) => total + value, 0) / values.length;

/** Two-sided 95 % quantiles of Student's t distribution, by degrees of freedom. */
const T95 = [Number.NaN, 12.706, 4.303, 3.182, 2.776];

/** Mean and 95 % interval of differences in per cent, with their sign. */
function change(values: readonly number[]): string {
  const middle = mean(values);
  const variance = values.reduce((sum, x) => sum + (x - middle) ** 2, 0) / (values.length - 1);
  const half = T95[values.length - 1]! * Math.sqrt(variance / values.length);
  const text = half < 0.005 ? middle.toFixed(2).replace('-', '−') : measured(middle, half);
  return text.startsWith('−') ? text : `+${text}`;
}

const onTheLink: Table = {
  page: 'results/README.md',
  name: 'on-the-link',
  head: [
    ...['program', 'on the link, Mbit/s: record and replay', 'Remus'],
    ...['an output waits, ms: record and replay', 'Remus', 'lag, 95th percentile, ms'],
    'second copy on a core, %',
  ],
  async rows() {
    const summary = sweep('protection-cost', 'summary.csv');
    return PROGRAMS.map((program) => {
      const of = (protection: string, metric: string, scale: number) => {
        const [row] = where(summary, { program, protection, metric, group: 'guest' });
        return row && Number(row['mean']) > 0 ? sized(row, scale) : '–';
      };
      const second = where(summary, { program, protection: 'record-replay', metric: 'host_busy' });
      return [
        program,
        // Bytes of a window of 200 ms.
        ...['record-replay', 'remus'].map((kind) => of(kind, 'ft_log_bytes', 8 / 0.2 / 1e6)),
        ...['record-replay', 'remus'].map((kind) => of(kind, 'ft_hold_mean_ns', 1e-6)),
        of('record-replay', 'ft_lag_p95_ns', 1e-6),
        second.map((row) => sized(row, 400)).at(-1) ?? '–',
      ];
    });
  },
};

const LABELS: readonly (readonly [label: string, name: string])[] = [
  ['`round-robin`, 30 ms', 'round-robin'],
  ['`credit`, `accounting: tick` (Xen ≤ 4.0)', 'credit-tick'],
  ['`credit` (Xen 4.1)', 'credit'],
  ['`credit`, `timeslice: 1ms` (Xen 4.2)', 'credit-1ms'],
  ['`credit2` (Xen 4.10)', 'credit2'],
  ['`cfs` (Linux 2.6.31)', 'cfs-2.6.31'],
  ['`cfs` (Linux 2.6.33)', 'cfs-2.6.33'],
  ['`esx`, 50 ms (ESX 3, 4)', 'esx-50ms'],
  ['`esx`, 200 ms (ESX 5)', 'esx-200ms'],
  ['`bvt` with warp (Xen 3.0)', 'bvt'],
  ['`sedf` with slices (Xen 3)', 'sedf'],
  ['`rtds` with budgets (Xen 4.5)', 'rtds'],
];

const schedulers: Table = {
  page: 'results/schedulers.md',
  name: 'schedulers',
  head: [
    ...['scheduler', 'web p50', 'p95', 'worst', 'database p50', 'p95', 'worst'],
    ...['computed', 'switches', 'migrations'],
  ],
  async rows() {
    const points = sweep('schedulers', 'points.csv');
    return LABELS.map(([label, scheduler]) => {
      const of = (group: string, metric: string) =>
        where(points, { scheduler, group })
          .toSorted((a, b) => Number(a['replication']) - Number(b['replication']))
          .map((row) => Number(row[metric]));
      const ms = (value: number) => String(Number((value / 1e6).toPrecision(2)));
      const latencies = (group: string) => [
        ms(mean(of(group, 'latency_p50_ns'))),
        of(group, 'latency_p95_ns').map(ms).join(', '),
        Math.round(Math.max(...of(group, 'latency_max_ns')) / 1e6),
      ];
      const perSecond = (metric: string) =>
        ['web', 'db', 'compute'].reduce((sum, group) => sum + mean(of(group, metric)), 0);
      return [
        ...[label, ...latencies('web'), ...latencies('db')],
        (mean(of('compute', 'user_instructions')) / 1e9).toFixed(2),
        Number(perSecond('vcpu_switches').toPrecision(3)),
        Math.round(perSecond('migrations')),
      ];
    });
  },
};

export const sweeps: readonly Table[] = [tags, consolidation, protection, onTheLink, schedulers];
