import * as z from 'zod';
import type { Cycles } from '../../../base/ids.ts';
import { duration } from '../../../base/units.ts';
import type { LagControl, LagControlDefinition, LagNews } from './lag-control.ts';

const step = () => z.number().positive().max(1).prefault(0.1).meta({ unit: 'of the limit' });

const params = z.object({
  goodLag: duration().prefault('200ms').describe('below this the primary is given time back'),
  badLag: duration().prefault('800ms').describe('above this the primary is slowed down'),
  downEvery: duration().prefault('10s').describe('the limit falls once in so long'),
  downBy: step().describe('by how much it falls'),
  upEvery: duration().prefault('200s').describe('the limit rises once in so long'),
  upBy: step().describe('by how much it rises'),
  floor: z
    .number()
    .positive()
    .max(1)
    .prefault(0.2)
    .meta({ unit: 'of a pCPU' })
    .describe('the least limit'),
});

/**
 * The rule with the advanced settings of ESXi 5; how they combine is assumed. It cuts on while a
 * large lag drains, and then gives back slowly, so that the primary runs slower than the secondary
 * could for minutes.
 */
export const product: LagControlDefinition<typeof params> = {
  name: 'product',
  summary: 'ESXi 5: above 800 ms of lag 10 % less each 10 s, below 200 ms 10 % more each 200 s',
  params,
  create: (settings, { cycles }) =>
    new Product({
      ...settings,
      goodLag: cycles(settings.goodLag),
      badLag: cycles(settings.badLag),
      downEvery: cycles(settings.downEvery),
      upEvery: cycles(settings.upEvery),
    }),
};

class Product implements LagControl {
  limit = 1;
  readonly bad: Cycles;
  readonly good: Cycles;
  readonly #settings: z.output<typeof params>;
  #downAt = -Infinity;
  #upAt = -Infinity;

  constructor(settings: z.output<typeof params>) {
    this.#settings = settings;
    this.good = settings.goodLag;
    this.bad = settings.badLag;
  }

  next({ lag, now }: LagNews): void {
    const { downBy, downEvery, floor, upBy, upEvery } = this.#settings;
    if (lag > this.bad && now - this.#downAt >= downEvery) {
      this.limit = Math.max(floor, this.limit * (1 - downBy));
      this.#downAt = now;
    } else if (lag < this.good && now - this.#upAt >= upEvery) {
      this.limit = Math.min(1, this.limit * (1 + upBy));
      this.#upAt = now;
    }
  }
}
