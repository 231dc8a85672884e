#!/usr/bin/env node
import { Command, CommanderError } from 'commander';
import { acceptClosedPipes, ExitCode, fail } from './fail.ts';

/**
 * The program: every command with its options. What a command does is in a file of its own, imported when it is called,
 * so that `--help` starts nothing else.
 */
acceptClosedPipes();

const program = new Command('worldswitch')
  .description('What does it cost to put these virtual machines on that Opteron host, and why?')
  .helpOption('-h, --help', 'show this help')
  .helpCommand(false)
  .showSuggestionAfterError()
  .exitOverride()
  .addHelpText('after', '\nStart with:\n  worldswitch init my.yaml && worldswitch run my.yaml');

const collect = (value: string, all: readonly string[]): string[] => [...all, value];

/** Options of every command that loads a scenario. */
function withOverrides(command: Command): Command {
  return command
    .option('--set <path=value>', 'override any key, by its path in YAML (repeatable)', collect, [])
    .option('--seed <seed>', 'root of all random streams, instead of the one in the file');
}

program
  .option('-V, --version', 'show the version')
  .action(async (options: { version?: boolean }) => {
    if (!options.version) {
      program.outputHelp({ error: true });
      process.exitCode = ExitCode.BadInput;
      return;
    }
    const { packageVersion } = await import('../files/manifest.ts');
    process.stdout.write(`${packageVersion()}\n`);
  });

withOverrides(program.command('run <scenario>'))
  .description('run a scenario: CSV to a directory, a summary to the terminal')
  .option('-o, --out <directory>', 'where to write; default: results/<name>')
  .option('--baseline', 'also run each VM alone and native, for its slowdown')
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

program
  .command('list [what]')
  .description('list what a scenario can name: presets, policies, workloads, metrics')
  .option('--json', 'print it as JSON')
  .addHelpText('after', example('list schedulers'))
  .action(async (what: string | undefined, options) =>
    (await import('./list.ts')).list(what, options),
  );

function example(command: string): string {
  return `\nExample:\n  worldswitch ${command}`;
}

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? ExitCode.Done : ExitCode.BadInput;
  } else fail(error);
}
