import type { Scenario } from '../scenario/resolve.ts';
import { hostMeasureNames, rarelyTabulated, tabulatedNames } from '../stats/measures.ts';
import { leafColumn, wideLeaves } from '../tables/columns.ts';

/** The columns of the tables of a sweep; those of the axes stand between. */

export const POINTS = {
  before: ['point', 'replication', 'seed', 'run'],
  after: [
    ...['group', 'vms', 'workload', 'work_unit', 'clock_mhz', 'window_cycles'],
    ...tabulatedNames,
    ...wideLeaves.map(leafColumn),
    ...hostMeasureNames,
  ],
} as const;

/** Measures and leaves that points.csv has columns for, with those of VMs that move, if any do. */
export function pointColumns({ events, vms }: Pick<Scenario, 'events' | 'vms'>) {
  const moving = events.length > 0 || vms.some((group) => group.faultTolerance !== undefined);
  const names = moving ? [...tabulatedNames, ...rarelyTabulated] : tabulatedNames;
  const leaves = moving ? [...wideLeaves, 'ft'] : wideLeaves;
  const [work, host] = [POINTS.after.slice(0, RUN), hostMeasureNames];
  const after = [...work, ...names, ...leaves.map(leafColumn), ...host];
  return { names, leaves, frame: { before: POINTS.before, after } };
}

/** Columns of points.csv that say what the row is about, before the measures. */
const RUN = 6;

export const SUMMARY = {
  before: ['point'],
  after: [
    ...['group', 'metric', 'unit', 'mean', 'half_width', 'n'],
    ...['baseline', 'difference', 'difference_half_width', 'pairs'],
  ],
} as const;

export const DIFFERENCES = {
  before: ['point', 'baseline'],
  after: [
    ...['group', 'metric', 'unit', 'difference', 'difference_half_width'],
    ...['ratio', 'ratio_half_width', 'n'],
  ],
} as const;

interface Frame {
  readonly before: readonly string[];
  readonly after: readonly string[];
}

/** The columns of a table with these axes. */
export const columnsOf = (
  { before, after }: Frame,
  axes: readonly { readonly column: string }[],
): string[] => [...before, ...axes.map(({ column }) => column), ...after];

/** Every column that a table of a sweep has besides its axes. */
export const builtInColumns: readonly string[] = [
  ...new Set([
    ...[POINTS, SUMMARY, DIFFERENCES].flatMap(({ before, after }) => [...before, ...after]),
    ...rarelyTabulated,
    leafColumn('ft'),
  ]),
];
