import { Worker } from 'node:worker_threads';
import { openerFor } from '../files/trace-files.ts';
import { RunAborted } from '../scenario/run.ts';
import { runUnit, type UnitJob, type UnitResult } from './unit.ts';
import type { Answer, Fault } from './worker.ts';

/** Runs units, each on a thread of its own as long as there are enough. */
export interface Pool {
  /** Units at a time. */
  readonly lanes: number;
  /** Rejects with UnitFailed, or with RunAborted when the pool was closed meanwhile. */
  run(job: UnitJob, onProgress?: (fraction: number) => void): Promise<UnitResult>;
  /** Ends what is running. */
  close(): Promise<void>;
}

/** A unit ended with an error; `fault` is what its thread said. */
export class UnitFailed extends Error {
  override readonly name = 'UnitFailed';
  readonly fault: Fault;

  constructor(fault: Fault) {
    super(`${fault.name}: ${fault.message}`);
    this.fault = fault;
  }
}

/** Runs units in this thread, one at a time: for debugging and for tests. */
export function inlinePool(pause?: () => Promise<void>): Pool {
  const signal = { aborted: false };
  return {
    lanes: 1,
    async run(job, onProgress) {
      const hooks = { openTrace: openerFor(new Map(job.traces)), signal, pause, onProgress };
      try {
        return await runUnit(job, hooks);
      } catch (error) {
        if (error instanceof RunAborted || !(error instanceof Error)) throw error;
        throw new UnitFailed({ name: error.name, message: error.message, stack: error.stack });
      }
    },
    async close() {
      signal.aborted = true;
    },
  };
}

interface Pending {
  readonly resolve: (result: UnitResult) => void;
  readonly reject: (error: Error) => void;
  readonly onProgress: ((fraction: number) => void) | undefined;
}

/** `url`: the compiled worker; threads cannot be started from TypeScript. */
export function threadPool(
  lanes: number,
  url: URL = new URL('./worker.js', import.meta.url),
): Pool {
  const idle: Worker[] = [];
  const busy = new Map<Worker, Pending>();
  let closed = false;

  /** A worker starts with its first unit and is replaced when it has died. */
  const start = (): Worker => {
    const worker = new Worker(url, { execArgv: [] });
    const settle = (then: (pending: Pending) => void) => {
      const pending = busy.get(worker);
      busy.delete(worker);
      if (pending) then(pending);
    };
    worker.on('message', (answer: Answer) => {
      if (answer.kind === 'progress') {
        busy.get(worker)?.onProgress?.(answer.fraction);
        return;
      }
      settle(({ resolve, reject }) => {
        idle.push(worker);
        if (answer.kind === 'done') resolve(answer.result);
        else reject(new UnitFailed(answer.fault));
      });
    });
    const died = (name: string, message: string, stack?: string) =>
      settle(({ reject }) =>
        reject(
          closed
            ? new RunAborted('the sweep was ended early')
            : new UnitFailed({ name, message, stack }),
        ),
      );
    worker.on('error', ({ name, message, stack }: Error) => died(name, message, stack));
    worker.on('exit', (code) => {
      const at = idle.indexOf(worker);
      if (at >= 0) idle.splice(at, 1);
      died('WorkerExit', `the worker thread ended by itself with code ${code}`);
    });
    return worker;
  };

  return {
    lanes,
    run: (job, onProgress) =>
      new Promise((resolve, reject) => {
        if (closed) {
          reject(new RunAborted('the sweep was ended early'));
          return;
        }
        const worker = idle.pop() ?? start();
        busy.set(worker, { resolve, reject, onProgress });
        worker.postMessage(job);
      }),
    async close() {
      closed = true;
      await Promise.all([...idle, ...busy.keys()].map((worker) => worker.terminate()));
    },
  };
}
