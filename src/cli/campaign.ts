import { spawnSync } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { shellWord } from '../base/shell.ts';
import { visible } from '../base/visible.ts';
import { checkOutput } from '../files/check-output.ts';
import { makeDirectory } from '../files/directories.ts';
import { faultIn, reasonOf } from '../files/faults.ts';
import { writeFileAtomic } from '../files/output.ts';
import { readRegularText } from '../files/read-file.ts';
import { readRecord, type Submission, submission } from '../files/records.ts';
import { counted } from '../report/quantities.ts';
import type { Campaign } from '../sweep/campaign.ts';
import {
  beginCampaign,
  CAMPAIGN_FILES,
  mergeCampaign,
  reopenCampaign,
} from '../sweep/directory.ts';
import { estimateCost } from '../sweep/estimate.ts';
import type { Shard } from '../sweep/execute.ts';
import { pause } from '../sweep/pause.ts';
import { describe } from '../sweep/plan.ts';
import {
  arrayScript,
  type BatchJob,
  BatchLineError,
  BatchPathError,
  batchLines,
  DEFAULT_MAX_ARRAY_SIZE,
  maxArraySizeIn,
  mergeScript,
  shardCount,
} from '../sweep/slurm.ts';
import { knownUnits } from '../sweep/state.ts';
import { ExitCode } from './fail.ts';
import {
  countUnits,
  executeCampaign,
  openSweep,
  printResults,
  reportFailures,
  resumable,
  type SweepOptions,
  say,
  sayDoubted,
  sayShortWindows,
} from './sweep.ts';
import { print } from './terminal.ts';
import { shortTime } from './text-table.ts';

/** The parts of a sweep, for more than one machine: plan, run a shard, submit, status, merge. */

/** `worldswitch sweep plan FILE` */
export async function planCampaign(file: string, options: SweepOptions): Promise<void> {
  const { campaign, recipe, directory } = await openSweep(file, options);
  checkOutput(directory, '--out', CAMPAIGN_FILES);
  beginCampaign(directory, recipe);
  const { plan } = campaign;
  if (options.quiet) return;
  const [place, shown] = [visible(directory), visible(shellWord(directory))];
  const size =
    `${counted(plan.points, 'points')}, ` + `${counted(plan.replications, 'replications')} each`;
  print(`${size}, planned in ${place}/
run all of it:    worldswitch sweep run ${shown}
or a part of it:  worldswitch sweep run ${shown} --shard 0/8
or on a cluster:  worldswitch sweep submit ${shown} --slurm
then:             worldswitch sweep merge ${shown}
`);
}

export interface RunShardOptions {
  readonly shard?: Shard;
  readonly jobs?: number;
  readonly quiet?: boolean;
}

/** `worldswitch sweep run DIR` */
export async function runShard(directory: string, options: RunShardOptions): Promise<void> {
  const path = resolve(directory);
  const { campaign, recipe } = await reopenCampaign(path);
  checkOutput(path, directory, CAMPAIGN_FILES);
  const outcome = await resumable(
    async (interrupt) =>
      (await executeCampaign(campaign, interrupt, options, options.shard)).outcome,
  );
  if (!outcome) return;
  say(countUnits(outcome));
  reportFailures(campaign, recipe, outcome.failures);
}

/** Missing units named by a merge. */
const MOST_NAMED = 10;

/** `worldswitch sweep merge DIR` */
export async function merge(
  directory: string,
  options: { readonly json?: boolean; readonly quiet?: boolean },
): Promise<void> {
  const path = resolve(directory);
  const open = await reopenCampaign(path);
  checkOutput(path, directory, CAMPAIGN_FILES);
  const merged = await resumable(async (interrupt) => {
    await mergeCampaign(path, open, interrupt.check);
    return true;
  });
  if (!merged) return;
  await printResults(open.campaign, path, options);
  if (!options.quiet) sayShortWindows(open.campaign);
  await reportMissing(open.campaign, directory);
}

async function reportMissing(campaign: Campaign, directory: string): Promise<void> {
  const { plan } = campaign;
  let missing = 0;
  for (const { point, replication, stored } of knownUnits(campaign)) {
    await pause();
    if (stored) continue;
    if (missing++ >= MOST_NAMED) continue;
    say(`missing: ${describe(plan.point(point).values, plan.space)}, replication ${replication}`);
  }
  sayDoubted(campaign, 'left out');
  if (missing === 0) return;
  say(
    `${missing === 1 ? '1 run is' : `${missing} runs are`} missing from the tables: ` +
      `\`worldswitch sweep run ${directory}\` does what is missing`,
  );
  process.exitCode = ExitCode.SomeFailed;
}

