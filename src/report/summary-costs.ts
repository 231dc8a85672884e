import type { Scenario } from '../scenario/resolve.ts';
import { inOneClock } from '../stats/clocks.ts';
import { type LossCause, lossCauses } from '../stats/leaves.ts';
import { walkMetric } from '../stats/metrics.ts';
import type { RunResult } from '../stats/result.ts';
import { costWords, virtualizationCosts } from './costs.ts';
import { type Line, type Section, sum, values, WIDTH } from './summary-vms.ts';
import { type Column, cut, grouped, percent, range, textTable, widthOf } from './table.ts';

/** The tables of a summary that say why: costs of virtualization, and causes of page walks. */

/** Smaller shares are not worth a line or a column. */
const SMALLEST = 0.0005;
const MOST_COSTS = 3;
const LONGEST_NAME = 16;

export function costTable(result: RunResult): Section | undefined {
  const ledger = inOneClock(result);
  const busy = sum(
    ledger.filter(({ leaf }) => leaf !== 'idle' && leaf !== 'off').map(({ cycles }) => cycles),
  );
  const costs = virtualizationCosts(ledger)
    .filter(({ cycles }) => cycles >= SMALLEST * busy)
    .slice(0, MOST_COSTS);
  if (costs.length === 0) return undefined;
  const several = result.vms.length > 1;
  const { head, body } = textTable(
    [
      { above: '% of busy', head: 'cycles' },
      { head: 'for (leaf of the ledger)', left: true },
      ...(several ? [{ head: 'most in', left: true }] : []),
    ],
    costs.map(({ leaf, detail, cycles, worst }) => [
      percent(cycles / busy),
      `${costWords(leaf, detail)} (${`${leaf} ${detail}`.trim()})`,
      ...(several
        ? [`${cut(worst.vm, LONGEST_NAME)} (${percent(worst.cycles / cycles)} % of it)`]
        : []),
    ]),
  );
  return { title: 'Largest costs of virtualization', head, rows: body };
}

/** Why a page walk is needed, over the name that the tables use. */
const reasons: Readonly<Record<LossCause, string>> = {
  cold: 'first use',
  capacity: 'own eviction',
  interference: 'neighbours',
  'world-switch': 'world switch',
  'asid-exhausted': 'no ASID left',
  cr3: 'CR3 write',
  invlpg: 'INVLPG',
  shootdown: 'remapped',
  migration: 'vCPU moved',
};
export function walkTable(lines: readonly Line[]): Section | undefined {
  const rows = lines.flatMap(({ name, vms }) => {
    const walks = sum(values(vms, 'walks'));
    const share = (cause: LossCause) => sum(values(vms, walkMetric(cause))) / walks;
    return walks > 0 ? [{ name, counts: values(vms, 'walks'), walks, share }] : [];
  });
  const all = sum(rows.map(({ walks }) => walks));
  const causes = lossCauses
    .map((cause) => ({
      cause,
      share: sum(rows.map(({ walks, share }) => share(cause) * walks)) / all,
      some: rows.some(({ share }) => share(cause) >= SMALLEST),
    }))
    .filter(({ some }) => some)
    .toSorted((a, b) => b.share - a.share);
  const table = (most: number) => {
    const [shown, rest] = [causes.slice(0, most), causes.slice(most)];
    const columns: Column[] = [
      { head: '', left: true },
      { head: 'n' },
      ...shown.map(({ cause }) => ({ above: reasons[cause], head: cause })),
      ...(rest.length > 0 ? [{ head: 'other' }] : []),
    ];
    const cells = rows.map(({ name, counts, share }) => [
      name,
      range(counts, grouped),
      ...shown.map(({ cause }) => percent(share(cause))),
      ...(rest.length > 0 ? [percent(sum(rest.map(({ cause }) => share(cause))))] : []),
    ]);
    return textTable(columns, cells, LONGEST_NAME);
  };
  let most = causes.length;
  while (widthOf(table(most)) > WIDTH) most--;
  const { head, body } = table(most);
  const title = 'Page walks, by why they were needed (% of the n walks of each VM)';
  return { title, head, rows: body };
}

/**
 * With cycles to spare VMs do more, and other, work: totals of this run and of one that pays are
 * not comparable.
 */
export function freeTable({ free }: Scenario, lines: readonly Line[]): Section | undefined {
  if (free.length === 0) return undefined;
  const { head, body } = textTable(
    [{ head: '', left: true }, { head: 'cycles per 1000 user instructions' }],
    lines.map(({ name, vms }) => [
      name,
      range(
        vms.map(
          ({ metrics }) => (1000 * (metrics.running_cycles ?? 0)) / metrics.user_instructions!,
        ),
        (cycles) => (Number.isFinite(cycles) ? grouped(cycles) : '-'),
      ),
    ]),
  );
  const below = [
    `A run that pays for ${free.join(', ')} does less work in the same window: totals mislead.`,
    `\`worldswitch why FILE VM --free ${free.join(',')}\` compares equal pieces of work.`,
  ];
  return { title: 'Free of charge', head, rows: body, below };
}
