import { openerFor } from '../files/trace-files.ts';
import type { Campaign } from './campaign.ts';
import { pause } from './pause.ts';
import { firstReplications } from './replicate.ts';
import { runUnit } from './unit.ts';

/**
 * How long a campaign will take, by running the beginnings of its smallest and its largest unit.
 */

/** Milliseconds that a trial may take. */
const TRIAL = 700;
/** Progress seen before a trial may end. */
const LEAST_SEEN = 4;

/**
 * How long a run will take, from its beginning. The first steps are slower than the rest: programs
 * touch their pages for the first time, and the code is not compiled yet.
 */
export class Trial {
  readonly #start = performance.now();
  readonly #seen: { readonly seconds: number; readonly fraction: number }[] = [];

  /** Notes how far the run has come; true when that is enough. */
  note(fraction: number): boolean {
    const seconds = this.#elapsed();
    if (fraction > (this.#seen.at(-1)?.fraction ?? 0)) this.#seen.push({ seconds, fraction });
    return seconds * 1000 > TRIAL && this.#seen.length >= LEAST_SEEN;
  }

  /** Seconds for the whole run: by the speed of the second half of what was seen. */
  seconds(done: boolean): number {
    const last = this.#seen.at(-1);
    const half = this.#seen[this.#seen.length >> 1];
    if (done || !last || !half) return this.#elapsed();
    if (last.fraction === half.fraction) return last.seconds / last.fraction;
    const pace = (last.seconds - half.seconds) / (last.fraction - half.fraction);
    return last.seconds + pace * (1 - last.fraction);
  }

  #elapsed(): number {
    return (performance.now() - this.#start) / 1000;
  }
}

export interface Cost {
  /** Seconds that one unit of a point takes on one core. */
  readonly unitSeconds: (point: number) => number;
  /** Units to do and already there. */
  readonly missing: number;
  readonly stored: number;
  /** Seconds on one core for all that is missing. */
  readonly totalSeconds: number;
}

export async function estimateCost(campaign: Campaign): Promise<Cost> {
  const { plan } = campaign;
  let [smallest, largest] = [0, 0];
  for (let point = 1; point < plan.points; point++) {
    if (campaign.weight(point) < campaign.weight(smallest)) smallest = point;
    if (campaign.weight(point) > campaign.weight(largest)) largest = point;
  }
  const low = await trial(campaign, smallest);
  const same = campaign.weight(smallest) === campaign.weight(largest);
  const high = same ? low : await trial(campaign, largest);
  const span = campaign.weight(largest) - campaign.weight(smallest);
  const unitSeconds = (point: number) => {
    const share = span > 0 ? (campaign.weight(point) - campaign.weight(smallest)) / span : 0;
    return low + share * (high - low);
  };
  let [missing, stored, totalSeconds] = [0, 0, 0];
  for (let point = 0; point < plan.points; point++) {
    await pause();
    for (let r = 0; r < firstReplications(plan); r++) {
      if (campaign.result(point, r)) stored++;
      else {
        missing++;
        totalSeconds += unitSeconds(point);
      }
    }
  }
  return { unitSeconds, missing, stored, totalSeconds };
}

/** Seconds for a unit of `point`, from how far it comes in a short time. */
async function trial(campaign: Campaign, point: number): Promise<number> {
  const job = campaign.job(point, 0);
  const beginning = new Trial();
  const signal = { aborted: false };
  try {
    await runUnit(job, {
      openTrace: openerFor(new Map(job.traces)),
      signal,
      pause,
      onProgress: (fraction) => {
        signal.aborted = beginning.note(fraction);
      },
    });
  } catch (error) {
    // Faults of the unit itself are reported when it is run.
    return beginning.seconds((error as Error).name !== 'RunAborted');
  }
  return beginning.seconds(true);
}
