import { visible } from '../base/visible.ts';

/** What ends a command: exit codes and what is said about it. */

export const ExitCode = {
  Done: 0,
  /** The model or the program failed: a bug, or a disk that is full. */
  Failed: 1,
  /** Bad input: nothing was run, nothing written. */
  BadInput: 2,
  /** Some units of a sweep failed, the others are stored. */
  SomeFailed: 3,
  Interrupted: 130,
} as const;

/**
 * Says what went wrong on stderr and sets the exit code. Errors are told by name: importing their
 * modules costs time.
 */
export function fail(error: unknown): void {
  const { name, message } = error as Error;
  if (name === 'RunAborted') {
    process.exitCode = ExitCode.Interrupted;
    return;
  }
  process.exitCode = ExitCode.Failed;
  if (name === 'ConfigError') {
    process.exitCode = ExitCode.BadInput;
    const count = (error as { diagnostics?: readonly unknown[] }).diagnostics?.length ?? 1;
    process.stderr.write(`${message}\n`);
    if (count > 1) process.stderr.write(`${count} errors\n`);
  } else if (name === 'TraceError') {
    process.exitCode = ExitCode.BadInput;
    const { file, line } = error as Error & { file: string; line: number };
    const text = message.slice(`${file}:${line}: `.length);
    process.stderr.write(`${visible(`${file}:${line}:1: error: ${text}`)}\n`);
  } else if (name === 'ModelError') {
    process.stderr.write(`worldswitch: the model failed: ${visible(message)}\n`);
  } else if (name === 'Error' && (error as Error).cause !== undefined) {
    process.stderr.write(`worldswitch: ${visible(message)}\n`);
  } else if (name === 'UnitFailed') {
    process.stderr.write(`worldswitch: a run failed: ${visible(message)}\n`);
  } else {
    process.stderr.write(
      `worldswitch: internal fault: ${(error as Error)?.stack ?? String(error)}\n`,
    );
  }
}
