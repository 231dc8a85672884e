import { openerFor } from '../files/trace-files.ts';
import type { Campaign } from './campaign.ts';
import { pause } from './pause.ts';
import { firstReplications } from './replicate.ts';
import { runUnit } from './unit.ts';

/**
 * How long a campaign will take, by running the beginnings of its smallest and its largest unit.
 */

/** Milliseconds that each of the two trials may take. */
const TRIAL = 700;

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
  const start = performance.now();
  const signal = { aborted: false };
  let reached = 0;
  const seconds = () => (performance.now() - start) / 1000;
  try {
    await runUnit(job, {
      openTrace: openerFor(new Map(job.traces)),
      signal,
      pause,
      onProgress: (fraction) => {
        reached = fraction;
        signal.aborted = performance.now() - start > TRIAL;
      },
    });
  } catch (error) {
    // Faults of the unit itself are reported when it is run.
    if ((error as Error).name !== 'RunAborted') return seconds();
    return reached > 0 ? seconds() / reached : seconds();
  }
  return seconds();
}
