#!/usr/bin/env node
import type { Command as CommandType } from 'commander';

/**
 * The program: every command with its options. What a command does is in a file of its own,
 * imported when it is called, so that `--help` starts nothing else. A CommonJS module, which Node
 * starts 6 ms sooner than an ES one.
 */
// First of all, so that no signal is lost: Ctrl-C and SIGTERM end the program at once, with the
// exit code of an interruption, unless a command listens as well. Never removed: a signal whose
// last listener goes before the event loop has seen it is dropped.
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (process.listenerCount(signal) === 1) process.exit(130);
  });
}

const { Command, CommanderError, InvalidArgumentError, Option } =
  require('commander') as typeof import('commander', { with: { 'resolution-mode': 'require' }});

// A reader of the results that has seen enough (`| head`) closes the pipe: not a fault. A full disk
// is one.
process.stdout.on('error', ({ code, message }: NodeJS.ErrnoException) => {
  if (code === 'EPIPE') process.exit();
  const why = code === 'ENOSPC' ? 'no space left on the device' : message;
  process.stderr.write(`worldswitch: cannot write to standard output: ${why}\n`);
  process.exit(1);
});
// There is no place left to say it.
process.stderr.on('error', ({ code }: NodeJS.ErrnoException) => {
  process.exit(code === 'EPIPE' ? undefined : 1);
});

const program = new Command('worldswitch')
  .description('What does it cost to put these virtual machines on that Opteron host, and why?')
  .helpOption('-h, --help', 'show this help')
  .option('-V, --version', 'show the version')
  .on('option:version', () => {
    const { version } = require('../../package.json') as { version: string };
    process.stdout.write(`${version}\n`);
    throw new CommanderError(0, 'commander.version', 'version');
  })
  .helpCommand(false)
  .showSuggestionAfterError()
  .exitOverride()
  // What was typed may hold control characters.
  .configureOutput({
    outputError: (text, write) => write(text.replaceAll(/[^\P{Cc}\n\t]/gu, '?')),
  })
  .addHelpText('after', '\nStart with:\n  worldswitch init my.yaml && worldswitch run my.yaml');

const collect = (value: string, all: readonly string[]): string[] => [...all, value];

/** Options of every command that loads a scenario. */
function withOverrides(command: CommandType): CommandType {
  return command
    .option('--set <path=value>', 'override any key, by its path in YAML (repeatable)', collect, [])
    .option('--seed <seed>', 'root of all random streams, instead of the one in the file');
}

withOverrides(program.command('run <scenario>'))
  .description('run a scenario: CSV to a directory, a summary to the terminal')
  .option('-o, --out <directory>', 'where to write; default: results/<name>')
  .option(
    '--trace <format>',
    'also write events: perfetto, xen or csv (repeatable)',
    traceFormat,
    [],
  )
  .option(
    '--free <mechanisms>',
    'let these cost nothing, for example exit,tlb-flush (list mechanisms)',
  )
  .option('--baseline', 'also run each VM alone and native, for its slowdown')
  .option('--report', 'also write report.html, with charts')
  .option('--plot', 'also draw bars in the terminal')
  .option('--json', 'print the results as JSON instead of the summary')
  .option('-q, --quiet', 'print neither summary nor progress')
  .addHelpText('after', example('run configs/quickstart.yaml --baseline --set duration=100ms'))
  .action(async (file: string, options) => (await import('./run.ts')).run(file, options));

withOverrides(program.command('check <scenario>'))
  .description('check a scenario and print it complete, with every preset and default filled in')
  .option('--json', 'print it as JSON')
  .option('-q, --quiet', 'print nothing when it is right')
  .addHelpText('after', example('check configs/quickstart.yaml'))
  .action(async (file: string, options) => (await import('./check.ts')).check(file, options));

/** Options of every command that plans a sweep. */
function withSweep(command: CommandType): CommandType {
  return withOverrides(command)
    .option(
      '--axis <path=[values]>',
      'sweep this, instead of the `sweep:` in the file (repeatable)',
      collect,
      [],
    )
    .option(
      '--replications <count>',
      'runs of each point, instead of the number in the file',
      count,
    )
    .option('-o, --out <directory>', 'where to write; default: results/<name>-sweep')
    .option('-q, --quiet', 'print neither results nor progress');
}
const JOBS = [
  '-j, --jobs <count>',
  'runs at a time; 0 = inside this process; default: all cores',
] as const;

const sweep = withSweep(program.command('sweep'))
  .argument('[scenario]')
  .description('run every point of the `sweep:` of a scenario, each several times, on all cores')
  .option(...JOBS, count)
  .option('-n, --dry-run', 'print the plan and how long it would take')
  .option('--json', 'print the results as JSON')
  .option('--report', 'also write report.html, with charts')
  .option('--plot', 'also draw bars in the terminal')
  .addHelpText('after', example('sweep configs/consolidation.yaml --dry-run'))
  .action(async (file: string | undefined, options, command: CommandType) => {
    if (file === undefined) command.error("error: missing required argument 'scenario'");
    else await (await import('./sweep.ts')).sweep(file, options);
  });

