import { RunAborted } from '../scenario/run.ts';
import { pause } from '../sweep/pause.ts';
import { ExitCode } from './fail.ts';

export interface Interrupt {
  readonly signal: AbortSignal;
  /** Lets signals and streams be served; cheap when it was called a moment ago. */
  pause(): Promise<void>;
  /** The same, but throws RunAborted once there was a signal. */
  check(): Promise<void>;
  /** From now on a signal ends the program at once. */
  dispose(): void;
}

const signals = ['SIGINT', 'SIGTERM'] as const;

/**
 * The first Ctrl-C (or SIGTERM, as cluster schedulers send) asks to end in good order, the second
 * ends at once. The program's own listener, which ends it, stays installed all the time and leaves
 * signals to this one while there is one: a signal that came before the event loop was served is
 * not lost.
 */
export function onInterrupt(kept = 'nothing is written'): Interrupt {
  const controller = new AbortController();
  const { signal } = controller;
  const handle = (): void => {
    if (signal.aborted) process.exit(ExitCode.Interrupted);
    process.stderr.write(`\nworldswitch: interrupted, ${kept}; press again to stop at once\n`);
    controller.abort();
  };
  for (const name of signals) process.on(name, handle);
  return {
    signal,
    pause,
    async check() {
      await pause();
      if (signal.aborted) throw new RunAborted('ended early');
    },
    dispose() {
      for (const name of signals) process.removeListener(name, handle);
    },
  };
}

/** Whatever has arrived by now is served, also when that was done a moment ago. */
export async function settle({ signal }: Interrupt): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  if (signal.aborted) throw new RunAborted('ended early');
}
