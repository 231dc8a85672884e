import { xoshiroNext } from '../../base/random.ts';
import type { Stretch } from '../../machine/learned/stretch.ts';
import { ENTRIES, type Mix, REGION, type Schedule } from './mix.ts';
import { below, Kind } from './patterns.ts';
import { Op } from './workload.ts';

/**
 * Visits that are not drawn: what they do in all, to the instruction. The schedule of a mix says it
 * for all visits, whatever pages they go to, and where patterns stand that go on by themselves.
 */

/** Patterns whose place matters. Where a cycle of pages stands tells nothing. */
const ITSELF: readonly number[] = [Kind.Stride, Kind.Stream, Kind.WorkingSet];

/** Running totals over a schedule: of its first i visits, i from 0 to ENTRIES. */
interface Totals {
  readonly instructions: Int32Array;
  readonly references: Int32Array;
  readonly fetches: Int32Array;
  readonly lines: Int32Array;
  /** By region, of those whose pattern goes on by itself; of others undefined. */
  readonly visits: readonly (Int32Array | undefined)[];
}

const known = new WeakMap<Schedule, Totals>();

function totalsOf(schedule: Schedule, words: Int32Array): Totals {
  let totals = known.get(schedule);
  if (totals) return totals;
  const array = () => new Int32Array(ENTRIES + 1);
  totals = {
    instructions: array(),
    references: array(),
    fetches: array(),
    lines: array(),
    visits: Array.from({ length: words.length / REGION }, (_, region) =>
      ITSELF.includes(words[region * REGION]!) ? array() : undefined,
    ),
  };
  const { instructions, references, fetches, lines, visits } = totals;
  for (let i = 0; i < ENTRIES; i++) {
    const head = schedule.heads[i]!;
    const sizes = schedule.sizes[i]!;
    instructions[i + 1] = instructions[i]! + (sizes >>> 16);
    references[i + 1] = references[i]! + (sizes & 65_535);
    fetches[i + 1] = fetches[i]! + ((head & 255) === Op.Fetch ? 1 : 0);
    lines[i + 1] = lines[i]! + ((head >>> 16) & 127);
    for (const [region, count] of visits.entries()) {
      if (count) count[i + 1] = count[i]! + (((head >>> 8) & 255) === region ? 1 : 0);
    }
  }
  known.set(schedule, totals);
  return totals;
}

/** Of the visits from place `from` to place `to` of a schedule that repeats. */
const between = (totals: Int32Array, from: number, to: number): number =>
  Math.floor(to / ENTRIES) * totals[ENTRIES]! + totals[to % ENTRIES]! - totals[from]!;

/** The first place at which so many instructions are over, at least 1. */
function placeAfter(totals: Int32Array, instructions: number): number {
  const round = totals[ENTRIES]!;
  const rounds = Math.floor((instructions - 1) / round);
  const rest = instructions - rounds * round;
  let low = 1;
  let high = ENTRIES;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (totals[middle]! < rest) low = middle + 1;
    else high = middle;
  }
  return rounds * ENTRIES + low;
}

/** What is skipped of. */
interface Place {
  readonly mix: Mix;
  readonly words: Int32Array;
  readonly random: Int32Array;
  readonly position: number;
}

/**
 * Skips the visits that `budget` instructions would have drawn; returns how many. `stretch` gets
 * what they do.
 */
export function skipVisits(
  { mix, words, random, position }: Place,
  budget: number,
  stretch: Stretch,
): number {
  const totals = totalsOf(mix.schedule, words);
  const to = placeAfter(totals.instructions, totals.instructions[position]! + budget);
  stretch.kind = mix.number;
  stretch.visits = to - position;
  stretch.instructions = between(totals.instructions, position, to);
  stretch.left = stretch.instructions;
  stretch.references = between(totals.references, position, to);
  stretch.fetches = between(totals.fetches, position, to);
  stretch.lines = between(totals.lines, position, to);
  for (let region = 0, at = 0; at < words.length; region++, at += REGION) {
    const own = totals.visits[region];
    if (own === undefined) continue;
    const visits = between(own, position, to);
    if (visits > 0) goOn(words, at, visits, random);
  }
  return stretch.visits;
}

/** A pattern goes on by so many visits. */
function goOn(words: Int32Array, at: number, visits: number, random: Int32Array): void {
  const pages = words[at + 2]!;
  const step = words[at + 3]!;
  const cursor = words[at + 6]!;
  if (words[at] === Kind.Stride) words[at + 6] = (cursor + visits * step) % pages;
  else if (words[at] === Kind.Stream) {
    const perPage = Math.ceil(4096 / step);
    const place = (cursor >>> 12) * perPage + (cursor & 4095) / step + visits;
    const page = Math.floor(place / perPage) % pages;
    words[at + 6] = page * 4096 + (place % perPage) * step;
  } else {
    // A working set: what is left of its phase, and perhaps new ones.
    const phase = words[at + 4]!;
    const beyond = visits - words[at + 7]!;
    if (beyond > 0) words[at + 6] = below(pages, xoshiroNext(random));
    words[at + 7] = beyond > 0 ? Math.ceil(beyond / phase) * phase - beyond : -beyond;
  }
}