withSweep(sweep.command('plan <scenario>'))
  .description('write the plan of a sweep to a directory, to be run in parts or on a cluster')
  .addHelpText('after', example('sweep plan configs/consolidation.yaml --out campaign'))
  .action(async (file: string, _options, command: CommandType) =>
    (await import('./campaign.ts')).planCampaign(file, command.optsWithGlobals()),
  );

sweep
  .command('run <directory>')
  .description('run what is missing of a planned sweep, or of one part of it')
  .option('--shard <i/n>', 'only part i of n, counted from 0', shard)
  .option(...JOBS, count)
  .option('-q, --quiet', 'print no progress')
  .addHelpText('after', example('sweep run campaign --shard 0/8'))
  .action(async (directory: string, _options, command: CommandType) =>
    (await import('./campaign.ts')).runShard(directory, command.optsWithGlobals()),
  );

sweep
  .command('submit <directory>')
  .description('hand a planned sweep to a cluster: a job array, and a job that merges')
  .option('--slurm', 'with sbatch')
  .option(
    '--sbatch <option>',
    'an option for both jobs, --partition=short (repeatable)',
    collect,
    [],
  )
  .option('--header <file>', 'take the #SBATCH lines of this file')
  .option('--limit <count>', 'tasks at a time', count)
  .option('--cpus <count>', 'CPUs of each task, one run on each', count, 1)
  .option('--task-time <seconds>', 'least time of a task', count, 60)
  .option('-n, --dry-run', 'print the scripts')
  .addHelpText('after', example('sweep submit campaign --slurm --limit 50'))
  .action(async (directory: string, _options, command: CommandType) =>
    (await import('./campaign.ts')).submit(directory, command.optsWithGlobals()),
  );

sweep
  .command('status <directory>')
  .description('how much of a planned sweep is there')
  .option('--json', 'print it as JSON')
  .addHelpText('after', example('sweep status campaign'))
  .action(async (directory: string, _options, command: CommandType) =>
    (await import('./campaign.ts')).status(directory, command.optsWithGlobals()),
  );

sweep
  .command('merge <directory>')
  .description('write the tables of a planned sweep from the runs that are there')
  .option('--json', 'print the results as JSON')
  .option('-q, --quiet', 'print nothing')
  .addHelpText('after', example('sweep merge campaign'))
  .action(async (directory: string, _options, command: CommandType) =>
    (await import('./campaign.ts')).merge(directory, command.optsWithGlobals()),
  );

withOverrides(program.command('find <scenario>'))
  .description('find the largest value of one number that still meets an objective')
  .option('--axis <path>', 'the number, for example vms.web.count')
  .option('--from <value>', 'where to start; default: 1')
  .option('--to <value>', 'where to end')
  .option('--objective <text>', 'what must hold, for example "p99 latency < 50ms"')
  .option('--smallest', 'find the smallest value instead')
  .option('--across <path=[values]>', 'ask for each of these values (repeatable)', collect, [])
  .option('--max-duration <time>', 'make windows longer up to this; default: 1s')
  .option('-o, --out <directory>', 'where to keep runs; default: results/<name>-find')
  .option(
    '-j, --jobs <count>',
    'runs at a time; 0 = inside this process; default: all cores',
    count,
  )
  .option('--json', 'print the answer as JSON')
  .option('-q, --quiet', 'print no progress')
  .addHelpText(
    'after',
    example(
      'find configs/consolidation.yaml --axis vms.web.count --to 32 --objective "slowdown < 1.5 for every VM"',
    ),
  )
  .action(async (file: string, options) => (await import('./find.ts')).find(file, options));

withOverrides(program.command('compare <a> [b]'))
  .description(
    'compare two runs line by line of the ledger: directories that `run` wrote, or scenarios',
  )
  .option('--with <path=value>', 'override a key for B alone (repeatable)', collect, [])
  .option('--all', 'show every line')
  .option('--json', 'print it as JSON')
  .option('--csv', 'print it as CSV')
  .addHelpText(
    'after',
    example('compare configs/quickstart.yaml --with hypervisor.mmu.kind=shadow'),
  )
  .action(async (a: string, b: string | undefined, options) =>
    (await import('./compare.ts')).compare(a, b, options),
  );

withOverrides(program.command('why <run> [vm]'))
  .description(
    'the bill of a VM: what its work costs native, and what each mechanism adds; `run` is a directory or a scenario',
  )
  .option(
    '--free [mechanisms]',
    'also run twins in which mechanisms cost nothing, alone and in pairs; default: the largest',
  )
  .option('--all', 'show every line')
  .option('--json', 'print it as JSON')
  .addHelpText(
    'after',
    `
The bill says what each mechanism was charged. --free measures what would be gained without it: the same
world runs again with its price at zero. The two differ because a faster VM takes fewer timer ticks and
other turns, and finds other lines in the caches; two mechanisms interact when freeing both gains more or
less than the sum of freeing each.
${example('why configs/quickstart.yaml web-0 --free')}`,
  )
  .action(async (run: string, vm: string | undefined, options) =>
    (await import('./why.ts')).why(run, vm, options),
  );

