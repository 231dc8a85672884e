import type { Command, CommanderError } from 'commander';
import { visible } from '../base/visible.ts';
import { nearest } from '../scenario/findings.ts';
import { ExitCode } from './fail.ts';

/** Command lines that cannot be understood: said in one line, with what was probably meant. */

export function refuse({ code, message }: CommanderError, program: Command): void {
  process.exitCode = ExitCode.BadInput;
  // The help was shown instead.
  if (!message.startsWith('error:')) return;
  const command = commandIn(program, process.argv.slice(2));
  const hint = suggestion(code, message, command) ?? `see ${nameOf(command)} --help`;
  process.stderr.write(`${visible(`${message.replace(/[.]$/, '')} — ${hint}`)}\n`);
}

/** The innermost command that was named. */
function commandIn(program: Command, words: readonly string[]): Command {
  let command = program;
  for (const word of words[0] === 'help' ? words.slice(1) : words) {
    const next = command.commands.find((candidate) => candidate.name() === word);
    if (next) command = next;
    else if (!word.startsWith('-')) break;
  }
  return command;
}

function nameOf(command: Command): string {
  return command.parent ? `${nameOf(command.parent)} ${command.name()}` : command.name();
}

function suggestion(code: string, message: string, command: Command): string | undefined {
  const typed = /'([^']*)'/.exec(message)?.[1] ?? '';
  const operand = command.args[0] ?? '';
  switch (code) {
    case 'commander.unknownCommand':
      return meantCommand(typed, command);
    case 'commander.unknownOption':
      return typed.startsWith('--') ? meantOption(typed.slice(2), command) : undefined;
    case 'commander.excessArguments':
      return meantCommand(operand, command);
    default:
      return undefined;
  }
}

function meantCommand(typed: string, { commands }: Command): string | undefined {
  const near = nearest(
    typed,
    commands.map((command) => command.name()),
  );
  return near && `did you mean ${near}?`;
}

const longNames = (command: Command): string[] => [
  ...command.options.flatMap(({ long }) => long?.slice(2) ?? []),
  'help',
];

function meantOption(typed: string, command: Command): string | undefined {
  const near = nearest(typed, longNames(command));
  if (near) return `did you mean --${near}?`;
  let root = command;
  while (root.parent) root = root.parent;
  const others = [root, ...root.commands.flatMap((one) => [one, ...one.commands])]
    .filter((other) => longNames(other).includes(typed))
    .map(nameOf);
  return others.length > 0 ? `an option of ${others.join(', ')}` : undefined;
}
