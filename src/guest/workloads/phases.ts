import * as z from 'zod';
import type { Mix } from './mix.ts';
import type { Mixer } from './mixer.ts';

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
  const seen = new Set<string>();
  for (const { name, shares } of given) {
    if (seen.has(name)) throw new Error(`two phases are called ${name}`);
    seen.add(name);
    const names = new Set<string>();
    for (const { region } of shares ?? []) {
      if (!regions.some((known) => known.name === region)) {
        const list = regions.map((known) => known.name).join(', ');
        throw new Error(`phase ${name}: there is no region ${region}; there are ${list}`);
      }
      if (names.has(region)) throw new Error(`phase ${name} names region ${region} twice`);
      names.add(region);
    }
    if (shares?.every(({ share }) => share === 0)) throw new Error(`phase ${name} visits nothing`);
  }
}

/** The regions as a phase visits them. */
export function inPhase<T extends Shared>(regions: readonly T[], of: Phases[number]): T[] {
  const { shares } = of;
  if (!shares) return [...regions];
  return regions.map((region) => {
    const own = shares.find((share) => share.region === region.name);
    return { ...region, share: own?.share ?? 0 };
  });
}

/** The mix of a phase. */
export interface PhaseMix {
  readonly mix: Mix;
  readonly instructions: number;
}

/** Visits of one phase after the other, endlessly. */
export class PhasedMixer {
  /** Instructions of the visits of the last fill. */
  spent = 0;
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
    while (this.#left <= 0) {
      this.#at = (this.#at + 1) % this.#phases.length;
      this.#left += this.#phases[this.#at]!.instructions;
    }
    return n;
  }
}
