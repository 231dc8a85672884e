import type { Command as CommandType } from 'commander';

/** The commands on page traces. */

const { count, counts, named, references, example } =
  require('./options.cjs') as import('./options.cts').Exported;

function addTraceCommands(program: CommandType): void {
  const trace = program
    .command('trace')
    .description('page traces: import those of other tools, look into them, make synthetic ones')
    .addHelpText('after', '\nExit codes: see worldswitch --help');

  trace
    .command('import [file]')
    .description('turn a trace of lackey, drcachesim, ChampSim or a CSV file into a page trace')
    .addOption(
      named('--from <format>', 'format of the trace, guessed when left out', [
        ...['lackey', 'csv', 'drcachesim', 'champsim', 'champsim-cloudsuite'],
      ]),
    )
    .option('--program <name>', 'of several programs in one trace, keep this one, for example W0')
    .option('--user-only', 'leave out kernel addresses (the upper half) and say how many')
    .option('-o, --out <file>', 'where to write (gzip when it ends in .gz); default: stdout')
    .option('--skip <count>', 'leave out this many references at the start', count, 0)
    .addOption(references('keep this many references'))
    .option('-q, --quiet', 'print no progress')
    .addHelpText('after', example('trace import lackey.log -o program.pt.gz'))
    .action(async (file: string | undefined, options) =>
      (await import('./trace-import.ts')).importTrace(file ?? '-', options),
    );

  trace
    .command('info [file]')
    .description(
      'show references, pages, footprint, reuse distances and predicted TLB misses of a page trace',
    )
    .option(
      '--entries <list>',
      'also predict for TLBs of these sizes, for example 48,512',
      counts,
      [],
    )
    .addOption(references('look at this many references from the start'))
    .option('--json', 'print it as JSON')
    .option('-q, --quiet', 'print no progress')
    .addHelpText('after', example('trace info configs/traces/gcc.pt.gz --entries 48,512'))
    .action(async (file: string | undefined, options) =>
      (await import('./trace.ts')).traceInfo(file ?? '-', options),
    );

  trace
    .command('synth <workload> [vm]')
    .description(
      'write a synthetic workload (a preset, or a VM of a scenario file) as a page trace',
    )
    .option('--references <count>', 'length of the trace', count, 1e6)
    .option('--seed <seed>', 'root of all random streams')
    .option('-o, --out <file>', 'where to write (gzip when it ends in .gz); default: stdout')
    .option('-q, --quiet', 'print no progress')
    .addHelpText('after', example('trace synth web-server --references 1e6 --seed 1 -o web.pt.gz'))
    .action(async (workload: string, vm: string | undefined, options) =>
      (await import('./trace.ts')).synthTrace(workload, { ...options, vm }),
    );
}

module.exports = { addTraceCommands };
export type Exported = { readonly addTraceCommands: typeof addTraceCommands };
