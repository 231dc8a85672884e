import * as z from 'zod';
import { duration } from '../../base/units.ts';
import {
  again,
  costParams,
  flatOut,
  type MigrationDefinition,
  type Next,
  PAGE,
  type Pace,
  type PreCopyPolicy,
  type Round,
  SECOND,
  stop,
} from './policy.ts';

const params = z.object({
  downtime: duration()
    .prefault('30ms')
    .describe(
      'stops the guest when the rest can be sent in this time; default 30ms; published: ' +
        'migrate_max_downtime of migration.c',
    ),
  rate: z
    .int()
    .min(1)
    .max(100_000)
    .meta({ unit: 'MiB/s' })
    .prefault(32)
    .describe(
      'most that is sent in a second while the guest runs; default 32 MiB/s; published: ' +
        'max_throttle of migration.c, second-hand',
    ),
  tick: duration()
    .refine((ps) => ps >= 1e6, 'a tick is at least 1us')
    .meta({ range: 'of at least 1us' })
    .prefault('100ms')
    .describe(
      'how often the sender has its turn; default 100ms; published: the timer of buffered_file.c',
    ),
  ...costParams(800, 64, {
    page: 'assumed (400-3000): dirty bits, is_dup_page, QEMUFile',
    line: 'assumed (32-96): two copies and TCP, 0.5 to 1.5 cycles a byte',
  }),
});
type Params = z.output<typeof params>;

/**
 * QEMU 0.12 (migration.c, vl.c, buffered_file.c): ten times a second the I/O thread reads the dirty
 * log and sends what the rate allows, from where it stopped. It divides what is left by the
 * bandwidth of the turn: the bytes by the time in which it was sending, which says what the wire
 * can do and not what the limit lets through. When the quotient is at most 30 ms the guest is
 * stopped and the rest sent without a limit. There is no limit to the rounds: who dirties more than
 * is sent migrates for ever. Pages of one value take 9 bytes.
 */
export const qemu012: MigrationDefinition<typeof params> = {
  name: 'qemu-0.12',
  summary:
    'QEMU 0.12 to 1.x: ends when the rest takes at most 30 ms; 32 MiB/s, any number of rounds',
  params,
  products: ['kvm'],
  create: (chosen) => ({
    wire: {
      batch: 8, // IO_BUF_SIZE of QEMUFile: 32 KiB
      header: 8, // address and flags
      emptyPage: 9,
      stateBytes: 65536, // assumed (32-256 KiB): processors, devices, the VGA adapter apart
      pageCycles: chosen.pageCycles,
      lineCycles: chosen.lineCycles,
    },
    preCopy: new Qemu(chosen),
    prePaging: false,
  }),
};

class Qemu implements PreCopyPolicy {
  readonly readsLogFirst = true;
  readonly skips = false;
  readonly #params: Params;

  constructor(chosen: Params) {
    this.#params = chosen;
  }

  next({ bytes, pending, sending }: Round): Next {
    const { downtime } = this.#params;
    const bandwidth = sending > 0 ? (bytes * SECOND) / sending : 0;
    const expected = bandwidth > 0 ? (pending * PAGE * SECOND) / bandwidth : Infinity;
    return pending === 0 || expected <= downtime ? stop('the rest fits the downtime') : again;
  }

  pace(): Pace {
    const { rate, tick } = this.#params;
    return { ...flatOut, budget: (rate * 2 ** 20 * tick) / SECOND, interval: tick };
  }
}
