import type { SweepFiles } from '../files/results.ts';
import type { RunResult } from '../stats/result.ts';
import { estimates, measuresToShow, named, rolesOf, withInterval } from './html/sweep-data.ts';
import { groupBy, percent } from './table.ts';

/** Bars for a terminal, at most 100 columns wide, without colour. */

const BAR = 48;
const MAX_NAME = 30;
const eighths = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'] as const;

/** A bar of up to `width` characters for a share of 1, in eighths of a character. */
export function bar(share: number, width: number = BAR): string {
  const whole = Math.round(Math.min(1, Math.max(0, share)) * width * 8);
  const text = '█'.repeat(Math.floor(whole / 8)) + eighths[whole % 8]!;
  return share > 0 && text === '' ? '▏' : text;
}

/** Kinds of cycles, with the sign that draws them. */
const kinds: readonly { readonly sign: string; readonly name: string; readonly leaves: RegExp }[] =
  [
    { sign: '█', name: 'own instructions', leaves: /^guest\./ },
    { sign: '▓', name: 'TLB and page walks', leaves: /^(?:tlb|walk)\./ },
    { sign: '▒', name: 'memory', leaves: /^data\./ },
    { sign: '░', name: 'hypervisor', leaves: /^(?:exit\.|switch|shootdown|host)/ },
  ];

/** Where the cycles of each VM went. In the rest of its line it was halted or waited for a pCPU. */
export function runPlot({ vms, windowCycles }: RunResult): string {
  const rows = vms.map(({ vm, ledger, metrics }) => {
    const elapsed = metrics.elapsed_cycles ?? windowCycles;
    const parts = kinds.map(({ leaves }) =>
      Object.entries(ledger).reduce(
        (sum, [leaf, cycles]) => sum + (leaves.test(leaf) ? cycles : 0),
        0,
      ),
    );
    return {
      name: vm,
      share: stackedBar(parts, elapsed),
      value: percent(sum(parts) / elapsed),
    };
  });
  const legend = kinds.map(({ sign, name }) => `${sign} ${name}`).join('   ');
  return section('Where the cycles of each VM went (% of the measured time)', rows, legend);
}

/** Ends are rounded, not parts, so that the bar is as long as the whole. */
function stackedBar(parts: readonly number[], whole: number): string {
  let text = '';
  let end = 0;
  for (const [i, part] of parts.entries()) {
    end += part / (whole || 1);
    text += kinds[i]!.sign.repeat(Math.max(0, Math.round(end * BAR) - text.length));
  }
  return text;
}

const MOST_MEASURES = 2;
const MOST_ROWS = 40;

/** The first measures of a sweep, point by point. */
export function sweepPlot(files: SweepFiles): string {
  const { axes } = files.manifest;
  const { x } = rolesOf(axes);
  const varying = axes.flatMap((axis, i) => (axis.values.length > 1 ? [i] : []));
  const plots = measuresToShow(files)
    .slice(0, MOST_MEASURES)
    .map((shown) => {
      const all = estimates(files, shown);
      const most = Math.max(...all.map(({ mean }) => mean));
      const several = new Set(all.map(({ group }) => group)).size > 1;
      const others = varying.filter((i) => i !== x?.index);
      const lines = groupBy(all, (row) =>
        [
          ...others.map((i) => named(axes[i]!, row.labels[i]!)),
          ...(several ? [row.group] : []),
        ].join(', '),
      );
      const rows = [...lines].flatMap(([line, own]) => [
        ...(line === '' || !x ? [] : [{ name: line }]),
        ...own
          .toSorted((a, b) => (x ? position(x, a.labels) - position(x, b.labels) : 0))
          .map((row) => ({
            name: x ? `  ${row.labels[x.index]}` : line,
            share: bar(row.mean / (most || 1)),
            value: withInterval(row),
          })),
      ]);
      const more = rows.length > MOST_ROWS ? `… ${rows.length - MOST_ROWS} more lines` : '';
      return section(
        x ? `${shown.label}, by ${x.axis.column}` : shown.label,
        rows.slice(0, MOST_ROWS),
        more,
      );
    });
  return plots.join('\n');
}

const position = (x: NonNullable<ReturnType<typeof rolesOf>['x']>, labels: readonly string[]) =>
  x.values.get(labels[x.index]!)!;

interface Line {
  readonly name: string;
  readonly share?: string;
  readonly value?: string;
}

function section(title: string, rows: readonly Line[], below: string): string {
  const shown = rows.map((row) => ({
    ...row,
    name:
      row.share !== undefined && row.name.length > MAX_NAME
        ? `${row.name.slice(0, MAX_NAME - 1)}…`
        : row.name,
  }));
  const width = Math.max(
    ...shown.map(({ name, share }) => (share === undefined ? 0 : name.length)),
  );
  const lines = shown.map(({ name, share, value }) =>
    share === undefined ? name : `${name.padEnd(width)}  ${share.padEnd(BAR)}  ${value}`,
  );
  return (
    `${[title, ...lines, ...(below ? [below] : [])].map((line) => line.trimEnd()).join('\n  ')}` +
    `\n`
  );
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
