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
  stop,
  type Wire,
} from './policy.ts';

/** Both versions; names of settings: ESX's advanced settings, Migrate.*. */
const common = {
  goal: duration()
    .prefault('500ms')
    .describe(
      'stops the guest when the rest can be sent in this time; default 500ms; published: ' +
        'PreCopySwitchoverTimeGoal',
    ),
  progress: z
    .number()
    .min(1)
    .meta({ unit: 'pages sent for each page dirtied' })
    .prefault(1.3)
    .describe(
      'a round helps if it sent so much more than was dirtied in it; default 1.3; published: ' +
        'PreCopyMinProgressPerc',
    ),
  ...costParams(500, 48, {
    page: 'assumed (200-2000): trace, look-up of the machine page',
    line: 'assumed (32-64): sent without a copy, received with one; TCP of the VMkernel',
  }),
};

interface Common {
  readonly goal: number;
  readonly progress: number;
  readonly pageCycles: number;
  readonly lineCycles: number;
}

const wire = ({ lineCycles, pageCycles }: Common): Wire => ({
  batch: 32, // PreCopyPagesPerSend
  header: 16, // assumed (8-32): page number, checksum
  emptyPage: 16, // assumed: what was never backed is only named
  // assumed (64-1024 KiB): processors, devices, the checkpoint of the VMX process
  stateBytes: 131072,
  pageCycles,
  lineCycles,
});

/** What both versions ask of a round: whether the rest is short enough, and whether it helped. */
class Rounds {
  readonly #chosen: Common;

  constructor(chosen: Common) {
    this.#chosen = chosen;
  }

  fits({ bytes, elapsed, pending }: Round): boolean {
    if (pending === 0) return true;
    return bytes > 0 && (pending * PAGE * elapsed) / bytes <= this.#chosen.goal;
  }

  helped({ dirtied = 0, sent }: Round): boolean {
    return dirtied === 0 || sent / dirtied >= this.#chosen.progress;
  }
}

const params4 = z.object({
  ...common,
  quickResume: z
    .boolean()
    .prefault(false)
    .describe(
      'a VM that dirties too much resumes early (ESX 4.1) instead of staying; default false',
    ),
});

/**
 * VMotion of ESX 4 (advanced settings of its dumps): rounds until the rest can be sent in half a
 * second. A round that did not send 1.3 times what was dirtied in it means that the next ones will
 * not help: ESX 4.0 gives up and the VM stays, 4.1 resumes it at the target and lets the rest
 * follow on demand (Quick Resume).
 */
export const vmotion4: MigrationDefinition<typeof params4> = {
  name: 'vmotion-4',
  summary: 'VMotion of ESX 4: ends when the rest takes 500 ms, gives up when rounds do not help',
  params: params4,
  products: ['esx'],
  create: (chosen) => ({
    wire: wire(chosen),
    preCopy: new Vmotion4(chosen),
    prePaging: true,
  }),
};

class Vmotion4 implements PreCopyPolicy {
  readonly readsLogFirst = true;
  readonly skips = false;
  readonly #rounds: Rounds;
  readonly #quickResume: boolean;

  constructor(chosen: z.output<typeof params4>) {
    this.#rounds = new Rounds(chosen);
    this.#quickResume = chosen.quickResume;
  }

  next(round: Round): Next {
    if (this.#rounds.fits(round)) return stop('the rest fits the goal');
    if (this.#rounds.helped(round)) return again;
    return { what: this.#quickResume ? 'early' : 'fail', why: 'the VM dirties too much' };
  }

  pace(): Pace {
    return flatOut;
  }
}

const params5 = z.object({
  ...common,
  sendOverDirty: z
    .number()
    .min(1)
    .meta({ unit: 'times what is dirtied' })
    .prefault(5)
    .describe(
      'the guest is slowed until so much more is sent than it dirties; default 5; published: ' +
        'default of the advanced setting, second-hand',
    ),
  mostStun: z
    .number()
    .min(0)
    .max(0.99)
    .meta({ unit: 'of the time' })
    .prefault(0.95)
    .describe(
      'share of the time in which the guest is held at most; default 0.95; assumed ' +
        '(0.8-0.99): no source',
    ),
});
type Params5 = z.output<typeof params5>;

/**
 * VMotion of ESXi 5: as before, but a guest that dirties too much is slowed (stun during page send,
 * SDPS): it is held for short moments, so often that five times more is sent than it dirties. So
 * every migration ends, and the guest pays for it.
 */
export const vmotion5: MigrationDefinition<typeof params5> = {
  name: 'vmotion-5',
  summary: 'VMotion of ESXi 5: as vmotion-4, but slows a guest that dirties too much (SDPS)',
  params: params5,
  products: [],
  create: (chosen) => ({
    wire: wire(chosen),
    preCopy: new Vmotion5(chosen),
    prePaging: false,
  }),
};

class Vmotion5 implements PreCopyPolicy {
  readonly readsLogFirst = true;
  readonly skips = false;
  readonly #rounds: Rounds;
  readonly #params: Params5;
  #stun = 0;

  constructor(chosen: Params5) {
    this.#rounds = new Rounds(chosen);
    this.#params = chosen;
  }

  next(round: Round): Next {
    if (this.#rounds.fits(round)) return stop('the rest fits the goal');
    if (this.#rounds.helped(round)) return again;
    const { mostStun } = this.#params;
    return this.#stun >= mostStun ? stop('the VM cannot be slowed further') : again;
  }

  pace(before: Round | undefined): Pace {
    if (before && before.elapsed > 0 && !this.#rounds.helped(before)) {
      const { mostStun, sendOverDirty } = this.#params;
      // What it would dirty if it were not held.
      const dirtied = ((before.dirtied ?? 0) * PAGE) / (1 - this.#stun);
      const bearable = before.bytes / sendOverDirty;
      this.#stun = Math.min(mostStun, Math.max(this.#stun, 1 - bearable / dirtied));
    }
    return { ...flatOut, stun: this.#stun };
  }
}
