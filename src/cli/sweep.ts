import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { shellWord } from '../base/shell.ts';
import { visible } from '../base/visible.ts';
import { checkOutput } from '../files/check-output.ts';
import { counted } from '../report/quantities.ts';
import { RunAborted } from '../scenario/run.ts';
import type { AnySetting } from '../scenario/settings.ts';
import { measures } from '../stats/measures.ts';
import type { Campaign } from '../sweep/campaign.ts';
import { beginCampaign, CAMPAIGN_FILES, mergeCampaign, openCampaign } from '../sweep/directory.ts';
import { estimateCost } from '../sweep/estimate.ts';
import { execute, type Failure, type Outcome, type Shard } from '../sweep/execute.ts';
import { type Objective, parseObjective } from '../sweep/objective.ts';
import { pause } from '../sweep/pause.ts';
import { describe, setArguments } from '../sweep/plan.ts';
import { inlinePool, threadPool } from '../sweep/pool.ts';
import { firstReplications } from '../sweep/replicate.ts';
import { shortWindows } from '../sweep/short-windows.ts';
import { summaryRows } from '../sweep/tables.ts';
import { ExitCode } from './fail.ts';
import { fastSettings } from './fast-option.ts';
import { type Interrupt, onInterrupt } from './interrupt.ts';
import { sayDeprived } from './notes.ts';
import { ProgressBar } from './progress.ts';
import { MOST_ROWS, metricsShown, sweepText } from './sweep-text.ts';
import { print, style } from './terminal.ts';
import { shortTime, textTable } from './text-table.ts';