/** `worldswitch sweep status DIR` */
export async function status(
  directory: string,
  options: { readonly json?: boolean },
): Promise<void> {
  const { campaign } = await reopenCampaign(resolve(directory));
  let [known, stored] = [0, 0];
  for (const unit of knownUnits(campaign)) {
    await pause();
    known++;
    if (unit.stored) stored++;
  }
  sayDoubted(campaign, 'counted as missing');
  const submitted = readSubmission(resolve(directory));
  if (options.json) {
    const rest = { points: campaign.plan.points, known, stored, missing: known - stored };
    print(`${JSON.stringify({ ...rest, slurm: submitted ?? null }, null, 2)}\n`);
    return;
  }
  const share = known > 0 ? Math.floor((100 * stored) / known) : 100;
  print(`${stored} of ${known} runs are there (${share} %), ${known - stored} missing\n`);
  if (submitted) {
    print(
      `Slurm jobs: array ${submitted.array} of ${submitted.shards}, merge ${submitted.merge}\n`,
    );
  }
}

export interface SubmitOptions {
  readonly slurm?: boolean;
  readonly sbatch: readonly string[];
  readonly header?: string;
  readonly limit?: number;
  readonly cpus: number;
  readonly taskTime: number;
  readonly dryRun?: boolean;
}

/** `worldswitch sweep submit DIR --slurm` */
export async function submit(directory: string, options: SubmitOptions): Promise<void> {
  if (!options.slurm) throw faultIn('submit', 'it is not said where to submit', 'give --slurm');
  const path = resolve(directory);
  const { campaign } = await reopenCampaign(path);
  const { missing, totalSeconds } = await estimateCost(campaign);
  const { plan } = campaign;
  const shards = shardCount({
    totalSeconds,
    pieces: plan.precision === undefined ? plan.points * plan.replications : plan.points,
    maxArraySize: maxArraySize(),
    taskSeconds: options.taskTime,
    cpus: options.cpus,
  });
  const job: BatchJob = {
    name: plan.base.name,
    directory: path,
    program: [process.execPath, realpathSync(fileURLToPath(new URL('main.cjs', import.meta.url)))],
    lines: [...(options.header ? batchLines(readHeader(options.header)) : []), ...options.sbatch],
    shards,
    limit: options.limit,
    cpus: options.cpus,
  };
  const scripts = join(path, 'slurm');
  try {
    const [array, after] = [arrayScript(job), mergeScript(job)];
    if (options.dryRun) {
      print(`${array}\n${after}`);
      return;
    }
    checkOutput(scripts, directory);
    makeDirectory(scripts);
    writeFileAtomic(join(scripts, 'array.sh'), array);
    writeFileAtomic(join(scripts, 'merge.sh'), after);
  } catch (error) {
    if (error instanceof BatchPathError) throw faultIn('submit', error.message);
    if (error instanceof BatchLineError) throw faultIn('--sbatch', error.message);
    throw error;
  }
  const array = sbatch([join(scripts, 'array.sh')]);
  const submitted: Submission = {
    array,
    merge: sbatch([`--dependency=afterany:${array}`, join(scripts, 'merge.sh')]),
    shards,
  };
  writeFileAtomic(join(scripts, 'submission.json'), `${JSON.stringify(submitted, null, 2)}\n`);
  const command = `worldswitch sweep status ${visible(shellWord(directory))}`;
  const each = shortTime(totalSeconds / shards / options.cpus);
  print(`${counted(missing, 'runs')} in ${counted(shards, 'tasks')} of about ${each}
array job ${submitted.array}, merge job ${submitted.merge}; \`${command}\` shows its progress
`);
}

function readHeader(file: string): string {
  try {
    return readRegularText(file, 2 ** 20, 'a script');
  } catch (error) {
    throw faultIn(file, `cannot read the #SBATCH lines: ${reasonOf(error)}`);
  }
}

function maxArraySize(): number {
  const { status: code, stdout } = spawnSync('scontrol', ['show', 'config'], { encoding: 'utf8' });
  return code === 0 ? maxArraySizeIn(stdout) : DEFAULT_MAX_ARRAY_SIZE;
}

/** Returns the number of the job. */
function sbatch(args: readonly string[]): string {
  const {
    error,
    status: code,
    stdout,
    stderr,
  } = spawnSync('sbatch', ['--parsable', ...args], {
    encoding: 'utf8',
  });
  if (error) {
    const reason =
      reasonOf(error) === 'there is no such file' ? 'it is not installed' : reasonOf(error);
    throw faultIn(
      '--slurm',
      `cannot call sbatch: ${reason}`,
      '`sweep run --shard i/n` works with any batch system',
    );
  }
  const id = /^\d+/.exec(stdout.trim())?.[0];
  if (code !== 0 || id === undefined) {
    throw new Error(`sbatch refused the job: ${stderr.trim() || stdout.trim()}`, {
      cause: { code },
    });
  }
  return id;
}

function readSubmission(directory: string): Submission | undefined {
  const path = join(directory, 'slurm', 'submission.json');
  return existsSync(path) ? readRecord(path, submission, 'a record of jobs') : undefined;
}
