/** Longest time between two looks at what has arrived, in ms. */
const PATIENCE = 25;

let last = performance.now();

/**
 * Lets signals and streams be served; cheap when that was a moment ago. Whatever may take longer
 * than a moment without waiting for anything calls it: a signal is heeded only then.
 */
export async function pause(): Promise<void> {
  if (performance.now() - last < PATIENCE) return;
  await new Promise((resolve) => setImmediate(resolve));
  last = performance.now();
}