export interface SweepOptions {
  readonly set: readonly string[];
  readonly seed?: string;
  readonly axis: readonly string[];
  readonly replications?: number;
  readonly out?: string;
  readonly jobs?: number;
  readonly dryRun?: boolean;
  readonly fast?: boolean;
  readonly report?: boolean;
  readonly plot?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** `worldswitch sweep FILE` */
export async function sweep(file: string, options: SweepOptions): Promise<void> {
  const start = performance.now();
  const { campaign, recipe, directory } = await openSweep(file, options);
  if (!options.quiet) sayDeprived(campaign.plan.point(0).load());
  if (options.dryRun) {
    await printPlan(campaign, directory, options);
    return;
  }
  checkOutput(directory, '--out', CAMPAIGN_FILES);
  const outcome = await resumable(async (interrupt) => {
    beginCampaign(directory, recipe);
    const { outcome, jobs } = await executeCampaign(campaign, interrupt, options);
    const seconds = (performance.now() - start) / 1000;
    const run = { seconds, jobs, outcome };
    await mergeCampaign(directory, { campaign, recipe }, interrupt.check, run);
    return outcome;
  });
  if (!outcome) return;
  await printResults(campaign, directory, options);
  await showResults(directory, options);
  if (!options.quiet) {
    say(`${countUnits(outcome)} in ${shortTime((performance.now() - start) / 1000)}`);
  }
  if (!options.quiet) sayShortWindows(campaign);
  reportFailures(campaign, recipe, outcome.failures);
}

/** At which points the windows were too short, and how long they would have to be. */
export function sayShortWindows(campaign: Campaign): void {
  for (const line of shortWindows(campaign.plan, campaign)) say(line);
}

/**
 * Work that keeps what it has finished, whatever ends it: a signal, a disk that is full or fails.
 * Says so, sets the exit code and returns undefined.
 */
export async function resumable<T>(
  work: (interrupt: Interrupt) => Promise<T>,
): Promise<T | undefined> {
  const interrupt = onInterrupt('finished units are kept');
  try {
    return await work(interrupt);
  } catch (error) {
    const { name, message, cause } = error as Error & { cause?: NodeJS.ErrnoException };
    if (name === 'RunAborted') {
      say('the same command goes on from there');
      process.exitCode = ExitCode.Interrupted;
    } else if (cause?.code !== undefined) {
      say(`${message}; what is finished is kept, and the same command goes on from there`);
      process.exitCode = ExitCode.Failed;
    } else throw error;
    return undefined;
  } finally {
    interrupt.dispose();
  }
}

/** The page and the plot that were asked for. */
async function showResults(directory: string, { report, plot, quiet, json }: SweepOptions) {
  if (report) await (await import('./report.ts')).reportBeside(directory);
  if (!plot || quiet || json) return;
  const { readResults } = await import('../files/results.ts');
  const { sweepPlot } = await import('../report/text-plot.ts');
  const files = readResults(directory);
  if (files.kind === 'sweep') print(`\n${sweepPlot(files)}`);
}

export function openSweep(file: string, options: SweepOptions) {
  const set: AnySetting[] = options.axis.map((text) => ({
    ...{ option: '--axis', text, form: 'axis' },
    ...{ key: 'sweep', within: 'axes' },
  }));
  set.push(...fastSettings(options), ...options.set);
  if (options.replications !== undefined) {
    const text = String(options.replications);
    set.push({ option: '--replications', text, form: 'yaml', key: 'sweep.replications' });
  }
  return openCampaign(file, { set, seed: options.seed }, (name) =>
    resolve(options.out ?? join('results', `${name}-sweep`)),
  );
}

export const say = (text: string) => process.stderr.write(`worldswitch: ${visible(text)}\n`);

export interface ExecuteChoices {
  readonly jobs?: number | undefined;
  readonly quiet?: boolean | undefined;
}

/**
 * Runs what is missing, with one bar. Rejects with RunAborted, in good order, when it is
 * interrupted.
 */
export async function executeCampaign(
  campaign: Campaign,
  interrupt: Interrupt,
  { jobs = availableParallelism(), quiet = false }: ExecuteChoices,
  shard?: Shard,
): Promise<{ outcome: Outcome; jobs: number }> {
  const bar = new ProgressBar(campaign.plan.base.name, { quiet });
  const pool = jobs === 0 ? inlinePool(interrupt.pause) : threadPool(jobs);
  try {
    const outcome = await execute(campaign, {
      pool,
      shard,
      signal: interrupt.signal,
      onProgress: (fraction, finished, known) =>
        bar.update(fraction, `${finished} of ${known} runs`),
    });
    bar.stop();
    sayDoubted(campaign, 'run again');
    if (outcome.interrupted) throw new RunAborted('ended early');
    return { outcome, jobs };
  } finally {
    bar.stop();
    await pool.close();
  }
}

/** One line about stored units that were not believed. */
export function sayDoubted({ store: { doubted } }: Campaign, fate: string): void {
  if (doubted === 0) return;
  const [runs, are] = doubted === 1 ? ['stored run', 'is'] : ['stored runs', 'are'];
  say(
    `${doubted} ${runs} ${are} damaged or do${doubted === 1 ? 'es' : ''} not belong here, ` +
      `and ${are} ${fate}`,
  );
}

export function countUnits({ ran, reused, failures }: Outcome): string {
  const parts = [counted(ran, 'runs')];
  if (reused > 0) parts.push(`${reused} reused from before`);
  if (failures.length > 0) parts.push(`${failures.length} failed`);
  return parts.join(', ');
}

/** Lists failed units with the command that repeats each, and sets the exit code. */
export function reportFailures(
  campaign: Campaign,
  recipe: { readonly file: string; readonly set: readonly string[] },
  failures: readonly Failure[],
): void {
  if (failures.length === 0) return;
  const { plan } = campaign;
  for (const { point, replication, fault } of failures) {
    const { values } = plan.point(point);
    say(`failed: ${describe(values, plan.space)}, replication ${replication}: ${fault.message}`);
    const set = recipe.set.filter((text) => !/^sweep[.=]/.test(text));
    const words = [
      ...['run', recipe.file, ...set.flatMap((text) => ['--set', text])],
      ...setArguments(values.filter(({ placed }) => placed.path !== 'seed')),
      ...['--seed', campaign.seed(point, replication)],
    ];
    const command = words.map(shellWord).join(' ');
    process.stderr.write(`  repeat with: worldswitch ${visible(command)}\n`);
  }
  process.exitCode = ExitCode.SomeFailed;
}

async function printPlan(campaign: Campaign, directory: string, options: SweepOptions) {
  const { plan } = campaign;
  const { missing, stored, totalSeconds } = await estimateCost(campaign);
  const lanes = Math.max(1, options.jobs ?? availableParallelism());
  const seconds = totalSeconds / Math.min(lanes, Math.max(1, missing));
  if (options.json) {
    const points = Array.from({ length: plan.points }, (_, index) =>
      Object.fromEntries(
        plan.point(index).values.map(({ label }, i) => [plan.space.axes[i]!.path, label]),
      ),
    );
    const rest = { replications: firstReplications(plan), missing, stored, seconds, directory };
    print(`${JSON.stringify({ points, ...rest }, null, 2)}\n`);
    return;
  }
  const first = Math.min(plan.points, MOST_ROWS);
  const rows = Array.from({ length: first }, (_, index) => [
    String(index),
    ...plan.point(index).values.map(({ label }) => label),
  ]);
  print(textTable([['point', ...plan.space.axes.map(({ column }) => column)], ...rows]));
  if (first < plan.points) print(`… ${plan.points - first} more\n`);
  const least = firstReplications(plan);
  const replications =
    plan.precision === undefined
      ? counted(least, 'replications')
      : `${least} to ${counted(plan.maxReplications, 'replications')}`;
  print(`${counted(plan.points, 'points')}, ${replications} each\n`);
  print(`${counted(missing, 'runs')} to do, ${stored} stored already\n`);
  print(
    `about ${shortTime(seconds)} with ${lanes} at a time; results would go to ` +
      `${visible(directory)}/\n`,
  );
}

export async function printResults(
  campaign: Campaign,
  directory: string,
  { json, quiet }: { readonly json?: boolean; readonly quiet?: boolean },
): Promise<void> {
  const { plan } = campaign;
  if (json) {
    const rows: object[] = [];
    for (const { labels, ...row } of summaryRows(plan, campaign)) {
      const values = Object.fromEntries(plan.space.axes.map(({ path }, i) => [path, labels[i]]));
      rows.push({ ...row, unit: measures[row.metric].unit, values });
      await pause();
    }
    print(`${JSON.stringify(rows, null, 2)}\n`);
    return;
  }
  if (quiet) return;
  const names = metricsShown(plan);
  const rows = [...summaryRows(plan, campaign)].filter(({ metric }) => names.includes(metric));
  const objective = objectiveOf(plan);
  print(
    `${sweepText({ plan, source: campaign, rows, objective, style })}\nresults in ` +
      `${visible(directory)}/\n`,
  );
}

/** That of `find:`, where it is about something that this sweep has. */
function objectiveOf({ base: { find, vms } }: Campaign['plan']): Objective | undefined {
  if (find?.objective === undefined) return undefined;
  try {
    return parseObjective(
      find.objective,
      vms.map(({ name }) => name),
    );
  } catch (error) {
    if ((error as Error).name === 'ObjectiveError') return undefined;
    throw error;
  }
}
