import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { ConfigError } from '../base/errors.ts';
import { checkOutput } from '../files/check-output.ts';
import { openTree } from '../files/scenario-file.ts';
import { counted, plain, shown } from '../report/quantities.ts';
import type { ScenarioTree } from '../scenario/load.ts';
import { child, type LocatedMap } from '../scenario/located.ts';
import { measures } from '../stats/measures.ts';
import { READY } from '../sweep/answer.ts';
import { Campaign } from '../sweep/campaign.ts';
import { type Answer, type Broken, find as findAnswers } from '../sweep/find.ts';
import type { Objective } from '../sweep/objective.ts';
import { describe } from '../sweep/plan.ts';
import { inlinePool, threadPool } from '../sweep/pool.ts';
import { type Question, readQuestion } from '../sweep/question.ts';
import type { Interrupt } from './interrupt.ts';
import { ProgressBar } from './progress.ts';
import { resumable, sayDoubted } from './sweep.ts';
import { print, style } from './terminal.ts';
import { textTable } from './text-table.ts';

export interface FindCommandOptions {
  readonly set: readonly string[];
  readonly seed?: string;
  readonly axis?: string;
  readonly from?: string;
  readonly to?: string;
  readonly objective?: string;
  readonly smallest?: boolean;
  readonly across: readonly string[];
  readonly out?: string;
  readonly jobs?: number;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** `worldswitch find FILE` */
export async function find(file: string, options: FindCommandOptions): Promise<void> {
  const { tree } = openTree(file, {
    seed: options.seed,
    set: [...options.set, ...asSets(options)],
  });
  const question = readQuestion(tree);
  const { plan } = question;
  const directory = resolve(options.out ?? join('results', `${plan.base.name}-find`));
  checkOutput(directory, '--out', { folders: ['units'] });
  const campaign = await Campaign.open(plan, directory);
  const answers = await resumable((interrupt) =>
    answer(tree, { question, campaign }, interrupt, options),
  );
  if (!answers) return;
  sayDoubted(campaign, 'run again');
  print(options.json ? asJson(question, answers) : asText(question, answers));
}

async function answer(
  tree: ScenarioTree,
  { question, campaign }: { readonly question: Question; readonly campaign: Campaign },
  interrupt: Interrupt,
  { jobs = availableParallelism(), quiet = false }: FindCommandOptions,
): Promise<Answer[]> {
  const { plan, objective } = question;
  const pool = jobs === 0 ? inlinePool(interrupt.pause) : threadPool(jobs);
  interrupt.signal.addEventListener('abort', () => void pool.close());
  const bar = new ProgressBar(plan.base.name, { quiet });
  try {
    return await findAnswers(question, campaign, {
      pool,
      onProgress: (fraction, note) => bar.update(fraction, note),
      onNothing: (point) => {
        const at = child(child(tree.root, 'find') as LocatedMap, 'objective')!.place;
        const where = describe(plan.point(point).values, plan.space);
        throw new ConfigError([
          tree
            .findings()
            .diagnostic(
              at,
              `no VM reports ${measures[objective.measure].words} (at the point ${where})`,
              measures[objective.measure].unit === 'ns'
                ? 'latencies need a workload with requests'
                : undefined,
            ),
        ]);
      },
    });
  } finally {
    bar.stop();
    await pool.close();
  }
}

/** Options are other words for `--set find.…`. */
function asSets(options: FindCommandOptions): string[] {
  const sets: string[] = [];
  if (options.axis !== undefined) sets.push(`find.axis=${JSON.stringify(options.axis)}`);
  if (options.from !== undefined) sets.push(`find.from=${options.from}`);
  if (options.to !== undefined) sets.push(`find.to=${options.to}`);
  if (options.objective !== undefined) {
    sets.push(`find.objective=${JSON.stringify(options.objective)}`);
  }
  if (options.smallest) sets.push('find.want=smallest');
  if (options.across.length > 0) {
    const axes = options.across.map((text) => {
      const equals = text.indexOf('=');
      return equals < 0 ? text : `"${text.slice(0, equals)}": ${text.slice(equals + 1)}`;
    });
    sets.push(`find.across={${axes.join(', ')}}`);
  }
  return sets;
}

const acrossOf = ({ plan, axis }: Question) => plan.space.axes.filter((other) => other !== axis);

function asJson(question: Question, answers: readonly Answer[]): string {
  const { axis, objective, want } = question;
  const rows = answers.map(({ labels, ...answer }) => ({
    ...answer,
    across: Object.fromEntries(acrossOf(question).map(({ path }, i) => [path, labels[i]])),
  }));
  const head = { axis: axis.path, want, objective: objective.text, metric: objective.measure };
  return `${JSON.stringify({ ...head, confidence: 0.95, answers: rows }, null, 2)}\n`;
}

function asText(question: Question, answers: readonly Answer[]): string {
  const { axis, objective, want } = question;
  const across = acrossOf(question);
  const [first, last] = [axis.values[0]!.label, axis.values.at(-1)!.label];
  const header = [
    ...across.map(({ column }) => column),
    axis.column,
    'VMs per core',
    'first to break',
  ];
  const rows = answers.map((answer) => [
    ...answer.labels,
    answer.value === undefined ? 'none' : range(answer.value, answer.atMost!),
    answer.vmsPerCore ? range(...(answer.vmsPerCore.map(plain) as [string, string])) : '',
    answer.broken?.vm?.vm ?? '',
  ]);
  const [head, ...body] = textTable([header, ...rows]).split('\n');
  const said = answers.map((answer) => sentence(question, answer)).join('\n');
  return `${want} ${axis.path} from ${first} to ${last} with ${objective.text} (95 % confidence)

${style('bold', head!)}
${body.join('\n')}
${said}
`;
}

/** What is sure, and what is still possible. */
const range = (sure: string, possible: string) => `${sure} (${sure}..${possible})`;

const isGuest = (leaf: string) => /^guest\./.test(leaf);
const perThousand = (cycles: number) => `${plain(cycles)} cycles per 1000 instructions`;

/** `p99 latency is 10.1 ± 2.3 ms, worst in web-1 (12 ms)`, `web-0 served none of its 10 requests`. */
function achievement({ measure }: Objective, { mean, halfWidth, vm, runs }: Broken): string {
  if (vm && !Number.isFinite(vm.value)) {
    return measures[measure].unit === 'ns'
      ? `${vm.vm} served none of its ${counted(vm.unserved ?? 0, 'requests')}`
      : `${vm.vm} did no work though it was runnable`;
  }
  const half = Number.isFinite(halfWidth) ? halfWidth : undefined;
  const who = vm ? `, worst in ${vm.vm} (${shown(measure, vm.value)})` : '';
  return `${measures[measure].words} is ${shown(measure, mean, half, runs)}${who}`;
}

/** Why it ends there. */
function sentence(question: Question, answer: Answer): string {
  const { axis, objective } = question;
  const { broken, labels, unlimited, runs } = answer;
  const prefix = labels.length > 0 ? `${labels.join(', ')}: ` : '';
  if (!broken || unlimited) {
    return `${prefix}every value tried meets the objective; it was not the limit (${runs} runs)`;
  }
  const lines = [
    `${prefix}at ${axis.path} = ${broken.value}, ${achievement(objective, broken)} (${runs} runs)`,
  ];
  const waiting = broken.grew.find(({ leaf }) => leaf === READY);
  // The guest's own work is no reason.
  const leaf = broken.grew.find((growth) => growth.leaf !== READY && !isGuest(growth.leaf));
  if (answer.value === undefined) {
    if (leaf) lines.push(`  of the ledger, ${leaf.leaf} takes most: ${perThousand(leaf.after)}`);
    if (waiting) lines.push(`  waiting for a pCPU takes ${perThousand(waiting.after)}`);
    return lines.join('\n');
  }
  const from = axis.values[question.want === 'largest' ? 0 : axis.values.length - 1]!.label;
  for (const [growth, name] of [
    [leaf, `of the ledger, ${leaf?.leaf} grew most`],
    [waiting, 'waiting for a pCPU grew'],
  ] as const) {
    if (!growth) continue;
    const values = `from ${plain(growth.before)} to ${plain(growth.after)}`;
    lines.push(
      `  ${name}: ${values} cycles per 1000 instructions, compared with ${axis.path} = ${from}`,
    );
  }
  return lines.join('\n');
}
