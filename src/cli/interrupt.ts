import { ExitCode } from './fail.ts';

/** Longest time between two looks at what has arrived, in ms. */
const PATIENCE = 25;

export interface Interrupt {
  readonly signal: AbortSignal;
  /** Lets signals and streams be served; cheap when it was called a moment ago. */
  pause(): Promise<void>;
  /** Gives the signals back. */
  dispose(): void;
}

const signals = ['SIGINT', 'SIGTERM'] as const;

/** From now on `handle` alone decides what signals do; what comes back restores the former state. */
function takeSignals(handle: () => void): () => void {
  const former = signals.map((name) => [name, process.rawListeners(name)] as const);
  for (const name of signals) process.removeAllListeners(name).on(name, handle);
  return () => {
    for (const [name, listeners] of former) {
      process.removeListener(name, handle);
      for (const listener of listeners) process.on(name, listener as NodeJS.SignalsListener);
    }
  };
}

/** The first Ctrl-C (or SIGTERM, as cluster schedulers send) asks to end in good order, the second ends at once. */
export function onInterrupt(kept = 'nothing is written'): Interrupt {
  const controller = new AbortController();
  const handle = (): void => {
    if (controller.signal.aborted) process.exit(ExitCode.Interrupted);
    process.stderr.write(`\nworldswitch: interrupted, ${kept}; once more to end at once\n`);
    controller.abort();
  };
  const restore = takeSignals(handle);
  let last = performance.now();
  return {
    signal: controller.signal,
    async pause() {
      if (performance.now() - last < PATIENCE) return;
      await new Promise((resolve) => setImmediate(resolve));
      last = performance.now();
    },
    dispose: restore,
  };
}