program
  .command('report <directory>')
  .description('make one HTML file with charts of a run or a sweep')
  .option('-o, --out <path>', 'where to write; default: report.html beside the tables')
  .addOption(
    new Option('--format <format>', 'one page, or each figure alone')
      .choices(['html', 'svg'])
      .default('html'),
  )
  .option('--objective <text>', "draw this line into the curves of a sweep: 'p99 latency < 50ms'")
  .option('--open', 'show it')
  .option('-q, --quiet', 'do not print what was written')
  .addHelpText('after', example('report results/quickstart --open'))
  .action(async (directory: string, options) =>
    (await import('./report.ts')).report(directory, options),
  );

program
  .command('list [what]')
  .description('list what a scenario can name: presets, policies, workloads, metrics')
  .option('--json', 'print it as JSON')
  .addHelpText('after', example('list schedulers'))
  .action(async (what: string | undefined, options) =>
    (await import('./list.ts')).list(what, options),
  );

program
  .command('init [file]')
  .description('write a commented scenario to start from')
  .addHelpText('after', example('init my.yaml'))
  .action(async (file = 'scenario.yaml') => (await import('./init.ts')).init(file));

program
  .command('schema')
  .description('print the JSON Schema of scenarios, for editors')
  .addHelpText('after', example('schema > scenario.schema.json'))
  .action(async () => (await import('./schema.ts')).schema());

const trace = program
  .command('trace')
  .description('page traces: import those of other tools, look into them, make synthetic ones');

trace
  .command('import [file]')
  .description('turn a trace of lackey, drcachesim, ChampSim or a CSV into a page trace')
  .option(
    '--from <format>',
    'lackey, csv, drcachesim, champsim or champsim-cloudsuite; guessed when left out',
  )
  .option('--program <name>', 'of several programs in one trace, keep this one, for example W0')
  .option('--user-only', 'leave out kernel addresses (the upper half) and say how many')
  .option('-o, --out <file>', 'where to write (gzip when it ends in .gz); default: stdout')
  .option('--skip <count>', 'leave out the first so many references', count, 0)
  .addOption(references('keep so many references'))
  .option('-q, --quiet', 'print no progress')
  .addHelpText('after', example('trace import lackey.log -o program.pt.gz'))
  .action(async (file: string | undefined, options) =>
    (await import('./trace-import.ts')).importTrace(file ?? '-', options),
  );

trace
  .command('info [file]')
  .description(
    'references, pages, footprint, reuse distances and predicted TLB misses of a page trace',
  )
  .option(
    '--entries <list>',
    'also predict for TLBs of these sizes, for example 48,512',
    counts,
    [],
  )
  .addOption(references('look at the first so many references only'))
  .option('--json', 'print it as JSON')
  .option('-q, --quiet', 'print no progress')
  .addHelpText('after', example('trace info configs/traces/gcc.pt.gz --entries 48,512'))
  .action(async (file: string | undefined, options) =>
    (await import('./trace.ts')).traceInfo(file ?? '-', options),
  );

trace
  .command('synth <workload> [vm]')
  .description('write a synthetic workload (a preset, or a VM of a scenario file) as a page trace')
  .option('--references <count>', 'length of the trace', count, 1e6)
  .option('--seed <seed>', 'root of all random streams')
  .option('-o, --out <file>', 'where to write (gzip when it ends in .gz); default: stdout')
  .option('-q, --quiet', 'print no progress')
  .addHelpText('after', example('trace synth web-server --references 1e6 --seed 1 -o web.pt.gz'))
  .action(async (workload: string, vm: string | undefined, options) =>
    (await import('./trace.ts')).synthTrace(workload, { ...options, vm }),
  );

/** `0/8` */
function shard(text: string): { index: number; count: number } {
  const match = /^(\d+)\/(\d+)$/.exec(text.trim());
  const [index, of] = [Number(match?.[1]), Number(match?.[2])];
  if (match && index < of) return { index, count: of };
  throw new InvalidArgumentError('It must be i/n, counted from 0: 0/8 to 7/8.');
}

/** `2e6` and the like. */
function count(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && Number.isSafeInteger(value) && value >= 0) return value;
  throw new InvalidArgumentError('It must be a whole number, for example 2e6.');
}

function traceFormat(text: string, all: readonly string[]): string[] {
  if (!['perfetto', 'xen', 'csv'].includes(text)) {
    throw new InvalidArgumentError('It must be perfetto, xen or csv.');
  }
  return all.includes(text) ? [...all] : [...all, text];
}

function references(description: string) {
  return new Option('--references <count>', description).argParser(count).default(Infinity, 'all');
}

function counts(text: string): number[] {
  return text.split(',').map(count);
}

function example(command: string): string {
  return `\nExample:\n  worldswitch ${command}`;
}

/** Settles when the command is done: for who loads the program instead of starting it. */
module.exports = program.parseAsync().catch(async (error: unknown) => {
  const mistyped = error instanceof CommanderError;
  if (mistyped && error.exitCode === 0) return;
  const { ExitCode, fail } = await import('./fail.ts');
  if (mistyped) process.exitCode = ExitCode.BadInput;
  else fail(error);
});
