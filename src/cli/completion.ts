import type { Command, Option } from 'commander';
import { faultIn } from '../files/faults.ts';
import { didYouMean } from '../scenario/findings.ts';
import { mechanismNames } from '../scenario/free.ts';
import { presets } from '../scenario/presets.ts';
import { scenarioSchema } from '../scenario/schema.ts';
import { pathsIn } from '../scenario/schema-walk.ts';
import {
  bashScript,
  fishScript,
  type Grammar,
  type Kind,
  type Offer,
  zshScript,
} from './completion-scripts.ts';
import { listNames } from './list.ts';
import { print } from './terminal.ts';

/**
 * Completion for shells, made from the definitions of the commands: what an option or an argument
 * takes follows from its placeholder, `<scenario>`, and from the values it names.
 */

const scripts: Readonly<Record<string, (grammar: Grammar) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};

/** `worldswitch completion SHELL` */
export async function completion(shell: string, program: Command): Promise<void> {
  const names = Object.keys(scripts);
  if (!Object.hasOwn(scripts, shell)) {
    const hint = didYouMean(shell, names) ?? `there is ${names.join(', ')}`;
    throw faultIn('completion', `there is no completion for "${shell}"`, hint);
  }
  print(scripts[shell]!(grammarOf(program)));
}

/** Levels of a scenario that paths are completed in. */
const DEPTH = 4;

/** By placeholder. Those that are not here cannot be completed: a seed, a number. */
function placeholders(program: Command): Readonly<Record<string, Kind>> {
  const paths = pathsIn(scenarioSchema(presets), DEPTH).toSorted();
  const assignments = { words: paths.map((path) => `${path}=`), open: true };
  return {
    scenario: { files: 'yaml' },
    a: { files: 'yaml' },
    b: { files: 'yaml' },
    run: { files: 'yaml' },
    file: { files: 'any' },
    directory: { files: 'directory' },
    path: { words: paths },
    'path=value': assignments,
    'path=values': assignments,
    mechanisms: { words: mechanismNames },
    what: { words: listNames },
    workload: { words: Object.keys(presets.workloads), files: 'yaml' },
    shell: { words: Object.keys(scripts) },
    command: { words: program.commands.map((command) => command.name()) },
  };
}

function grammarOf(program: Command): Grammar {
  const known = placeholders(program);
  const kinds: Record<string, Kind> = {};
  const places: Record<string, string[]> = {};
  const add = (name: string, kind: Kind | undefined, place: string) => {
    if (!kind) return;
    kinds[name] = kind;
    places[name] = [...(places[name] ?? []), place];
  };
  const commands = innermostFirst(program).map(([path, command]) => {
    for (const [i, argument] of command.registeredArguments.entries()) {
      add(argument.name(), known[argument.name()], `${path}:${i}`);
    }
    for (const option of command.options) {
      const placeholder = placeholderOf(option);
      if (placeholder === undefined) continue;
      const words = wordsOf(option);
      const name = words ? words.join(' ') : placeholder;
      for (const flag of flagsOf(option)) {
        add(name, words ? { words } : known[placeholder], `${path}:${flag}`);
      }
    }
    const options = command.options.flatMap((option) =>
      flagsOf(option).map((flag): Offer => [flag, option.description]),
    );
    return {
      path,
      commands: command.commands.map((one): Offer => [one.name(), one.description()]),
      options: [...options, ['--help', 'show this help'] as const],
    };
  });
  return { commands, kinds, places };
}

function innermostFirst(command: Command, path = ''): (readonly [string, Command])[] {
  const inner = command.commands.flatMap((one) =>
    innermostFirst(one, path === '' ? one.name() : `${path} ${one.name()}`),
  );
  return [...inner, [path, command]];
}

const flagsOf = ({ short, long }: Option): string[] =>
  [short, long].filter((flag) => flag !== undefined);

/** `directory` of `-o, --out <directory>`. */
const placeholderOf = ({ flags }: Option): string | undefined =>
  /[<[]([^>\]]*)[>\]]/.exec(flags)?.[1];

/** The values that an option names itself. */
const wordsOf = (option: Option): readonly string[] | undefined =>
  option.argChoices ?? (option as { readonly known?: readonly string[] }).known;
