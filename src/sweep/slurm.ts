/** Batch scripts for Slurm: a job array that runs the shards of a campaign, and a job that merges when it has ended. */

/** What `scontrol` says when it is not asked: the default of Slurm. */
export const DEFAULT_MAX_ARRAY_SIZE = 1001;

/** A line of the user's own cannot be used. */
export class BatchLineError extends Error {
  override readonly name = 'BatchLineError';
}

export interface ShardChoice {
  /** Seconds on one core for everything that is missing. */
  readonly totalSeconds: number;
  /** Pieces that can be told apart: units, or points where a precision is asked for. */
  readonly pieces: number;
  /** Slurm refuses indices from here on. */
  readonly maxArraySize: number;
  /** Least seconds of a task: starting one costs seconds. */
  readonly taskSeconds: number;
  /** Runs at a time in a task. */
  readonly cpus: number;
}

export function shardCount(choice: ShardChoice): number {
  const { totalSeconds, pieces, maxArraySize, taskSeconds, cpus } = choice;
  const tasks = Math.floor(totalSeconds / (taskSeconds * cpus));
  return Math.max(1, Math.min(tasks, pieces, maxArraySize));
}

/** `MaxArraySize` in the output of `scontrol show config`. */
export function maxArraySizeIn(config: string): number {
  const match = /^MaxArraySize\s*=\s*(\d+)/m.exec(config);
  return match ? Number(match[1]) : DEFAULT_MAX_ARRAY_SIZE;
}

export interface BatchJob {
  readonly name: string;
  /** Of the campaign, absolute. */
  readonly directory: string;
  /** The program and what comes before its arguments: `node`, `main.cjs`. */
  readonly program: readonly string[];
  /** The user's own options, `--partition=short` or `#SBATCH --partition=short`. */
  readonly lines: readonly string[];
  readonly shards: number;
  /** Tasks at a time; undefined = as many as Slurm likes. */
  readonly limit: number | undefined;
  readonly cpus: number;
}

/** Throws BatchLineError. */
export function arrayScript(job: BatchJob): string {
  const { name, directory, shards, limit, cpus, program, lines } = job;
  const percent = limit === undefined ? '' : `%${limit}`;
  return script(
    [
      `--job-name=${name}`,
      `--array=0-${shards - 1}${percent}`,
      `--cpus-per-task=${cpus}`,
      `--output=${logIn(directory, '%A_%a')}`,
      ...lines.map(optionIn),
    ],
    [...program, 'sweep', 'run', directory, '--quiet', '--jobs', String(cpus)],
    `--shard "$SLURM_ARRAY_TASK_ID/${shards}"`,
  );
}

/** Waits for the array whatever became of its tasks: the merge says what is missing. */
export function mergeScript(job: BatchJob): string {
  const { name, directory, program, lines } = job;
  return script(
    [
      `--job-name=${name}-merge`,
      '--cpus-per-task=1',
      `--output=${logIn(directory, 'merge-%j')}`,
      ...lines.map(optionIn),
    ],
    [...program, 'sweep', 'merge', directory],
  );
}

/** A per cent sign of the path itself must be doubled, and blanks need quotes. */
function logIn(directory: string, name: string): string {
  const path = `${directory.replaceAll('%', '%%')}/slurm/${name}.log`;
  return /\s/.test(path) ? `"${path}"` : path;
}

function script(options: readonly string[], words: readonly string[], rest = ''): string {
  const header = options.map((option) => `#SBATCH ${option}`).join('\n');
  // `exec`: Slurm's signals must reach the program.
  return `#!/bin/bash\n${header}\nexec ${words.map(quoted).join(' ')} ${rest}`
    .trimEnd()
    .concat('\n');
}

/** Options that the campaign sets itself: with others the shards would not fit. */
const RESERVED = /^(?:--array|-a|--dependency|-d|--wrap)(?:\b|=|$)/;

function optionIn(line: string): string {
  const option = line.trim().replace(/^#SBATCH\s+/, '');
  if (/[\r\n]/.test(option) || !/^-{1,2}[A-Za-z]/.test(option)) {
    throw new BatchLineError(`not an option of sbatch: ${JSON.stringify(line)}`);
  }
  if (RESERVED.test(option)) {
    throw new BatchLineError(`the campaign sets "${option.split(/[= ]/)[0]}" itself`);
  }
  return option;
}

/** The `#SBATCH` lines of a script. */
export function batchLines(text: string): string[] {
  return text.split(/\r?\n/).filter((line) => line.startsWith('#SBATCH '));
}

const quoted = (word: string) => `'${word.replaceAll("'", "'\\''")}'`;
