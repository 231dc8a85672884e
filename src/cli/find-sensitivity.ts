import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { ConfigError } from '../base/errors.ts';
import { faultIn } from '../files/faults.ts';
import { writeFileAtomic } from '../files/output.ts';
import { didYouMean } from '../scenario/findings.ts';
import type { ScenarioTree } from '../scenario/load.ts';
import { child } from '../scenario/located.ts';
import type { Campaign } from '../sweep/campaign.ts';
import type { Answers } from '../sweep/find.ts';
import { inlinePool, threadPool } from '../sweep/pool.ts';
import type { Question } from '../sweep/question.ts';
import { type Sensitivity, sensitivity, type Varied } from '../sweep/sensitivity.ts';
import { assumedNumbers } from './assumed-numbers.ts';
import { ProgressBar } from './progress.ts';
import { sensitivityChart } from './sensitivity-chart.ts';
import { asCsv, asMarkdown, asRows, asSummary } from './sensitivity-text.ts';
import { resumable, say } from './sweep.ts';
import { print } from './terminal.ts';
import { shortTime } from './text-table.ts';

/** What `find --sensitivity` leaves beside the units. */
export const sensitivityFiles = ['sensitivity.csv', 'sensitivity.md', 'sensitivity.svg'] as const;

export interface SensitivityCommandOptions {
  readonly under?: string;
  readonly jobs?: number;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

interface Asked {
  readonly question: Question;
  readonly campaign: Campaign;
  readonly answers: Answers;
  readonly directory: string;
}

/** `worldswitch find FILE --sensitivity`, once the answer is there. */
export async function findSensitivity(
  tree: ScenarioTree,
  asked: Asked,
  options: SensitivityCommandOptions,
): Promise<void> {
  const { question, campaign, directory } = asked;
  const last = positionOf(tree, asked);
  const loaded = campaign.plan.point(question.series[0]![last]!).load();
  const numbers = chosen(assumedNumbers(loaded, question.axis.place), options.under);
  const found = await resumable((interrupt) =>
    screened(asked, { numbers, last, interrupt }, options),
  );
  if (!found) return;
  const left = numbers.filter(({ ends }) => ends.length === 0);
  for (const [name, text] of [
    ['sensitivity.csv', asCsv(found)],
    ['sensitivity.md', asMarkdown(question, found, left)],
    ['sensitivity.svg', sensitivityChart(question, found)],
  ] as const) {
    writeFileAtomic(join(directory, name), text);
  }
  if (options.json) print(`${JSON.stringify(asRows(question, found), null, 2)}\n`);
  else print(asSummary(question, found, directory));
}

/** Those at or below a path. */
function chosen(all: readonly Varied[], under: string | undefined): readonly Varied[] {
  if (under === undefined) return all;
  const below = all.filter(({ path }) => path === under || path.startsWith(`${under}.`));
  if (below.length > 0) return below;
  const near = didYouMean(
    under,
    all.flatMap(({ path }) =>
      path.split('.').map((_, i, steps) => steps.slice(0, i + 1).join('.')),
    ),
  );
  throw faultIn('--under', `no assumed number is below "${under}"`, near);
}

/** Where the answer is; refused where there is none that could move. */
function positionOf(tree: ScenarioTree, { question, campaign, answers }: Asked): number {
  const { value, unlimited } = answers.answers[0]!;
  const labels = question.series[0]!.map(
    (point) => campaign.plan.point(point).values.at(-1)!.label,
  );
  const why =
    question.series.length > 1
      ? 'the sensitivity of one answer is asked for, and `across` asks for several'
      : value === undefined
        ? `the objective holds nowhere, not even at ${labels[0]}: there is no answer to move`
        : unlimited
          ? `the objective holds up to ${value}, the last value: there is no limit to move`
          : undefined;
  if (why === undefined) return labels.indexOf(value!);
  const place = child(tree.root, 'find')!.place;
  throw new ConfigError([tree.findings().diagnostic(place, why, 'ask for one axis with a limit')]);
}

interface Screening {
  readonly numbers: readonly Varied[];
  readonly last: number;
  readonly interrupt: { readonly signal: AbortSignal; readonly pause: () => Promise<void> };
}

async function screened(
  { question, campaign }: Asked,
  { numbers, last, interrupt }: Screening,
  { jobs = availableParallelism(), quiet = false }: SensitivityCommandOptions,
): Promise<Sensitivity> {
  const pool = jobs === 0 ? inlinePool(interrupt.pause) : threadPool(jobs);
  interrupt.signal.addEventListener('abort', () => void pool.close());
  const bar = new ProgressBar(campaign.plan.base.name, { quiet });
  const ends = numbers.reduce((sum, number) => sum + number.ends.length, 0);
  if (!quiet) say(`${numbers.length} assumed numbers with ${ends} ends of ranges`);
  try {
    return await sensitivity(question, campaign, numbers, {
      pool,
      last,
      onProgress: (fraction, note) => bar.update(fraction, note),
      onStage: (what, runs, seconds) => {
        if (quiet || runs === 0) return;
        bar.stop();
        const time = shortTime((runs * seconds) / pool.lanes);
        say(`${runs} ${what}: at most ${time} with ${pool.lanes} jobs`);
      },
    });
  } finally {
    bar.stop();
    await pool.close();
  }
}
