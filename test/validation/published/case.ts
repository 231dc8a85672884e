import type { RunResult } from '../../../src/stats/result.ts';
import type { Overrides } from '../../support/scenarios.ts';
import type { PublishedRow } from './published.ts';

/** A published experiment, rebuilt as scenarios from what its source says. */
export interface Case {
  /** Number in the collection of published measurements, `V1` and so on. */
  readonly id: string;
  readonly title: string;
  /** The scenarios in words: what was taken from the source. */
  readonly scenario: string;
  /** What the source does not say and had to be chosen before the first run. */
  readonly assumed: readonly string[];
  /**
   * What was changed after a first measurement had shown a difference, and why. Figures of such a case are
   * no blind prediction; the document shows what they were at the first look.
   */
  readonly revised?: string;
  /** Day on which it was written down, before its first run; undefined: before 29 November 2026. */
  readonly written?: string;
  /** Independent runs in the full validation. */
  readonly seeds: number;
  readonly figures: readonly Figure[];
  /** Two arms whose ledgers are compared in the document, by leaf, per unit of the work done. */
  readonly explain?: {
    readonly arms: readonly [string, string];
    readonly per: 'user_instructions' | 'visits' | 'work';
    /** The unit in words. */
    readonly unit: string;
  };
  /** One of the cases that every test run checks, with one seed. */
  readonly quick?: boolean;
  /** Runs the arms for one seed; returns a value for every figure. */
  measure(arms: Arms): Promise<Readonly<Record<string, number>>>;
}

export interface Figure {
  readonly key: string;
  /** Row of published.csv, and which of its values is the figure. */
  readonly row: string;
  readonly column: 'value_a' | 'value_b' | 'ratio_b_over_a';
  /** Turns what is printed there into the unit of the figure. */
  readonly convert?: (printed: number, row: PublishedRow) => number;
  readonly what: string;
  /** The value that would mean no effect: figures on the same side of it have the same direction. */
  readonly neutral: number;
  readonly tolerance: Tolerance;
  /**
   * Why the figure could hardly have failed: it is an input of the case, or follows from one. That it
   * agrees checks the bookkeeping and says nothing about the model.
   */
  readonly input?: string;
  /** Why ours differs, where it does. */
  readonly reason?: string;
  /** The model does not claim this figure, not even its sign; the reason says why. */
  readonly unclaimed?: boolean;
}

export type Tolerance =
  /**
   * The one of all cases that were written down with a date: half the effect either way, and at most a
   * factor of the square root of two, so that it always says something.
   */
  | { readonly kind: 'uniform' }
  /** Relative to the published value. */
  | { readonly kind: 'relative'; readonly by: number }
  /** Relative to the published value less the neutral one. */
  | { readonly kind: 'effect'; readonly by: number }
  /** Up to so many times smaller or greater. */
  | { readonly kind: 'factor'; readonly by: number }
  | { readonly kind: 'absolute'; readonly by: number }
  | { readonly kind: 'range'; readonly low: number; readonly high: number };

/** The scenarios of a case under one seed. */
export interface Arms {
  /** Runs a scenario (once per name and seed) and remembers it under the name of the arm. */
  run(arm: string, scenario: Overrides): Promise<RunResult>;
}

export type Verdict = 'agrees' | 'same direction' | 'disagrees';

export function bounds({ tolerance, neutral }: Figure, published: number): [number, number] {
  switch (tolerance.kind) {
    case 'uniform': {
      const half = Math.abs(published - neutral) / 2;
      return [
        Math.max(published - half, published / Math.SQRT2),
        Math.min(published + half, published * Math.SQRT2),
      ];
    }
    case 'relative':
      return ordered(published * (1 - tolerance.by), published * (1 + tolerance.by));
    case 'effect': {
      const margin = Math.abs(published - neutral) * tolerance.by;
      return [published - margin, published + margin];
    }
    case 'factor':
      return [published / tolerance.by, published * tolerance.by];
    case 'absolute':
      return [published - tolerance.by, published + tolerance.by];
    case 'range':
      return [tolerance.low, tolerance.high];
  }
}

const ordered = (a: number, b: number): [number, number] => (a < b ? [a, b] : [b, a]);

export function judge(figure: Figure, published: number, ours: number): Verdict {
  const [low, high] = bounds(figure, published);
  if (ours >= low && ours <= high) return 'agrees';
  const side = Math.sign(published - figure.neutral);
  return Math.sign(ours - figure.neutral) === side ? 'same direction' : 'disagrees';
}

/** The widest tolerance that still says something: its upper end over its lower one. */
const WIDEST = 2;

/** Why it says little about the model when a figure agrees; undefined: it could well have failed. */
export function uninformative(figure: Figure, published: number): string | undefined {
  if (figure.input !== undefined) return figure.input;
  const [low, high] = bounds(figure, published);
  const { neutral } = figure;
  if (low <= neutral && neutral <= high) return 'no effect at all would be within the tolerance';
  // Bounds are computed: a factor of exactly two is not more than two.
  if (high <= WIDEST * low * (1 + 1e-9)) return undefined;
  return `the tolerance spans more than a factor of ${WIDEST}`;
}
