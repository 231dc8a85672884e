import * as z from 'zod';
import { duration } from '../../base/units.ts';
import {
  again,
  costParams,
  flatOut,
  MBIT,
  type MigrationDefinition,
  type Next,
  PAGE,
  type Pace,
  type PreCopyPolicy,
  type Round,
  SECOND,
  stop,
} from './policy.ts';

const mbit = () => z.int().min(1).max(100_000).meta({ unit: 'Mb/s' });

const params = z.object({
  rounds: z
    .int()
    .min(1)
    .max(1000)
    .meta({ unit: 'rounds' })
    .prefault(29)
    .describe(
      'after so many rounds the next one is the last; default 29; published: DEF_MAX_ITERS ' +
        'of xc_domain_save.c',
    ),
  factor: z
    .number()
    .min(0)
    .meta({ unit: 'times the memory' })
    .prefault(3)
    .describe(
      'the next round is the last once more than this has been sent; default 3; published: ' +
        'DEF_MAX_FACTOR of xc_domain_save.c',
    ),
  fewPages: z
    .int()
    .min(0)
    .meta({ unit: 'pages' })
    .prefault(50)
    .describe(
      'after a round of fewer pages the next one is the last; default 50; published: ' +
        'xc_domain_save.c',
    ),
  adaptive: z
    .boolean()
    .prefault(false)
    .describe('the rate follows what the guest dirties (ADAPTIVE_SAVE); default false'),
  startRate: mbit()
    .prefault(100)
    .describe(
      'adaptive: rate of the first round; default 100 Mb/s; published: START_MBIT_RATE of ' +
        'xc_domain_save.c',
    ),
  maxRate: mbit()
    .prefault(500)
    .describe(
      'adaptive: highest rate; default 500 Mb/s; published: MAX_MBIT_RATE of xc_domain_save.c',
    ),
  suspend: duration()
    .prefault('0us')
    .describe(
      'the guest is told to suspend, and has: before the last round; default 0us; assumed ' +
        '(0-92 ms): 84 to 92 ms through xenstore, xen-devel, July 2008',
    ),
  ...costParams(500, 64, {
    page: 'assumed (200-2000): xc_map_foreign_batch, bitmaps',
    line: 'assumed (32-96): a copy and TCP, 0.5 to 1.5 cycles a byte',
  }),
});
type Params = z.output<typeof params>;

/**
 * Xen 3.0 to 4.1 (tools/libxc/xc_linux_save.c, later xc_domain_save.c): xc_save in Dom0. The last
 * round begins when 29 rounds are over, when a round had fewer than 50 pages, when more than three
 * times the memory has been sent, or, at the highest rate, when a round sent more than the one
 * before. The log is read after that decision, and with the guest suspended if it is the last.
 * Pages that are dirty again when their batch is put together wait for the next round. With
 * ADAPTIVE_SAVE (not compiled in by default) the rate is that at which the last round dirtied, plus
 * 50 Mb/s (Clark et al., NSDI 2005, 5.3).
 */
export const xen3: MigrationDefinition<typeof params> = {
  name: 'xen-3',
  summary:
    'Xen 3.0 to 4.1: ends after 29 rounds, three times the memory, or a round below 50 pages',
  params,
  products: ['xen-3', 'xen-4.0', 'xen-4.1'],
  create: (chosen) => ({
    wire: {
      batch: 32, // Xen writes 1024 pages at a time, the socket takes them in pieces
      header: 8, // one entry of the array of page types
      emptyPage: undefined,
      stateBytes: 8192 + 4096, // HVM_CTXT_SIZE, and the last page of magic numbers; assumed
      pageCycles: chosen.pageCycles,
      lineCycles: chosen.lineCycles,
    },
    suspend: chosen.suspend,
    preCopy: new Xen(chosen),
    prePaging: false,
  }),
};

class Xen implements PreCopyPolicy {
  readonly readsLogFirst = false;
  readonly skips = true;
  readonly #params: Params;
  #sentBefore = Infinity;
  /** Mb/s */
  #rate: number;

  constructor(chosen: Params) {
    this.#params = chosen;
    this.#rate = chosen.startRate;
  }

  next({ round, memory, sent, skipped, total }: Round): Next {
    const { adaptive, factor, fewPages, maxRate, rounds } = this.#params;
    // The first round is compared with the memory.
    const before = Math.min(this.#sentBefore, memory);
    this.#sentBefore = sent;
    if (adaptive && sent > before && this.#rate >= maxRate) return stop('sends more than before');
    if (round >= rounds) return stop(`${rounds} rounds`);
    if (sent + skipped < fewPages) return stop(`fewer than ${fewPages} pages`);
    if (total > factor * memory) return stop(`more than ${factor} times the memory`);
    return again;
  }

  pace(before: Round | undefined): Pace {
    const { adaptive, maxRate } = this.#params;
    if (!adaptive) return flatOut;
    if (before && before.elapsed > 0) {
      const dirtying = ((before.dirtied ?? 0) * PAGE * SECOND) / before.elapsed / MBIT;
      if (dirtying > this.#rate) this.#rate = Math.min(maxRate, Math.floor(dirtying) + 50);
    }
    return { ...flatOut, rate: this.#rate * MBIT };
  }
}
