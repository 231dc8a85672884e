import { parentPort } from 'node:worker_threads';
import { openerFor } from '../files/trace-files.ts';
import { runUnit, type UnitJob, type UnitResult } from './unit.ts';

/** A worker thread of a sweep: receives a unit, runs it, answers, waits for the next. */
export type Answer =
  | { readonly kind: 'progress'; readonly fraction: number }
  | { readonly kind: 'done'; readonly result: UnitResult }
  | { readonly kind: 'failed'; readonly fault: Fault };

/** An error as it can be sent between threads. */
export interface Fault {
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
}

export function faultOfError(error: unknown): Fault {
  const { name, message, stack } = error instanceof Error ? error : new Error(String(error));
  return { name, message, stack };
}

/** Milliseconds between two words on how far a unit is. */
const REPORT = 250;

const port = parentPort;
port?.on('message', async (job: UnitJob) => {
  const say = (answer: Answer) => port.postMessage(answer);
  let last = performance.now();
  try {
    const result = await runUnit(job, {
      openTrace: openerFor(new Map(job.traces)),
      onProgress: (fraction) => {
        if (performance.now() - last < REPORT) return;
        last = performance.now();
        say({ kind: 'progress', fraction });
      },
    });
    say({ kind: 'done', result });
  } catch (error) {
    say({ kind: 'failed', fault: faultOfError(error) });
  }
});
