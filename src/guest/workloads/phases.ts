import * as z from 'zod';
import type { Stretch } from '../../machine/learned/stretch.ts';
import type { Item } from './item.ts';
import type { Mix } from './mix.ts';
import type { Mixer } from './mixer.ts';
import type { PageRights } from './page-rights.ts';
import { oneOf, ParameterFault } from './parameter-fault.ts';
import type { Visits } from './script.ts';

/** Phases of a program: what it visits changes, again and again in the same order. */

const phase = z.strictObject({
  name: z.string().min(1).describe('unique in the program'),
  instructions: z
    .number()
    .min(1)
    .max(1e12)
    .meta({ unit: 'instructions' })
    .describe('user instructions of the phase'),
  shares: z
    .array(
      z.strictObject({
        region: z.string().min(1).describe('name of a region'),
        share: z
          .number()
          .min(0)
          .meta({ unit: 'relative to the other regions' })
          .describe('relative frequency of visits to it in this phase'),
      }),
    )
    .min(1)
    .optional()
    .describe('what is visited instead of what the regions say; none named here = not visited'),
});

export const phases = z
  .array(phase)
  .min(1)
  .max(16)
  .optional()
  .describe('the program goes through phases, in turn: a garbage collection now and then');

type Phases = NonNullable<z.output<typeof phases>>;

interface Shared {
  readonly name: string;
  readonly share: number;
}

/** Throws where phases name regions that do not exist, or visit nothing. */
export function checkPhases(given: Phases, regions: readonly Shared[]): void {
  const known = regions.map(({ name }) => name);
  const seen = new Set<string>();
  for (const [i, { name, shares = [] }] of given.entries()) {
    const refuse = (path: readonly (string | number)[], message: string, hint?: string): never => {
      throw new ParameterFault(['phases', i, ...path], message, hint);
    };
    if (seen.has(name)) refuse(['name'], `two phases are called ${name}`);
    seen.add(name);
    const names = new Set<string>();
    for (const [s, { region }] of shares.entries()) {
      const at = ['shares', s, 'region'];
      if (!known.includes(region)) {
        refuse(at, `phase ${name}: there is no region ${region}`, oneOf(region, known));
      }
      if (names.has(region)) refuse(at, `phase ${name} names region ${region} twice`);
      names.add(region);
    }
    if (shares.length > 0 && shares.every(({ share }) => share === 0)) {
      refuse(['shares'], `phase ${name} visits nothing`, 'give a region a share of more than 0');
    }
  }
}

/** The mix of a phase. */
export interface PhaseMix {
  readonly mix: Mix;
  readonly instructions: number;
}

/** What a program visits in each of its phases, or always. `mixOf` names the stream of a mix. */
export function phaseMixes<T extends Shared>(
  given: Phases | undefined,
  regions: readonly T[],
  mixOf: (regions: readonly T[], stream: string) => Mix,
): PhaseMix[] {
  if (!given) return [{ mix: mixOf(regions, 'schedule'), instructions: Infinity }];
  return given.map(({ name, shares, instructions }) => {
    const shareOf = (region: T): number =>
      shares ? (shares.find((own) => own.region === region.name)?.share ?? 0) : region.share;
    const visited = regions.map((region) => ({ ...region, share: shareOf(region) }));
    return { mix: mixOf(visited, `phase/${name}`), instructions };
  });
}

/** The visits of a process: those of its mix, or of one phase after the other. */
export function visitsOf(
  phases: readonly PhaseMix[],
  stream: string,
  mixerOf: (mix: Mix, stream: string) => Mixer,
): Visits {
  const mixers = phases.map(({ mix, instructions }, i) => {
    return { mixer: mixerOf(mix, i === 0 ? stream : `${stream}/${i}`), instructions };
  });
  return mixers.length === 1 ? mixers[0]!.mixer : new PhasedMixer(mixers);
}

/** Visits of one phase after the other, endlessly. */
class PhasedMixer implements Visits {
  /** Instructions of the visits of the last fill. */
  spent = 0;
  number = 0;
  readonly #phases: readonly { mixer: Mixer; instructions: number }[];
  #at = 0;
  #left: number;

  constructor(phases: readonly { mixer: Mixer; instructions: number }[]) {
    this.#phases = phases;
    this.#left = phases[0]!.instructions;
  }

  /** As `Mixer.fill`; may stop early, where a phase ends. */
  fill(at: number, room: number, budget: number): number {
    const { mixer } = this.#phases[this.#at]!;
    const n = mixer.fill(at, room, Math.ceil(Math.min(budget, this.#left)));
    this.spent = mixer.spent;
    this.#left -= mixer.spent;
    this.number = mixer.number;
    this.#pass();
    return n;
  }

  skip(budget: number, stretch: Stretch, rights?: PageRights): Item | undefined {
    const { mixer } = this.#phases[this.#at]!;
    const touch = mixer.skip(Math.ceil(Math.min(budget, this.#left)), stretch, rights);
    this.#left -= stretch.instructions + (touch ? touch[3] : 0);
    this.#pass();
    return touch;
  }

  /** On to the next phase, where this one is over. */
  #pass(): void {
    while (this.#left <= 0) {
      this.#at = (this.#at + 1) % this.#phases.length;
      this.#left += this.#phases[this.#at]!.instructions;
    }
  }
}
