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

const { Command, CommanderError, Help, Option } =
  require('commander') as typeof import('commander', { with: { 'resolution-mode': 'require' }});
const { collect, FAST, withOverrides, repeatable, example } =
  require('./options.cjs') as import('./options.cts').Exported;
const { addSweepCommands } =
  require('./sweep-commands.cjs') as import('./sweep-commands.cts').Exported;
const { addTraceCommands } =
  require('./trace-commands.cjs') as import('./trace-commands.cts').Exported;

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

const help = new Help();
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
  .exitOverride()
  .showSuggestionAfterError(false)
  // usage.ts says it, with a suggestion.
  .configureOutput({ outputError: () => {} })
  .configureHelp({
    // An empty list is what there is when an option was not given: no news.
    optionDescription: (option) =>
      help.optionDescription(
        Array.isArray(option.defaultValue)
          ? Object.create(option, { defaultValue: { value: undefined } })
          : option,
      ),
  })
  .addHelpText(
    'after',
    `
Exit codes:
  0    done
  1    the program failed, or could not write (a full disk)
  2    the input was refused: nothing was run, nothing written
  3    some runs of a sweep failed or are missing, the others are kept
  130  interrupted

Start with:
  worldswitch init my.yaml && worldswitch run my.yaml`,
  );

withOverrides(program.command('run <scenario>'))
  .description('run a scenario: CSV to a directory, a summary to the terminal')
  .option('-o, --out <directory>', 'where to write; default: results/<name>')
  .addOption(
    repeatable('--trace <format>', 'also write events, repeatable', ['perfetto', 'xen', 'csv']),
  )
  .option(
    '--free <mechanisms>',
    'make these cost nothing, for example exit,tlb-flush (worldswitch list mechanisms)',
  )
  .option('--baseline', 'also run each VM alone and native, for its slowdown')
  .option(...FAST)
  .option('--report', 'also write report.html, with charts')
  .option('--plot', 'also draw bars in the terminal')
  .option('--json', 'print the results as JSON instead of the summary')
  .option('-q, --quiet', 'print neither summary nor progress')
  .addHelpText('after', example('run configs/quickstart.yaml --baseline --set duration=100ms'))
  .action(async (file: string, options) => (await import('./run.ts')).run(file, options));

withOverrides(program.command('check <scenario>'))
  .description('check a scenario and print it complete, with every preset and default filled in')
  .option('--origins', 'also print where each value comes from, and which prices are assumed')
  .option('--json', 'print it as JSON')
  .option('-q, --quiet', 'print nothing when it is right')
  .addHelpText('after', example('check configs/quickstart.yaml --origins'))
  .action(async (file: string, options) => (await import('./check.ts')).check(file, options));

addSweepCommands(program);

withOverrides(program.command('compare <a> [b]'))
  .description(
    'compare two runs, line by line of the ledger: directories that `run` wrote, or scenarios',
  )
  .option('--with <path=value>', 'override a key in B alone (repeatable)', collect, [])
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
    'show the bill of a VM: what its work costs native, and what each mechanism adds; `run` ' +
      'is a directory or a scenario',
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
The bill says what each mechanism was charged. --free measures what would be gained without it: the
same world runs again with its price at zero. The two differ: a faster VM takes fewer timer ticks \
and
is scheduled at other moments, and it finds other lines in the caches. Two mechanisms interact when
freeing both gains more, or less, than the sum of freeing each.
${example('why configs/quickstart.yaml web-0 --free')}`,
  )
  .action(async (run: string, vm: string | undefined, options) =>
    (await import('./why.ts')).why(run, vm, options),
  );

program
  .command('report <directory>')
  .description('make one HTML page with the charts of a run or a sweep')
  .option('-o, --out <file>', 'where to write; default: report.html beside the tables')
  .addOption(
    new Option('--format <format>', 'one page, or each figure alone')
      .choices(['html', 'svg'])
      .default('html'),
  )
  .option('--objective <text>', "draw this limit into the curves of a sweep: 'p99 latency < 50ms'")
  .option('--open', 'open the page in the browser')
  .option('-q, --quiet', 'do not print which files were written')
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
  .description('write a commented scenario to start from, and its schema for editors')
  .addHelpText('after', example('init my.yaml'))
  .action(async (file = 'scenario.yaml') => (await import('./init.ts')).init(file));

program
  .command('schema')
  .description('print the JSON Schema of scenarios, for editors')
  .addHelpText('after', example('schema > scenario.schema.json'))
  .action(async () => (await import('./schema.ts')).schema());

addTraceCommands(program);

program
  .command('completion <shell>')
  .description('print the script that completes commands and options: bash, zsh or fish')
  .addHelpText(
    'after',
    `
Put it where the shell finds it:
  bash  worldswitch completion bash > ~/.local/share/bash-completion/completions/worldswitch
  zsh   worldswitch completion zsh > "\${fpath[1]}/_worldswitch"
  fish  worldswitch completion fish > ~/.config/fish/completions/worldswitch.fish
${example('completion bash')}`,
  )
  .action(async (shell: string) => (await import('./completion.ts')).completion(shell, program));

program
  .command('help [command...]')
  .description('show the help of a command')
  .addHelpText('after', example('help sweep plan'))
  .action((names: readonly string[]) => {
    let command: CommandType = program;
    for (const name of names) {
      const next = command.commands.find((candidate) => candidate.name() === name);
      if (!next) {
        command.error(`error: unknown command '${name}'`, { code: 'commander.unknownCommand' });
      }
      command = next;
    }
    command.help();
  });

/** Settles when the command is done: for who loads the program instead of starting it. */
module.exports = program.parseAsync().catch(async (error: unknown) => {
  if (!(error instanceof CommanderError)) {
    (await import('./fail.ts')).fail(error);
  } else if (error.exitCode !== 0) {
    (await import('./usage.ts')).refuse(error, program);
  }
});
