import type { Command as CommandType, Option as OptionType } from 'commander';

/** What the definitions of commands share: options of several commands, readers of their values. */

const { InvalidArgumentError, Option } =
  require('commander') as typeof import('commander', { with: { 'resolution-mode': 'require' }});

const collect = (value: string, all: readonly string[]): string[] => [...all, value];

/** Options of every command that loads a scenario. */
function withOverrides(command: CommandType): CommandType {
  return command
    .option('--set <path=value>', 'override any key, by its path in YAML (repeatable)', collect, [])
    .option('--seed <seed>', 'root of all random streams, instead of the seed in the file');
}

/** Options of every command that plans a sweep. */
function withSweep(command: CommandType): CommandType {
  return withOverrides(command)
    .option(
      '--axis <path=values>',
      'sweep these values, instead of the `sweep:` in the file: vms.web.count=1,2,4, or ' +
        "1..8, or '[1, 2, 4]' in quotes (repeatable)",
      collect,
      [],
    )
    .option(
      '--replications <count>',
      'runs of each point, instead of the number in the file',
      count,
    )
    .option(...FAST)
    .option('-o, --out <directory>', 'where to write; default: results/<name>-sweep')
    .option('-q, --quiet', 'print neither results nor progress');
}

const FAST = [
  '--fast',
  'skip stretches of visits at costs learned in windows: for runs of seconds (sampling: { kind: learned })',
] as const;

const JOBS = [
  '-j, --jobs <count>',
  'runs at a time; 0 = inside this process; default: all cores',
] as const;

/** An option whose values are known; whoever reads it says what is wrong with another one. */
function named(flags: string, description: string, names: readonly string[]): OptionType {
  const option = new Option(flags, `${description}: ${names.join(', ')}`);
  return Object.assign(option, { known: names });
}

/** The same, for several values: checked here. */
function repeatable(flags: string, description: string, names: readonly string[]): OptionType {
  return named(flags, description, names)
    .argParser((text: string, all: readonly string[]) => {
      if (!names.includes(text)) {
        throw new InvalidArgumentError(
          `It must be ${names.join(', ').replace(/, (\w+)$/, ' or $1')}.`,
        );
      }
      return all.includes(text) ? [...all] : [...all, text];
    })
    .default([]);
}

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

function counts(text: string): number[] {
  return text.split(',').map(count);
}

function references(description: string): OptionType {
  return new Option('--references <count>', description).argParser(count).default(Infinity, 'all');
}

/** What stands at the end of the help of each command. */
function example(command: string): string {
  return `\nExample:\n  worldswitch ${command}\n\nExit codes: see worldswitch --help`;
}

const exported = {
  ...{ collect, FAST, withOverrides, withSweep, JOBS, named, repeatable },
  ...{ shard, count, counts, references, example },
};
module.exports = exported;
export type Exported = typeof exported;
