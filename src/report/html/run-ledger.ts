import type { RunFiles } from '../../files/results.ts';
import type { Row } from '../../files/tables.ts';
import { type LossCause, lossCauses } from '../../stats/leaves.ts';
import { walkMetric } from '../../stats/metrics.ts';
import { leafHelp } from '../costs.ts';
import { groupBy, short } from '../table.ts';
import { type Drawing, marginFor } from './charts.ts';
import { causeColours, leafColours } from './style.ts';

/**
 * Where cycles went and why translations were lost: stacked bars from the ledger and the table of
 * VMs.
 */

/** From so many VMs on, those of one group share a bar. */
export const FOLD = 25;

export const number = (row: Row, column: string): number => Number(row[column] || 0);

/** VMs that share a bar or a line, by its name. */
export function foldVms(vms: readonly Row[], most = FOLD): Map<string, readonly Row[]> {
  if (vms.length < most) return new Map(vms.map((row) => [row['vm']!, [row]]));
  return new Map(
    [...groupBy(vms, (row) => row['group']!)].map(([group, rows]) => [
      rows.length > 1 ? `${group} (${rows.length})` : group,
      rows,
    ]),
  );
}

interface Part {
  readonly bar: string;
  readonly part: string;
  readonly value: number;
  readonly share: number;
}

const meanings: Readonly<Record<string, string>> = {
  'guest.user': 'instructions of guest programs',
  'guest.kernel': 'instructions of guest kernels',
  'tlb.l2hit': 'L1 TLB misses that hit the L2',
  'walk.guest': 'reading guest, native or shadow tables',
  'walk.nested': 'reading nested tables',
  'data.stall': 'waiting for data lines',
  'exit.transition': '#VMEXIT and VMRUN',
  'exit.handler': 'hypervisor code of exits',
  switch: 'taking up another vCPU',
  shootdown: 'invalidating other cores',
  host: 'devices and interrupts of the host',
  idle: 'nothing to run',
};

const orderOfLeaf = Object.keys(leafColours);

export function ledgerOfVms({ vms, ledger }: RunFiles): Drawing {
  const bars = foldVms(vms);
  const parts = [...bars].flatMap(([bar, rows]) => {
    const names = new Set(rows.map((row) => row['vm']!));
    const elapsed = rows.reduce((sum, row) => sum + number(row, 'elapsed_cycles'), 0);
    return partsOf(
      bar,
      ledger.filter((row) => names.has(row['vm']!)),
      elapsed,
    );
  });
  return stacked(parts, [...bars.keys()], {
    id: 'ledger-vms',
    title: 'Where the cycles of each VM went',
    description: `Cycles that pCPUs spent for each VM, by ledger leaf, in per cent of the measured time of its vCPU. What is missing to 100 % it was halted or waited for a pCPU. ${largest(parts, 'VM')}`,
    label: 'per cent of the measured time',
  });
}

export function ledgerOfCores({ ledger }: RunFiles): Drawing {
  const byCore = groupBy(ledger, (row) => row['id']!);
  const parts = [...byCore].flatMap(([pcpu, rows]) => {
    const elapsed = rows.reduce((sum, row) => sum + number(row, 'cycles'), 0);
    return partsOf(`pCPU ${pcpu}`, rows, elapsed);
  });
  return stacked(
    parts,
    [...byCore.keys()].map((pcpu) => `pCPU ${pcpu}`),
    {
      id: 'ledger-cores',
      title: 'Where the cycles of each core went',
      description: `All cycles of each pCPU, by ledger leaf: every cycle is in exactly one. ${largest(parts, 'pCPU')}`,
      label: 'per cent of the measured time',
    },
  );
}

function partsOf(bar: string, rows: readonly Row[], whole: number): Part[] {
  const byLeaf = groupBy(rows, (row) => row['leaf']!);
  return orderOfLeaf.flatMap((leaf) => {
    const value = (byLeaf.get(leaf) ?? []).reduce((sum, row) => sum + number(row, 'cycles'), 0);
    return value > 0 ? [{ bar, part: leaf, value, share: value / (whole || 1) }] : [];
  });
}

function largest(parts: readonly Part[], what: string): string {
  const overhead = parts.filter(({ part }) => !/^(guest\.|idle|data\.|tlb\.)/.test(part));
  const [worst] = overhead.toSorted((a, b) => b.share - a.share);
  if (!worst) return '';
  const name = worst.bar.startsWith(what) ? worst.bar : `${what} ${worst.bar}`;
  return `The largest part besides guest work and stalls is ${worst.part} of ${name}: ${(worst.share * 100).toFixed(1)} %.`;
}

interface StackedOptions {
  readonly id: string;
  readonly title: string;
  readonly description: string;
  readonly label: string;
}

