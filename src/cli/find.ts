import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { ConfigError } from '../base/errors.ts';
import { checkOutput } from '../files/check-output.ts';
import { faultIn } from '../files/faults.ts';
import { openTree } from '../files/scenario-file.ts';
import type { ScenarioTree } from '../scenario/load.ts';
import { child, type LocatedMap } from '../scenario/located.ts';
import type { Setting } from '../scenario/settings.ts';
import { type MeasureName, measures } from '../stats/measures.ts';
import { Campaign } from '../sweep/campaign.ts';
import { type Answers, find as findAnswers } from '../sweep/find.ts';
import { describe } from '../sweep/plan.ts';
import { inlinePool, threadPool } from '../sweep/pool.ts';
import { type Question, readQuestion } from '../sweep/question.ts';
import { showTime } from '../sweep/windows.ts';
import { fastSettings } from './fast-option.ts';
import {
  findSensitivity,
  type SensitivityCommandOptions,
  sensitivityFiles,
} from './find-sensitivity.ts';
import { asJson, asText } from './find-text.ts';
import type { Interrupt } from './interrupt.ts';
import { sayDeprived } from './notes.ts';
import { ProgressBar } from './progress.ts';
import { resumable, say, sayDoubted } from './sweep.ts';
import { print } from './terminal.ts';
import { shortTime } from './text-table.ts';

export interface FindCommandOptions extends SensitivityCommandOptions {
  readonly set: readonly string[];
  readonly seed?: string;
  readonly axis?: string;
  readonly from?: string;
  readonly to?: string;
  readonly objective?: string;
  readonly smallest?: boolean;
  readonly fast?: boolean;
  readonly across: readonly string[];
  readonly maxDuration?: string;
  readonly sensitivity?: boolean;
  readonly out?: string;
}

/** The options that say what a file without `find:` leaves open. */
const OPTIONS = {
  'find.axis': '--axis vms.web.count',
  'find.to': '--to 32',
  'find.objective': '--objective "p99 latency < 50ms"',
};

/** `worldswitch find FILE` */
export async function find(file: string, options: FindCommandOptions): Promise<void> {
  checkAxis(options.axis);
  if (options.under !== undefined && !options.sensitivity) {
    throw faultIn('--under', 'it says which numbers --sensitivity is about', 'add --sensitivity');
  }
  const { tree } = openTree(file, {
    instead: OPTIONS,
    seed: options.seed,
    set: [...fastSettings(options), ...options.set, ...settingsOf(options)],
  });
  const question = readQuestion(tree);
  const { plan } = question;
  const directory = resolve(options.out ?? join('results', `${plan.base.name}-find`));
  const files = options.sensitivity ? sensitivityFiles : [];
  checkOutput(directory, '--out', { files, folders: ['units'] });
  if (!options.quiet) sayDeprived(tree.load());
  const campaign = await Campaign.open(plan, directory);
  const answers = await resumable((interrupt) =>
    answer(tree, { question, campaign }, interrupt, options),
  );
  if (!answers) return;
  sayDoubted(campaign, 'run again');
  // As JSON there is one document: that of the sensitivity holds the answer too.
  if (!options.json) print(asText(question, answers));
  else if (!options.sensitivity) print(asJson(question, answers));
  if (options.sensitivity) {
    await findSensitivity(tree, { question, campaign, answers, directory }, options);
  }
}

async function answer(
  tree: ScenarioTree,
  { question, campaign }: { readonly question: Question; readonly campaign: Campaign },
  interrupt: Interrupt,
  { jobs = availableParallelism(), quiet = false }: FindCommandOptions,
): Promise<Answers> {
  const { plan, objective } = question;
  const pool = jobs === 0 ? inlinePool(interrupt.pause) : threadPool(jobs);
  interrupt.signal.addEventListener('abort', () => void pool.close());
  const bar = new ProgressBar(plan.base.name, { quiet });
  try {
    return await findAnswers(question, campaign, {
      pool,
      onProgress: (fraction, note) => bar.update(fraction, note),
      onLonger: (point, { length }, because, seconds) => {
        if (quiet) return;
        bar.stop();
        const where = describe(plan.point(point).values, plan.space);
        const cost = seconds === undefined ? '' : `; about ${shortTime(seconds)} a run`;
        say(`${where}: windows of ${showTime(length)} now, because ${because}${cost}`);
      },
      onNothing: (point) => {
        const at = child(child(tree.root, 'find') as LocatedMap, 'objective')!.place;
        const where = describe(plan.point(point).values, plan.space);
        throw new ConfigError([
          tree
            .findings()
            .diagnostic(
              at,
              `no VM reports ${measures[objective.measure].words} (at the point ${where})`,
              lacking(objective.measure),
            ),
        ]);
      },
    });
  } finally {
    bar.stop();
    await pool.close();
  }
}

/** What a scenario lacks of which no VM reports a measure. */
function lacking(name: MeasureName): string | undefined {
  if (name.startsWith('ft_')) return 'it takes VMs with faultTolerance';
  if (name === 'answer_gap_max_ns') return 'it takes requests, and VMs that move or are protected';
  return measures[name].unit === 'ns' ? 'latencies need a workload with requests' : undefined;
}

/** The axis of a question is a path alone, that of a sweep has values. */
function checkAxis(text: string | undefined): void {
  const [, path, values] = /^([^=]*)=(.*)$/s.exec(text ?? '') ?? [];
  if (path === undefined) return;
  const [, from = '1', to = '8'] = /^(\d+)\.\.(\d+)$/.exec(values!) ?? [];
  const hint = `write --axis ${path} --from ${from} --to ${to}`;
  throw faultIn('--axis', `here it takes a path alone, got "${text}"`, hint);
}

/** Options are other words for the keys of `find:`. */
function settingsOf(options: FindCommandOptions): Setting[] {
  const { axis, from, to, objective, smallest, across, maxDuration } = options;
  const one = (name: string, text: string | undefined, form: 'text' | 'yaml', key: string) =>
    text === undefined ? [] : [{ option: `--${name}`, text, form, key: `find.${key}` }];
  return [
    ...one('axis', axis, 'text', 'axis'),
    ...one('from', from, 'yaml', 'from'),
    ...one('to', to, 'yaml', 'to'),
    ...one('objective', objective, 'text', 'objective'),
    ...one('max-duration', maxDuration, 'yaml', 'maxDuration'),
    ...one('smallest', smallest ? 'smallest' : undefined, 'text', 'want'),
    ...across.map(
      (text): Setting => ({ option: '--across', text, form: 'axis', key: 'find.across' }),
    ),
  ];
}
