/**
 * Batch scripts for Slurm: a job array that runs the shards of a campaign, and a job that merges
 * when it has ended.
 */

/** What `scontrol` says when it is not asked: the default of Slurm. */
export const DEFAULT_MAX_ARRAY_SIZE = 1001;

/** A line of the user's own cannot be used. */
export class BatchLineError extends Error {
  override readonly name: string = 'BatchLineError';
}

/** A path of the script itself cannot stand in it. */
export class BatchPathError extends BatchLineError {
  override readonly name = 'BatchPathError';
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
  checkWords([...program, directory]);
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
  checkWords([...program, directory]);
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

/**
 * A per cent sign of the path itself must be doubled; blanks, quotes and `#` mean something to
 * sbatch, which reads these lines like a shell without expansions.
 */
function logIn(directory: string, name: string): string {
  const path = `${directory.replaceAll('%', '%%')}/slurm/${name}.log`;
  return /[\s"'#]/.test(path) ? `"${path.replaceAll('"', '\\"')}"` : path;
}

/**
 * Names that no batch script can hold, or that Slurm reads as something else. Throws
 * BatchPathError.
 */
function checkWords(words: readonly string[]): void {
  for (const word of words) {
    const shown = JSON.stringify(word);
    if (/\p{Cc}/u.test(word)) {
      throw new BatchPathError(`a path with control characters cannot stand in a script: ${shown}`);
    }
    // In a file name it turns off what `%A` stands for.
    if (word.includes('\\')) {
      throw new BatchPathError(`Slurm takes no file names with a backslash: ${shown}`);
    }
  }
}

function script(options: readonly string[], words: readonly string[], rest = ''): string {
  const header = options.map((option) => `#SBATCH ${option}`).join('\n');
  // `exec`: Slurm's signals must reach the program.
  return `#!/bin/bash\n${header}\nexec ${words.map(quoted).join(' ')} ${rest}`
    .trimEnd()
    .concat('\n');
}

/** Options that the campaign sets itself: with others the shards would not fit. */
const RESERVED = ['array', 'dependency', 'wrap'] as const;
/** Their letters, also behind others that take no value: `-Ha0-9`. */
const RESERVED_LETTERS = /^-[A-Za-z?]*?[ad]/;
const WITHOUT_VALUE = /^-[HhIkOQsuvVW?]*$/;

function optionIn(line: string): string {
  const option = line.trim().replace(/^#SBATCH\s+/, '');
  if (/\p{Cc}/u.test(option) || !/^-{1,2}[A-Za-z]/.test(option)) {
    throw new BatchLineError(`not an option of sbatch: ${JSON.stringify(line)}`);
  }
  for (const word of wordsOf(option)) {
    if (!isReserved(word)) continue;
    throw new BatchLineError(`the campaign sets "${word.split('=')[0]}" itself`);
  }
  return option;
}

/** sbatch takes every beginning of a long option for it. */
function isReserved(word: string): boolean {
  if (word.startsWith('--')) {
    const name = word.slice(2).split('=')[0]!;
    return name !== '' && RESERVED.some((reserved) => reserved.startsWith(name));
  }
  const letters = RESERVED_LETTERS.exec(word)?.[0];
  return letters !== undefined && WITHOUT_VALUE.test(letters.slice(0, -1));
}

/**
 * The words of a line as sbatch reads them: one line may hold several options, and quotes may stand
 * anywhere.
 */
function wordsOf(line: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote = '';
  for (let i = 0; i < line.length; i++) {
    const character = line[i]!;
    if (character === '\\') word = (word ?? '') + (line[++i] ?? '');
    else if (character === quote) quote = '';
    else if (quote !== '') word = (word ?? '') + character;
    else if (character === '"' || character === "'") [quote, word] = [character, word ?? ''];
    else if (/\s/.test(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = (word ?? '') + character;
  }
  return word === undefined ? words : [...words, word];
}

/** The `#SBATCH` lines of a script. */
export function batchLines(text: string): string[] {
  return text.split(/\r?\n/).filter((line) => line.startsWith('#SBATCH '));
}

const quoted = (word: string) => `'${word.replaceAll("'", "'\\''")}'`;
