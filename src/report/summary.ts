import { showBytes, showCycles } from '../base/units.ts';
import { mmuModes } from '../hypervisor/mmu/index.ts';
import type { Scenario } from '../scenario/resolve.ts';
import { lossCauses } from '../stats/leaves.ts';
import { type MetricName, walkMetric } from '../stats/metrics.ts';
import type { RunResult, VmRow } from '../stats/result.ts';
import { leafHelp, virtualizationCosts } from './costs.ts';
import { noteLines } from './notes.ts';
import { countedRange, plain } from './quantities.ts';
import { groupBy, grouped, percent, range, tableLines } from './table.ts';

/**
 * What a person wants to see first, in at most 100 columns: what ran, what each VM got done, where
 * its cycles went, what virtualization cost most, why translations were lost, how busy the host
 * was.
 */
export interface SummaryOptions {
  /** For headings; left out: plain text. */
  readonly style?: (format: 'bold' | 'dim', text: string) => string;
}

/** From so many VMs on, those of one group share a line. */
const FOLD = 7;
/** From so many pCPUs on, they share a line. */
const FOLD_PCPUS = 9;

/** VMs that are shown in one line. */
interface Line {
  readonly name: string;
  readonly vms: readonly VmRow[];
}

export function summary(
  scenario: Scenario,
  result: RunResult,
  options: SummaryOptions = {},
): string {
  const { style = (_: string, text: string) => text } = options;
  const lines = foldVms(result.vms);
  const sections: [string, string[]][] = [
    ['VMs', vmTable(lines)],
    ['Requests', requestTable(lines, result)],
    ['Largest costs of virtualization', costLines(result)],
    ['Why translations were lost', causeLines(lines)],
    ['pCPUs', pcpuTable(result)],
    ['Free of charge', freeLines(scenario, lines)],
  ];
  const shown = sections
    .filter(([, body]) => body.length > 0)
    .map(([title, [head, ...body]]) =>
      [style('bold', title), style('dim', `  ${head}`), ...body.map((line) => `  ${line}`)].join(
        '\n',
      ),
    );
  const notes = noteLines(result);
  if (notes.length > 0) {
    shown.push([style('bold', 'Notes'), ...notes.map((line) => `  ${line}`)].join('\n'));
  }
  return `${[header(scenario, result, style), ...shown].join('\n\n')}\n`;
}

function header(
  scenario: Scenario,
  result: RunResult,
  style: (format: 'bold' | 'dim', text: string) => string,
): string {
  const { host, hypervisor, processor } = scenario;
  const { mmu, tags, scheduler } = hypervisor;
  const sockets = host.sockets > 1 ? `${host.sockets} × ` : '';
  const pcpus = `${result.pcpuCount} pCPU${result.pcpuCount === 1 ? '' : 's'}`;
  const ghz = `${Number((processor.clock / 1e9).toFixed(2))} GHz`;
  const written = { ...(scenario.input['hypervisor'] as Record<string, Record<string, unknown>>) };
  const detail = (choice: { kind: string }, role: string, key: string) => {
    const value = written[role]?.[key];
    return value === undefined ? choice.kind : `${choice.kind} (${value})`;
  };
  const policies = [
    hypervisor.profile,
    `${detail(mmu, 'mmu', mmuModes.of(mmu.kind).shows ?? '')} paging`,
    `tags ${detail(tags, 'tags', 'flush')}`,
    `scheduler ${detail(scheduler, 'scheduler', 'timeslice')}`,
  ];
  const warmup = scenario.duration === 'work' ? 0 : scenario.warmup;
  const after = warmup > 0 ? ` after ${showCycles(warmup, result.mhz)} of warm-up` : '';
  return [
    style('bold', scenario.name) +
      (scenario.description ? `: ${firstLine(scenario.description)}` : ''),
    `  host        ${sockets}${host.processor}, ${pcpus} at ${ghz}, ${showBytes(host.memory)}`,
    `  hypervisor  ${policies.join(', ')}`,
    `  measured    ${showCycles(result.windowCycles, result.mhz)}${after}, seed ${result.seed}`,
  ].join('\n');
}

function firstLine(text: string): string {
  const line = text.trim().split('\n')[0]!;
  return line.length > 60 ? `${line.slice(0, 59)}…` : line;
}

