import { showBytes, showCycles } from '../base/units.ts';
import { mmuModes } from '../hypervisor/mmu/index.ts';
import { schedulers } from '../hypervisor/schedulers/index.ts';
import { type HostPlan, tickRateOf } from '../scenario/hosts.ts';
import type { Scenario } from '../scenario/resolve.ts';
import { inOneClock } from '../stats/clocks.ts';
import type { MetricName } from '../stats/metrics.ts';
import type { RunResult } from '../stats/result.ts';
import { runAnswer } from './answer.ts';
import { noteLines } from './notes.ts';
import { samplingText } from './sampled.ts';
import { costTable, freeTable, walkTable } from './summary-costs.ts';
import { moveLines, pairLines } from './summary-moving.ts';
import { linesOf, requestTable, type Section, slowdownTable, vmTable } from './summary-vms.ts';
import { percent, range, wrapped } from './table.ts';

/**
 * What a person wants to see first, in at most 100 columns and 60 lines: the answer, what ran, how
 * busy the host was, where the cycles of each VM went, how long requests took, what virtualization
 * cost most and why page walks were needed. The tables of the run have all of it.
 */
export interface SummaryOptions {
  /** For headings; left out: plain text. */
  readonly style?: Style;
}

type Style = (format: 'bold' | 'dim', text: string) => string;

const WIDTH = 98;
/** Two lines below the summary say where the results are. */
const HEIGHT = 58;
/** Rows of a table. With more than fit, those that come first are shown. */
const MOST_ROWS = 12;
const FEWEST_ROWS = 2;

export function summary(
  scenario: Scenario,
  result: RunResult,
  { style = (_, text) => text }: SummaryOptions = {},
): string {
  const lines = linesOf(result.vms);
  const sections = [
    vmTable(lines),
    slowdownTable(lines),
    requestTable(lines, result),
    pairLines(scenario, result),
    moveLines(result),
    costTable(result),
    walkTable(lines),
    freeTable(scenario, lines),
    notesOf(result),
  ].flatMap((section) => (section && section.rows.length > 0 ? [section] : []));
  const first = [...answerLines(scenario, result, style), '', ...hostLines(scenario, result)];
  for (let most = MOST_ROWS; ; most--) {
    const all = [first, ...sections.map((section) => sectionLines(section, most, style))];
    const height = all.reduce((sum, { length }) => sum + length, all.length - 1);
    if (height <= HEIGHT || most === FEWEST_ROWS) {
      return `${all.map((text) => text.join('\n')).join('\n\n')}\n`;
    }
  }
}

function sectionLines({ title, head, rows, below = [] }: Section, most: number, style: Style) {
  const more = rows.length - most;
  const some = more > 0 ? style('dim', ` (the first ${most} of ${rows.length} lines)`) : '';
  return [
    `${style('bold', title)}${some}`,
    ...head.map((line) => style('dim', `  ${line}`)),
    // A row may have several lines.
    ...rows.slice(0, most).flatMap((row) => row.split('\n').map((line) => `  ${line}`)),
    ...below.map((line) => style('dim', `  ${line}`)),
  ];
}

function notesOf(result: RunResult): Section {
  return { title: 'Notes', head: [], rows: noteLines(result) };
}

/** Title, the sentence, and its numbers. */
function answerLines(scenario: Scenario, result: RunResult, style: Style): string[] {
  const { virtualized } = mmuModes.of(scenario.hypervisor.mmu.kind);
  const { sentence, numbers } = runAnswer({ ...result, ledger: inOneClock(result), virtualized });
  const width = Math.max(0, ...numbers.map(({ value }) => value.length));
  const { name, description } = scenario;
  const [title, ...more] = wrapped(
    description ? `${name}: ${firstLine(description)}` : name,
    WIDTH,
  );
  return [
    style('bold', title!),
    ...more.map((line) => style('bold', line)),
    ...wrapped(sentence, WIDTH),
    ...numbers.flatMap(({ value, text }) =>
      wrapped(text, WIDTH - width - 4).map((line, i) => {
        return `  ${(i === 0 ? value : '').padStart(width)}  ${line}`;
      }),
    ),
  ];
}

