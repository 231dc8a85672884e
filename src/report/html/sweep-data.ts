import type { SweepAxis, SweepFiles } from '../../files/results.ts';
import type { Row } from '../../files/tables.ts';
import { type MeasureName, measures } from '../../stats/measures.ts';
import { estimate } from '../../stats/replications.ts';
import { countsVms, mainAxis, numbersOf, type Samples } from '../../sweep/compare.ts';
import type { Objective } from '../../sweep/objective.ts';
import { axisScale, estimated } from '../quantities.ts';
import { groupBy } from '../table.ts';

/**
 * What the figures of a sweep are drawn from: estimates by point and VM group, and the part each
 * axis plays.
 */

/** Mean of a measure at a point, in the unit it is shown in. */
export interface Estimated {
  readonly point: string;
  /** Label on each axis. */
  readonly labels: readonly string[];
  /** VM group, or `host`. */
  readonly group: string;
  readonly mean: number;
  /** Half of the 95 % interval; undefined with one replication. */
  readonly half: number | undefined;
  readonly n: number;
}

/** What was measured at a point, replication by replication, in the unit it is shown in. */
export interface Sampled {
  readonly point: string;
  readonly labels: readonly string[];
  readonly group: string;
  readonly samples: Samples;
  /** Replications there are, also those without a value. */
  readonly planned: number;
}

/** The unit in which a measure is shown. */
export interface Shown {
  readonly name: MeasureName;
  /** `p99 latency` */
  readonly words: string;
  /** `p99 latency, ms` */
  readonly label: string;
  readonly factor: number;
}

export function shownAs(name: MeasureName): Shown {
  const { words } = measures[name];
  const { unit, factor } = axisScale(name);
  return { name, words, label: unit === '' ? words : `${words}, ${unit}`, factor };
}

/**
 * Estimates of a measure, from summary.csv or, where it leaves the measure out, from the points.
 */
export function estimates(files: SweepFiles, shown: Shown): Estimated[] {
  const { manifest, summary } = files;
  const { name, factor } = shown;
  const labels = (row: Row) => manifest.axes.map(({ column }) => row[column]!);
  const rows = summary.filter((row) => row['metric'] === name && row['mean'] !== '');
  if (rows.length > 0) {
    return rows.map((row) => ({
      point: row['point']!,
      labels: labels(row),
      group: row['group']!,
      mean: Number(row['mean']) * factor,
      half: row['half_width'] ? Number(row['half_width']) * factor : undefined,
      n: Number(row['n']),
    }));
  }
  return sampled(files, shown).flatMap(({ point, labels: at, group, samples }) => {
    const found = estimate([...samples.values()]);
    if (!found || !Number.isFinite(found.mean)) return [];
    return [{ point, labels: at, group, mean: found.mean, half: found.halfWidth, n: found.n }];
  });
}

/** The samples of a measure by point and VM group; empty where it could not be measured. */
export function sampled({ manifest, points }: SweepFiles, { name, factor }: Shown): Sampled[] {
  const host = measures[name].scope === 'host';
  const groups = groupBy(points, (row) => `${row['point']} ${host ? 'host' : row['group']}`);
  return [...groups.values()].map((all) => {
    const [first] = all;
    const once = host ? all.filter(({ group }) => group === first!['group']) : all;
    return {
      point: first!['point']!,
      labels: manifest.axes.map((axis) => first![axis.column]!),
      group: host ? 'host' : first!['group']!,
      samples: new Map(
        once
          .filter((row) => (row[name] ?? '') !== '')
          .map((row) => [Number(row['replication']), numberIn(row[name]!) * factor]),
      ),
      planned: once.length,
    };
  });
}

const numberIn = (text: string) => (/^inf/i.test(text) ? Number.POSITIVE_INFINITY : Number(text));

/** An axis whose values are numbers or quantities (`30ms`). */
export interface NumericAxis {
  readonly index: number;
  readonly axis: SweepAxis;
  /** In a base unit, by label. */
  readonly values: ReadonlyMap<string, number>;
}

export interface Roles {
  /** Goes to the right; undefined when no axis is numeric. */
  readonly x: NumericAxis | undefined;
  /** A second numeric axis: the other side of a heat map. */
  readonly second: NumericAxis | undefined;
  /** Told apart by colour. */
  readonly colour: number | undefined;
  /** Told apart by panels, side by side, then one below the other. */
  readonly facets: readonly number[];
  /** True when `x` counts VMs. */
  readonly consolidation: boolean;
}