function foldVms(vms: readonly VmRow[]): Line[] {
  if (vms.length < FOLD) return vms.map((vm) => ({ name: vm.vm, vms: [vm] }));
  return [...groupBy(vms, ({ group }) => group).values()].map((members) => {
    const [first, last] = [members[0]!, members.at(-1)!];
    const to = last.vm.slice(last.group.length + 1);
    return { name: members.length > 1 ? `${first.vm}..${to}` : first.vm, vms: members };
  });
}

/** Columns of the table of VMs, in per cent of the cycles charged to the VM. */
const places: readonly {
  readonly head: string;
  readonly leaves: readonly string[];
  readonly rare?: true;
}[] = [
  { head: 'guest', leaves: ['guest.user', 'guest.kernel'] },
  { head: 'tlb', leaves: ['tlb.l2hit'] },
  { head: 'walks', leaves: ['walk.guest', 'walk.nested'] },
  { head: 'data', leaves: ['data.stall'] },
  { head: 'exits', leaves: ['exit.transition', 'exit.handler'] },
  { head: 'switch', leaves: ['switch'] },
  { head: 'shootdown', leaves: ['shootdown'], rare: true },
  { head: 'host', leaves: ['host'] },
];

function vmTable(lines: readonly Line[]): string[] {
  const charged = (vms: readonly VmRow[], leaves: readonly string[]) =>
    sum(vms.flatMap(({ ledger }) => leaves.map((leaf) => ledger[leaf] ?? 0)));
  const all = lines.flatMap(({ vms }) => vms);
  const shown = places.filter(({ leaves, rare }) => !rare || charged(all, leaves) > 0);
  const native = all.some(({ metrics }) => metrics.slowdown !== undefined);
  const columns = [
    { head: '', left: true },
    { head: 'work', left: true },
    { head: 'ready %' },
    ...shown.map(({ head }) => ({ head: head === 'guest' ? '| guest %' : head })),
    ...(native ? [{ head: '| slowdown' }, { head: 'overhead' }] : []),
  ];
  const ratio = (value: number) => value.toFixed(2);
  const rows = lines.map(({ name, vms }) => {
    const total = charged(
      vms,
      places.flatMap(({ leaves }) => leaves),
    );
    const ready = vms.map(
      ({ metrics }) => (metrics.ready_cycles ?? 0) / (metrics.elapsed_cycles || 1),
    );
    return [
      name,
      countedRange(values(vms, 'work'), vms[0]!.unit),
      range(ready, (share) => (share * 100).toFixed(vms.length > 1 ? 0 : 1)),
      ...shown.map(({ leaves }) => percent(charged(vms, leaves) / total)),
      ...(native
        ? [range(values(vms, 'slowdown'), ratio), range(values(vms, 'overhead'), ratio)]
        : []),
    ];
  });
  return tableLines(columns, rows);
}

const LATENCIES = [
  'latency_mean_ns',
  'latency_p50_ns',
  'latency_p95_ns',
  'latency_p99_ns',
  'latency_max_ns',
] as const;

function requestTable(lines: readonly Line[], { mhz, windowCycles }: RunResult): string[] {
  const serving = lines.filter(({ vms }) => vms.some(({ requests }) => requests !== undefined));
  if (serving.length === 0) return [];
  const seconds = windowCycles / mhz / 1e6;
  const latencies = ['mean ms', 'p50', 'p95', 'p99', 'max'];
  const columns = ['', 'before', 'arrived', 'served', 'per second', ...latencies, 'n'];
  const rows = serving.map(({ name, vms }) => [
    name,
    range(values(vms, 'requests_queued_before'), grouped),
    range(values(vms, 'requests_arrived'), grouped),
    range(values(vms, 'requests'), grouped),
    range(
      values(vms, 'requests').map((served) => served / seconds),
      grouped,
    ),
    ...LATENCIES.map((metric) => range(values(vms, metric), (ns) => plain(ns / 1e6))),
    range(vms.map(requestsSeen), grouped),
  ]);
  return [
    ...tableLines(
      columns.map((head, i) => ({ head, left: i === 0 })),
      rows,
    ),
    'before: in the queue when the window began; n: served or unfinished, the requests of percentiles',
  ];
}

/** Requests that latencies are made of: served, or not finished at the end of the window. */
const requestsSeen = ({ metrics }: VmRow) =>
  (metrics.requests ?? 0) + (metrics.requests_unfinished ?? 0);

