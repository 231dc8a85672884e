import * as z from 'zod';
import { xoshiroNext, xoshiroState } from '../../base/random.ts';
import { aliasTable } from './zipf.ts';

const kind = <T extends string>(name: T) => z.literal(name).describe('which pattern');

/**
 * Which page of a region a visit goes to. Here are the parameters of each pattern and the tables it
 * needs; the loop that draws pages is in mixer.ts. Tables are whole numbers made once: `Math.pow`
 * differs in the last bit between machines, so probabilities are rounded to 16 bits before anything
 * depends on them.
 */
export const patternSchema = z
  .discriminatedUnion('kind', [
    z.strictObject({ kind: kind('uniform') }).describe('every page equally likely'),
    z
      .strictObject({
        kind: kind('zipf'),
        exponent: z
          .number()
          .min(0)
          .max(3)
          .meta({ unit: 'no unit' })
          .default(1)
          .describe('page of rank k: weight 1/k^exponent'),
        order: z
          .enum(['shuffled', 'ranked'])
          .default('shuffled')
          .describe('shuffled: popular pages lie anywhere; ranked: at the start of the region'),
      })
      .describe('some pages are far more popular than others'),
    z.strictObject({ kind: kind('sequential') }).describe('page after page, then again'),
    z
      .strictObject({
        kind: kind('strided'),
        stride: z
          .int()
          .min(1)
          .meta({ unit: 'pages' })
          .describe('pages from one visit to the next, wrapping at the end'),
      })
      .describe('every n-th page'),
    z.strictObject({ kind: kind('pointer-chase') }).describe('one random cycle through all pages'),
    z
      .strictObject({
        kind: kind('working-set'),
        pages: z
          .int()
          .min(1)
          .meta({ unit: 'pages' })
          .describe('pages of the window in use, drawn from uniformly'),
        visits: z
          .int()
          .min(1)
          .meta({ unit: 'visits' })
          .describe('visits before the window moves to another place'),
      })
      .describe('a window of pages that moves from time to time'),
    z
      .strictObject({
        kind: kind('stream'),
        bytes: z
          .int()
          .min(1)
          .max(4096)
          .meta({ unit: 'bytes' })
          .describe('bytes of a visit; the next goes on behind them'),
      })
      .describe('line after line through the region, then again: allocation, copies, scans'),
  ])
  .describe('which of its pages a visit goes to');
export type Pattern = z.output<typeof patternSchema>;

/** Codes of the loop in mixer.ts. */
export const Kind = {
  Uniform: 0,
  Zipf: 1,
  Stride: 2,
  Chase: 3,
  WorkingSet: 4,
  Stream: 5,
} as const;

/** Pages of a stream: the place in it is a number of bytes with 31 bits. */
export const STREAM_PAGES = 2 ** 18;

/** One region's pattern, ready to draw from. */
export interface Sampler {
  readonly kind: number;
  readonly pages: number;
  /** Stride, window of the working set, or bytes of a visit to a stream. */
  readonly step: number;
  /** Visits per phase of the working set. */
  readonly phase: number;
  /**
   * Zipf: see `aliasTable`. Pointer chase: the next page of each page.
   */
  readonly table: Int32Array;
}

const EMPTY = new Int32Array(0);

/** Whether drawing pages takes a table as large as the region. */
export const hasTable = ({ kind }: Pattern) => kind === 'zipf' || kind === 'pointer-chase';

/** Prepares `pattern` over `pages` pages; `path` names the stream that shuffles. */
export function sampler(pattern: Pattern, pages: number, seed: string, path: string): Sampler {
  const base = { pages, step: 1, phase: 0, table: EMPTY };
  switch (pattern.kind) {
    case 'uniform':
      return { ...base, kind: Kind.Uniform };
    case 'zipf': {
      const order =
        pattern.order === 'ranked' ? null : permutation(pages, xoshiroState(seed, path));
      return { ...base, kind: Kind.Zipf, table: aliasTable(pages, pattern.exponent, order) };
    }
    case 'sequential':
      return { ...base, kind: Kind.Stride };
    case 'strided':
      return { ...base, kind: Kind.Stride, step: pattern.stride % pages };
    case 'pointer-chase':
      return { ...base, kind: Kind.Chase, table: cycle(pages, xoshiroState(seed, path)) };
    case 'working-set': {
      const step = Math.min(pattern.pages, pages);
      return { ...base, kind: Kind.WorkingSet, step, phase: pattern.visits };
    }
    case 'stream':
      if (pages > STREAM_PAGES) throw new Error('a stream has at most 1 GiB');
      return { ...base, kind: Kind.Stream, step: pattern.bytes };
  }
}

/** A whole number below `n`, from 32 random bits. */
export function below(n: number, bits: number): number {
  return Math.floor((bits >>> 0) * (n / 2 ** 32));
}

/** A random order of 0..n-1 (Fisher and Yates). */
export function permutation(n: number, state: Int32Array): Int32Array {
  const order = ascending(n);
  for (let i = n - 1; i > 0; i--) {
    const j = below(i + 1, xoshiroNext(state));
    const kept = order[i]!;
    order[i] = order[j]!;
    order[j] = kept;
  }
  return order;
}

/** `next` of each page, all pages on one cycle (Sattolo 1986). */
export function cycle(n: number, state: Int32Array): Int32Array {
  const next = ascending(n);
  for (let i = n - 1; i > 0; i--) {
    const j = below(i, xoshiroNext(state));
    const kept = next[i]!;
    next[i] = next[j]!;
    next[j] = kept;
  }
  return next;
}

function ascending(n: number): Int32Array {
  const numbers = new Int32Array(n);
  for (let i = 0; i < n; i++) numbers[i] = i;
  return numbers;
}