/** More lines than this in a panel are not told apart. */
const COLOURS = 7;

export function rolesOf(axes: readonly SweepAxis[]): Roles {
  const varying = axes
    .map((axis, index) => ({ axis, index }))
    .filter(({ axis }) => axis.values.length > 1);
  const numeric = varying.flatMap(({ axis, index }): NumericAxis[] => {
    const values = numbersOf(axis);
    return values ? [{ axis, index, values }] : [];
  });
  const main = mainAxis(axes);
  const x = numeric.find(({ index }) => index === main);
  const bySize = numeric.toSorted((a, b) => b.axis.values.length - a.axis.values.length);
  const second = bySize.find((axis) => axis !== x);
  const others = varying.map(({ index }) => index).filter((index) => index !== x?.index);
  const colour = others.find((index) => axes[index]!.values.length <= COLOURS);
  return {
    x,
    second,
    colour,
    facets: others.filter((index) => index !== colour),
    consolidation: x !== undefined && countsVms(x.axis),
  };
}

/** Measures worth a figure of their own, in this order. */
const WORTH: readonly MeasureName[] = [
  'slowdown',
  'latency_p99_ns',
  'latency_p95_ns',
  'work_per_second',
  'cycles_per_instruction',
  'ready_share',
  'walk_share',
  'host_overhead',
  'hypervisor_share',
  'host_busy',
];
const MOST_FIGURES = 6;

/** What the figures show: measures that summary.csv has and that differ between points. */
export function measuresToShow({ summary }: SweepFiles): Shown[] {
  const rows = groupBy(summary, (row) => row['metric']!);
  const differing = [...rows].filter(([, all]) => new Set(all.map((row) => row['mean'])).size > 1);
  const names = differing.map(([name]) => name).filter((name) => Object.hasOwn(measures, name));
  const known = WORTH.filter((name) => names.includes(name));
  const rest =
    known.length > 0 ? [] : (names as MeasureName[]).filter((name) => name !== 'vms_per_core');
  return [...known, ...rest].slice(0, MOST_FIGURES).map(shownAs);
}

/** What axes with well-known paths are called. */
const axisNames: Readonly<Record<string, string>> = {
  'hypervisor.mmu.kind': 'paging',
  'hypervisor.mmu.pageSize': 'page size',
  'hypervisor.tags.kind': 'tags',
  'hypervisor.scheduler.kind': 'scheduler',
  'hypervisor.scheduler.timeslice': 'timeslice',
  'hypervisor.profile': 'profile',
  'host.processor': 'processor',
  'host.pcpus': 'pCPUs',
};

/** An axis in words: `web VMs`, `paging`; the last part of a path that has no name of its own. */
export function axisWords({ path, column }: SweepAxis): string {
  const known = axisNames[path];
  if (known !== undefined) return known;
  if (countsVms({ path })) {
    const group = /^vms\.([\w-]+)\.count$/.exec(path)?.[1];
    return group === undefined ? 'VMs' : `${group} VMs`;
  }
  const own =
    column === path
      ? path
          .replace(/\.kind$/, '')
          .split('.')
          .at(-1)!
      : column;
  return own.replaceAll('_', ' ');
}

/** `vms 8`: a value by the column of its axis. */
export const named = (axis: SweepAxis, label: string) => `${axis.column} ${label}`;

/** `8 web VMs`, `nested paging`, `timeslice 30ms`: a value as legends and sentences name it. */
export function valueWords(axis: SweepAxis, label: string): string {
  const words = axisWords(axis);
  if (countsVms(axis)) return `${label} ${label === '1' ? words.replace(/VMs$/, 'VM') : words}`;
  if (!axis.path.endsWith('.kind')) return `${words} ${label}`;
  return `${label === 'none' ? 'no' : label} ${words}`;
}

/** A line to stay below or above. */
export interface Limit {
  readonly objective: Objective;
  /** In the unit shown. */
  readonly value: number;
}

export interface Sweep {
  readonly axes: readonly SweepAxis[];
  readonly roles: Roles;
}

/** `10.1 ± 2.3`, in the unit shown. */
export function withInterval(row: Pick<Estimated, 'mean' | 'half'> & { n?: number }): string {
  return estimated(row.mean, row.half, row.n);
}