function hostLines(scenario: Scenario, result: RunResult): string[] {
  const { hosts, hypervisor } = scenario;
  const { mmu, tags, scheduler } = hypervisor;
  const written = { ...(scenario.input['hypervisor'] as Record<string, Record<string, unknown>>) };
  const detail = (choice: { kind: string }, role: string, key: string) => {
    const value = written[role]?.[key];
    return value === undefined ? choice.kind : `${choice.kind} (${value})`;
  };
  const policies = [
    hypervisor.profile,
    `${detail(mmu, 'mmu', mmuModes.of(mmu.kind).shows ?? '')} paging`,
    ...othersPaging(scenario),
    `tags ${detail(tags, 'tags', 'flush')}`,
    `scheduler ${detail(scheduler, 'scheduler', schedulers.find(scheduler.kind)?.shows ?? '')}`,
  ];
  const warmup = scenario.duration === 'work' ? 0 : scenario.warmup;
  const after =
    warmup > 0 ? ` after ${showCycles(warmup, tickRateOf(scenario) / 1e6)} of warm-up` : '';
  return [
    ...hosts.map((plan) => [hosts.length > 1 ? `host ${plan.name}` : 'host', hostText(plan)]),
    ['hypervisor', policies.join(', ')],
    ['measured', `${showCycles(result.windowCycles, result.mhz)}${after}, seed ${result.seed}`],
    ...(result.sampling ? [['sampled', samplingText(result.sampling)]] : []),
    ['pCPUs', pcpuText(result)],
    ...sharedLines(result),
  ].flatMap(([label, text]) =>
    wrapped(text!, WIDTH - 14).map((line, i) => `  ${(i === 0 ? label! : '').padEnd(12)}${line}`),
  );
}

/** Groups of VMs with another paging mode than that of the hypervisor: `shadow paging of db`. */
function othersPaging({ hypervisor, vms }: Scenario): string[] {
  const others = vms.filter(({ count, mmu }) => count > 0 && mmu.kind !== hypervisor.mmu.kind);
  const kinds = [...new Set(others.map(({ mmu }) => mmu.kind))];
  return kinds.map((kind) => {
    const names = others.filter(({ mmu }) => mmu.kind === kind).map(({ name }) => name);
    return `${kind} paging of ${names.join(', ')}`;
  });
}

function hostText({ sockets, processor, pcpus, cpu, memory }: HostPlan): string {
  const packages = sockets > 1 ? `${sockets} × ` : '';
  const ghz = `${Number((cpu.clock / 1e9).toFixed(2))} GHz`;
  return `${packages}${processor}, ${counted(pcpus, 'pCPU')} at ${ghz}, ${showBytes(memory)}`;
}

const counted = (n: number, noun: string) => `${n} ${noun}${n === 1 ? '' : 's'}`;

function firstLine(text: string): string {
  const line = text.trim().split('\n')[0]!;
  return line.length > 60 ? `${line.slice(0, 59)}…` : line;
}

/** How busy the wires and disks are that VMs share. */
function sharedLines({ hosts = [], metrics }: RunResult): string[][] {
  const rows = metrics.filter(({ scope }) => scope === 'host');
  const elapsed = new Map(
    rows.filter(({ metric }) => metric === 'elapsed_cycles').map(({ id, value }) => [id, value]),
  );
  const of = (id: string) => (hosts.length > 1 ? ` of ${id}` : '');
  const texts = (names: readonly (readonly [MetricName, string])[]) =>
    names.flatMap(([name, text]) =>
      rows
        .filter(({ metric }) => metric === name)
        .map(({ id, value }) => `${text}${of(id)} ${percent(value / elapsed.get(id)!)} %`),
    );
  const wires = texts([
    ['network_in_cycles', 'in'],
    ['network_out_cycles', 'out'],
  ]);
  const disks = texts([['disk_busy_cycles', 'disk']]);
  return [
    ...(wires.length > 0 ? [['network', `of the time: ${wires.join(', ')}`]] : []),
    ...(disks.length > 0 ? [['disk', `of the time: ${disks.join(', ')}`]] : []),
  ];
}

const HYPERVISOR = ['exit.transition', 'exit.handler', 'switch', 'shootdown', 'host', 'ft'];

/** What the pCPUs did with their time: the mean of all, and the least and the most of one. */
function pcpuText({ ledger, pcpuCount }: RunResult): string {
  const used = new Map<string, { VMs: number; hypervisor: number; idle: number }>();
  for (const { host, pcpu, leaf, cycles } of ledger) {
    const part =
      leaf === 'idle' || leaf === 'off' ? 'idle' : HYPERVISOR.includes(leaf) ? 'hypervisor' : 'VMs';
    const one = used.get(`${host} ${pcpu}`) ?? { VMs: 0, hypervisor: 0, idle: 0 };
    used.set(`${host} ${pcpu}`, one);
    one[part] += cycles;
  }
  const use = [...used.values()];
  const parts = (['VMs', 'hypervisor', 'idle'] as const).map((part) => {
    const shares = use.map((one) => one[part] / (one.VMs + one.hypervisor + one.idle || 1));
    const mean = shares.reduce((sum, share) => sum + share, 0) / pcpuCount;
    const spread = range(shares, (share) => (share * 100).toFixed(0));
    return `${part} ${percent(mean)} %${spread.includes('-') ? ` (${spread})` : ''}`;
  });
  return `of the time: ${parts.join(', ')}`;
}