function stacked(
  parts: readonly Part[],
  bars: readonly string[],
  options: StackedOptions,
): Drawing {
  const used = orderOfLeaf.filter((leaf) => parts.some(({ part }) => part === leaf));
  return {
    ...options,
    legend: used.map((leaf) => ({ label: leaf, colour: leafColours[leaf]! })),
    options: barOptions(bars, { label: options.label, percent: true }),
    marks: (plot) => [
      plot.barX(parts, {
        x: 'share',
        y: 'bar',
        fill: (part: Part) => leafColours[part.part]!,
        stroke: 'var(--page, #fff)',
        strokeWidth: 0.5,
        title: ({ bar, part, value, share }: Part) =>
          `${bar}: ${part} (${meanings[part] ?? leafHelp(part, '')}), ${(share * 100).toFixed(2)} %, ${short(value)} cycles`,
      }),
      plot.ruleX([0]),
    ],
  };
}

export function barOptions(bars: readonly string[], x: object): Drawing['options'] {
  return {
    height: 60 + bars.length * 26,
    marginLeft: marginFor(bars),
    marginTop: 12,
    marginRight: 24,
    x: { labelAnchor: 'center', labelArrow: 'none', grid: true, ...x },
    y: { domain: bars, label: null },
    color: { type: 'identity' },
  };
}

/** Undefined when nothing walked. */
export function causesOfWalks({ vms }: RunFiles): Drawing | undefined {
  const bars = foldVms(vms);
  const parts = [...bars].flatMap(([bar, rows]) => {
    const total = (column: string) => rows.reduce((sum, row) => sum + number(row, column), 0);
    const instructions = total('instructions');
    return lossCauses.flatMap((part) => {
      const value = total(walkMetric(part));
      return value > 0 && instructions > 0
        ? [{ bar, part, value, share: (1000 * value) / instructions }]
        : [];
    });
  });
  if (parts.length === 0) return undefined;
  const [worst] = parts.toSorted((a, b) => b.share - a.share);
  return {
    id: 'walk-causes',
    title: 'Why translations were lost',
    description: `Page walks per 1000 guest instructions in the measured window, by what the translation had been lost to. Most: ${worst!.part} in ${worst!.bar}, ${short(worst!.share)} per 1000 instructions.`,
    legend: lossCauses
      .filter((cause) => parts.some(({ part }) => part === cause))
      .map((label) => ({ label, colour: causeColours[label] })),
    options: barOptions([...bars.keys()], { label: 'page walks per 1000 instructions' }),
    marks: (plot) => [
      plot.barX(parts, {
        x: 'share',
        y: 'bar',
        fill: ({ part }: Part) => causeColours[part as LossCause],
        stroke: 'var(--page, #fff)',
        strokeWidth: 0.5,
        title: ({ bar, part, value }: Part) => `${bar}: ${part}, ${short(value)} walks`,
      }),
      plot.ruleX([0]),
    ],
  };
}

export function exitsByReason({ exits }: RunFiles): Drawing | undefined {
  const reasons = [...groupBy(exits, (row) => row['reason']!)]
    .map(([reason, rows]) => {
      const total = (column: string) => rows.reduce((sum, row) => sum + number(row, column), 0);
      return {
        reason,
        count: total('count'),
        transition: total('transition_cycles'),
        handler: total('handler_cycles'),
      };
    })
    .toSorted((a, b) => b.transition + b.handler - a.transition - a.handler);
  if (reasons.length === 0) return undefined;
  const parts = reasons.flatMap(({ reason, transition, handler }) => [
    { bar: reason, part: 'exit.transition', cycles: transition },
    { bar: reason, part: 'exit.handler', cycles: handler },
  ]);
  const first = reasons[0]!;
  return {
    id: 'exits',
    title: 'Exits by reason',
    description: `Cycles of all #VMEXITs by reason: the transition into the hypervisor and back, and the code that handles it; at the end of each bar, how often. ${first.reason} cost most: ${short(first.transition + first.handler)} cycles in ${short(first.count)} exits.`,
    legend: ['exit.transition', 'exit.handler'].map((label) => ({
      label,
      colour: leafColours[label]!,
    })),
    options: {
      ...barOptions(
        reasons.map(({ reason }) => reason),
        { label: 'cycles', tickFormat: short },
      ),
      marginRight: 90,
    },
    marks: (plot) => [
      plot.barX(parts, {
        x: 'cycles',
        y: 'bar',
        fill: (part: { part: string }) => leafColours[part.part]!,
        title: ({ bar, part, cycles }: (typeof parts)[number]) =>
          `${bar}: ${part}, ${short(cycles)} cycles`,
      }),
      plot.text(reasons, {
        x: (row: (typeof reasons)[number]) => row.transition + row.handler,
        y: 'reason',
        text: (row: (typeof reasons)[number]) => `${short(row.count)} ×`,
        dx: 6,
        textAnchor: 'start',
      }),
      plot.ruleX([0]),
    ],
  };
}
