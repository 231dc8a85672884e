import * as z from 'zod';
import type { Cycles } from '../../../base/ids.ts';
import { duration } from '../../../base/units.ts';
import type { LagControl, LagControlDefinition, LagNews } from './lag-control.ts';

const params = z.object({
  goodLag: duration().prefault('200ms').describe('lag that is aimed at'),
  badLag: duration().prefault('800ms').describe('lag that counts as too long'),
  window: duration()
    .prefault('10s')
    .describe('over which the speed of the secondary is estimated; assumed (1-60 s)'),
  drain: duration()
    .prefault('10s')
    .describe('in which the lag above the aim is to be gone; assumed (1-60 s)'),
  floor: z
    .number()
    .positive()
    .max(1)
    .prefault(0.2)
    .meta({ unit: 'of a pCPU' })
    .describe('the least limit'),
});

/** For comparison: what the secondary was seen to do, less what drains the lag. */
export const proportional: LagControlDefinition<typeof params> = {
  name: 'proportional',
  summary: 'the speed of the secondary over the last 10 s, less what drains the lag in 10 s',
  params,
  create: (settings, { cycles }) =>
    new Proportional({
      ...settings,
      goodLag: cycles(settings.goodLag),
      badLag: cycles(settings.badLag),
      window: cycles(settings.window),
      drain: cycles(settings.drain),
    }),
};

class Proportional implements LagControl {
  limit = 1;
  readonly bad: Cycles;
  readonly good: Cycles;
  readonly #settings: z.output<typeof params>;
  /** Looks at the secondary, the oldest at the begin of the window. */
  readonly #looks: { readonly at: Cycles; readonly replayed: Cycles }[] = [];

  constructor(settings: z.output<typeof params>) {
    this.#settings = settings;
    this.good = settings.goodLag;
    this.bad = settings.badLag;
  }

  next({ lag, now, replayed }: LagNews): void {
    const { drain, floor, window } = this.#settings;
    const looks = this.#looks;
    looks.push({ at: now, replayed });
    while (looks.length > 2 && looks[1]!.at <= now - window) looks.shift();
    // A secondary that has nothing left to do says nothing of its speed.
    if (lag <= this.good) {
      this.limit = 1;
      return;
    }
    const [oldest] = looks;
    if (oldest!.at === now) return;
    const speed = (replayed - oldest!.replayed) / (now - oldest!.at);
    this.limit = Math.min(1, Math.max(floor, speed - (lag - this.good) / drain));
  }
}