function costLines(result: RunResult): string[] {
  const busy = sum(result.ledger.filter(({ leaf }) => leaf !== 'idle').map(({ cycles }) => cycles));
  const costs = virtualizationCosts(result.ledger).slice(0, 3);
  if (costs.length === 0) return [];
  const columns = [
    { head: '', left: true },
    { head: 'cycles' },
    { head: '% of busy' },
    { head: 'most in', left: true },
    { head: '', left: true },
  ];
  const rows = costs.map(({ leaf, detail, cycles, worst }) => [
    detail ? `${leaf} ${detail}` : leaf,
    grouped(cycles),
    percent(cycles / busy),
    `${worst.vm} (${percent(worst.cycles / cycles)} %)`,
    leafHelp(leaf, detail),
  ]);
  return tableLines(columns, rows);
}

function causeLines(lines: readonly Line[]): string[] {
  const columns = [
    { head: '', left: true },
    { head: 'walks' },
    { head: 'in % of walks, by what the translation was lost to', left: true },
  ];
  const rows = lines.flatMap(({ name, vms }) => {
    const walks = sum(values(vms, 'walks'));
    if (walks === 0) return [];
    const causes = lossCauses
      .map((cause) => ({ cause, share: sum(values(vms, walkMetric(cause))) / walks }))
      .filter(({ share }) => share >= 0.0005)
      .toSorted((a, b) => b.share - a.share)
      .slice(0, 5)
      .map(({ cause, share }) => `${cause} ${percent(share)}`);
    return [[name, range(values(vms, 'walks'), grouped), causes.join(', ')]];
  });
  return rows.length > 0 ? wide(columns, rows) : [];
}

/**
 * With cycles to spare VMs do more, and other, work: totals of this run and of one that pays are
 * not comparable.
 */
function freeLines({ free }: Scenario, lines: readonly Line[]): string[] {
  if (free.length === 0) return [];
  const rows = lines.map(({ name, vms }) => [
    name,
    range(
      vms.map(({ metrics }) => (1000 * (metrics.running_cycles ?? 0)) / metrics.user_instructions!),
      (cycles) => (Number.isFinite(cycles) ? grouped(cycles) : '-'),
    ),
  ]);
  const columns = [{ head: '', left: true }, { head: 'cycles per 1000 user instructions' }];
  return [
    ...tableLines(columns, rows),
    `A run that pays for ${free.join(', ')} does less work in the same window: totals mislead.`,
    `\`worldswitch why FILE VM --free ${free.join(',')}\` compares equal pieces of work.`,
  ];
}

/** A table whose last column may be long. */
function wide(
  columns: Parameters<typeof tableLines>[0],
  rows: readonly (readonly string[])[],
): string[] {
  const fixed = tableLines(
    columns.slice(0, -1),
    rows.map((row) => row.slice(0, -1)),
  );
  const width = Math.max(...fixed.map((line) => line.length));
  return fixed.map(
    (line, i) => `${line.padEnd(width)}  ${i === 0 ? columns.at(-1)!.head : rows[i - 1]!.at(-1)!}`,
  );
}

const guestLeaves = places.slice(0, 4).flatMap(({ leaves }) => leaves);

function pcpuTable({ ledger, pcpuCount }: RunResult): string[] {
  const use = Array.from({ length: pcpuCount }, () => ({ guest: 0, hypervisor: 0, idle: 0 }));
  for (const { pcpu, leaf, cycles } of ledger) {
    const part = leaf === 'idle' ? 'idle' : guestLeaves.includes(leaf) ? 'guest' : 'hypervisor';
    use[pcpu]![part] += cycles;
  }
  const columns = ['', 'guest %', 'hypervisor', 'idle'].map((head, i) => ({ head, left: i === 0 }));
  const shares = use.map(({ guest, hypervisor, idle }) => {
    const all = guest + hypervisor + idle || 1;
    return [guest / all, hypervisor / all, idle / all];
  });
  if (pcpuCount < FOLD_PCPUS) {
    return tableLines(
      columns,
      shares.map((row, id) => [`${id}`, ...row.map(percent)]),
    );
  }
  const column = (part: number) => shares.map((row) => row[part]!);
  const mean = [0, 1, 2].map((part) => percent(sum(column(part)) / pcpuCount));
  const spread = [0, 1, 2].map((part) => range(column(part), percent));
  return tableLines(columns, [
    [`0..${pcpuCount - 1}, mean`, ...mean],
    ['least and most', ...spread],
  ]);
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, n) => total + n, 0);

function values(vms: readonly VmRow[], metric: MetricName): number[] {
  return vms.flatMap(({ metrics }) => metrics[metric] ?? []);
}
