import { traceOpener } from '../files/trace-files.ts';
import type { LoadedScenario } from '../scenario/load.ts';
import { runScenario } from '../scenario/run.ts';
import { Trial } from '../sweep/estimate.ts';
import type { Interrupt } from './interrupt.ts';
import { say } from './sweep.ts';
import { shortTime } from './text-table.ts';

/**
 * Says how long the runs of `why --free` will take, from how far one of them comes in a moment.
 * `more`: runs besides the twins.
 */
export async function sayTwins(
  loaded: LoadedScenario,
  interrupt: Interrupt,
  mechanisms: number,
  more: number,
): Promise<void> {
  const twins = (mechanisms * (mechanisms + 1)) / 2;
  const seconds = (await trial(loaded, interrupt)) * (twins + more);
  const [runs, pairs] = twins === 1 ? ['twin', ''] : ['twins', ', mechanisms alone and in pairs'];
  await interrupt.check();
  say(`--free runs ${twins} ${runs}${pairs}: about ${shortTime(seconds)} in all`);
}

/** Seconds for one run. */
async function trial(loaded: LoadedScenario, interrupt: Interrupt): Promise<number> {
  const beginning = new Trial();
  const signal = { aborted: false };
  try {
    await runScenario(loaded.scenario, {
      openTrace: traceOpener(loaded),
      signal,
      pause: interrupt.pause,
      onProgress: ({ fraction }) => {
        signal.aborted = interrupt.signal.aborted || beginning.note(fraction);
      },
    });
  } catch (error) {
    // A fault of the run itself is told when it is run.
    return beginning.seconds((error as Error).name !== 'RunAborted');
  }
  return beginning.seconds(true);
}
