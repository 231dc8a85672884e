import { type OpenOptions, openScenario } from '../files/scenario-file.ts';
import { readRun } from '../files/stored-run.ts';
import { isDirectory } from '../files/tables.ts';
import { traceOpener } from '../files/trace-files.ts';
import { type LoadedScenario, placed } from '../scenario/load.ts';
import type { Scenario } from '../scenario/resolve.ts';
import type { RunOptions } from '../scenario/run.ts';
import { runScenario } from '../scenario/run.ts';
import type { RunResult, VmRow } from '../stats/result.ts';
import type { Interrupt } from './interrupt.ts';
import { sayDeprived } from './notes.ts';
import { ProgressBar } from './progress.ts';

/** A run to be explained: read from its directory, or done now. */
export interface Side {
  readonly loaded: LoadedScenario;
  /** Undefined: it has yet to be run. */
  readonly stored: RunResult | undefined;
}

/** Reads everything that can be wrong before anything is run. Throws ConfigError. */
export async function openSide(path: string, options: OpenOptions): Promise<Side> {
  const changed = (options.set?.length ?? 0) > 0 || options.seed !== undefined;
  if (!isDirectory(path)) {
    return { loaded: await openScenario(path, options), stored: undefined };
  }
  const { loaded, result } = await readRun(path);
  if (!changed) return { loaded, stored: result };
  return { loaded: await openScenario(`${path}/resolved.yaml`, options), stored: undefined };
}

/** Runs what has to be run, with a progress bar. */
export class Runner {
  readonly #hooks: Pick<RunOptions, 'signal' | 'pause'>;
  readonly #quiet: boolean;

  constructor(interrupt: Interrupt, quiet: boolean) {
    this.#hooks = { signal: interrupt.signal, pause: interrupt.pause };
    this.#quiet = quiet;
  }

  result(side: Side): Promise<RunResult> {
    if (side.stored) return Promise.resolve(side.stored);
    if (!this.#quiet) sayDeprived(side.loaded);
    return this.run(side.loaded, side.loaded.scenario.name, (options) =>
      runScenario(side.loaded.scenario, options),
    );
  }

  /** Another world, up to the same piece of work of one VM. */
  twin(
    loaded: LoadedScenario,
    scenario: Scenario,
    row: VmRow,
    label = `free ${scenario.free.join(', ')}`,
  ): Promise<RunResult> {
    const from = row.startInstructions;
    const piece = { vm: row.vm, from, to: from + (row.metrics.user_instructions ?? 0) };
    return this.run(loaded, label, (options) => runScenario(scenario, { ...options, piece }));
  }

  async run(
    loaded: LoadedScenario,
    label: string,
    start: (options: RunOptions) => Promise<RunResult>,
  ): Promise<RunResult> {
    const bar = new ProgressBar(label, { quiet: this.#quiet });
    try {
      return await start({
        ...this.#hooks,
        openTrace: traceOpener(loaded),
        onProgress: ({ fraction }) => bar.update(fraction),
      });
    } catch (error) {
      throw placed(error, loaded);
    } finally {
      bar.stop();
    }
  }
}
