import type { Command as CommandType } from 'commander';

/** The commands that make many runs of one scenario: `sweep` with its parts, and `find`. */

const { collect, FAST, withOverrides, withSweep, JOBS, shard, count, example } =
  require('./options.cjs') as import('./options.cts').Exported;

function addSweepCommands(program: CommandType): void {
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
    .description('write the plan of a sweep to a directory, to run it in parts or on a cluster')
    .addHelpText('after', example('sweep plan configs/consolidation.yaml --out campaign'))
    .action(async (file: string, _options, command: CommandType) =>
      (await import('./campaign.ts')).planCampaign(file, command.optsWithGlobals()),
    );

  sweep
    .command('run <directory>')
    .description('run what is missing of a planned sweep, or of one part of it')
    .option('--shard <i/n>', 'run only part i of n, counted from 0', shard)
    .option(...JOBS, count)
    .option('-q, --quiet', 'print no progress')
    .addHelpText('after', example('sweep run campaign --shard 0/8'))
    .action(async (directory: string, _options, command: CommandType) =>
      (await import('./campaign.ts')).runShard(directory, command.optsWithGlobals()),
    );

  sweep
    .command('submit <directory>')
    .description('submit a planned sweep to a cluster: an array of jobs, and a job that merges')
    .option('--slurm', 'submit it with sbatch, to Slurm')
    .option(
      '--sbatch <option>',
      'pass this option to both jobs, for example --partition=short (repeatable)',
      collect,
      [],
    )
    .option('--header <file>', 'copy the #SBATCH lines of this file')
    .option('--limit <count>', 'most tasks that run at a time', count)
    .option('--cpus <count>', 'CPUs of each task; each CPU does one run at a time', count, 1)
    .option('--task-time <seconds>', 'shortest time that a task is worth', count, 60)
    .option('-n, --dry-run', 'print the scripts, submit nothing')
    .addHelpText('after', example('sweep submit campaign --slurm --limit 50'))
    .action(async (directory: string, _options, command: CommandType) =>
      (await import('./campaign.ts')).submit(directory, command.optsWithGlobals()),
    );

  sweep
    .command('status <directory>')
    .description('show how much of a planned sweep is done')
    .option('--json', 'print it as JSON')
    .addHelpText('after', example('sweep status campaign'))
    .action(async (directory: string, _options, command: CommandType) =>
      (await import('./campaign.ts')).status(directory, command.optsWithGlobals()),
    );

  sweep
    .command('merge <directory>')
    .description('write the tables of a planned sweep, from the runs that are done')
    .option('--json', 'print the results as JSON')
    .option('-q, --quiet', 'print nothing')
    .addHelpText('after', example('sweep merge campaign'))
    .action(async (directory: string, _options, command: CommandType) =>
      (await import('./campaign.ts')).merge(directory, command.optsWithGlobals()),
    );

  withOverrides(program.command('find <scenario>'))
    .description('find the largest value of one number that still meets an objective')
    .option('--axis <path>', 'the number, for example vms.web.count')
    .option('--from <value>', 'smallest value to try; default: 1')
    .option('--to <value>', 'largest value to try')
    .option('--objective <text>', 'what must hold, for example "p99 latency < 50ms"')
    .option('--smallest', 'find the smallest value that meets it instead')
    .option(
      '--across <path=values>',
      'ask again for each of these values: hypervisor.tags.kind=none,kvm (repeatable)',
      collect,
      [],
    )
    .option('--max-duration <time>', 'lengthen windows up to this until it is decided; default: 1s')
    .option('--sensitivity', 'also find which assumed numbers move the answer by more than a step')
    .option('--under <path>', 'of those below this path only, for example hypervisor.costs')
    .option(...FAST)
    .option('-o, --out <directory>', 'where to keep the runs; default: results/<name>-find')
    .option(...JOBS, count)
    .option('--json', 'print the answer as JSON')
    .option('-q, --quiet', 'print no progress')
    .addHelpText(
      'after',
      example(
        'find configs/consolidation.yaml --axis vms.web.count --to 32 --objective "slowdown < 1.5"',
      ),
    )
    .action(async (file: string, options) => (await import('./find.ts')).find(file, options));
}

module.exports = { addSweepCommands };
export type Exported = { readonly addSweepCommands: typeof addSweepCommands };
