import { xoshiroNext } from '../../base/random.ts';
import type { Stretch } from '../../machine/learned/stretch.ts';
import { FirstTouches } from './first-touches.ts';
import type { Item } from './item.ts';
import { LINE_BITS, lineBits } from './lines.ts';
import { ENTRIES, type Mix, REGION, type Schedule } from './mix.ts';
import type { PageRights } from './page-rights.ts';
import { below, Kind } from './patterns.ts';
import { Op } from './workload.ts';

/**
 * Visits that are not drawn: what they do in all, to the instruction. The schedule of a mix says it
 * for all visits, whatever pages they go to, and where patterns stand that go on by themselves. A
 * visit that would fault is drawn nevertheless.
 */

/** Running totals over a schedule: of its first i visits, i from 0 to ENTRIES. */
interface Totals {
  readonly instructions: Int32Array;
  readonly references: Int32Array;
  readonly fetches: Int32Array;
  readonly lines: Int32Array;
  /** By region: visits, and stores. */
  readonly visits: readonly Int32Array[];
  readonly stores: readonly Int32Array[];
  /** Regions whose pattern goes on by itself. Where a cycle of pages stands tells nothing. */
  readonly going: readonly number[];
}

const GOING: readonly number[] = [Kind.Stride, Kind.Stream, Kind.WorkingSet];

const known = new WeakMap<Schedule, Totals>();

function totalsOf({ heads, sizes }: Schedule, words: Int32Array): Totals {
  const array = () => new Int32Array(ENTRIES + 1);
  const regions = Array.from({ length: words.length / REGION }, (_, i) => i);
  const [instructions, references, fetches, lines] = [array(), array(), array(), array()];
  const visits = regions.map(array);
  const stores = regions.map(array);
  for (let i = 0; i < ENTRIES; i++) {
    const head = heads[i]!;
    const op = head & 255;
    instructions[i + 1] = instructions[i]! + (sizes[i]! >>> 16);
    references[i + 1] = references[i]! + (sizes[i]! & 65_535);
    fetches[i + 1] = fetches[i]! + (op === Op.Fetch ? 1 : 0);
    lines[i + 1] = lines[i]! + ((head >>> 16) & 127);
    for (const region of regions) {
      const own = ((head >>> 8) & 255) === region ? 1 : 0;
      visits[region]![i + 1] = visits[region]![i]! + own;
      stores[region]![i + 1] = stores[region]![i]! + (op === Op.Store ? own : 0);
    }
  }
  const going = regions.filter((region) => GOING.includes(words[region * REGION]!));
  return { instructions, references, fetches, lines, visits, stores, going };
}

/** Of the visits from place `from` to place `to` of a schedule that repeats. */
const between = (totals: Int32Array, from: number, to: number): number =>
  Math.floor(to / ENTRIES) * totals[ENTRIES]! + totals[to % ENTRIES]! - totals[from]!;

/** The first place at which a total is reached that is at least 1. */
function placeAfter(totals: Int32Array, total: number): number {
  const round = totals[ENTRIES]!;
  const rounds = Math.floor((total - 1) / round);
  const rest = total - rounds * round;
  let low = 1;
  let high = ENTRIES;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (totals[middle]! < rest) low = middle + 1;
    else high = middle;
  }
  return rounds * ENTRIES + low;
}

/** A visit that faults: where it stands, and what it touches. */
interface Touch {
  readonly place: number;
  readonly region: number;
  readonly page: number;
}

/** What is skipped of: a mixer. */
interface Drawing {
  readonly mix: Mix;
  readonly words: Int32Array;
  readonly random: Int32Array;
  position: number;
}

/** Skips visits of one mixer. */
export class Skipper {
  readonly #mixer: Drawing;
  readonly #mix: Mix;
  readonly #words: Int32Array;
  readonly #random: Int32Array;
  #touches: FirstTouches | null = null;
  #rights: PageRights | null = null;
  /** The last visit that was drawn. */
  #touch: Touch | null = null;

  constructor(mixer: Drawing) {
    this.#mixer = mixer;
    this.#mix = mixer.mix;
    this.#words = mixer.words;
    this.#random = mixer.random;
  }

  /**
   * Skips the visits that `budget` instructions would have drawn; `stretch` gets what they do. Up
   * to the first that lacks `rights`, if they are given: returns it, to be executed after the
   * stretch, and is past it.
   */
  skip(budget: number, stretch: Stretch, rights?: PageRights): Item | undefined {
    const { position } = this.#mixer;
    const { schedule } = this.#mix;
    let totals = known.get(schedule);
    if (!totals) known.set(schedule, (totals = totalsOf(schedule, this.#words)));
    const end = placeAfter(totals.instructions, totals.instructions[position]! + budget);
    const touch = rights ? this.#next(totals, position, end, rights) : null;
    this.#touch = touch;
    const to = touch ? touch.place : end;
    stretch.kind = this.#mix.number;
    stretch.visits = to - position;
    stretch.instructions = between(totals.instructions, position, to);
    stretch.left = stretch.instructions;
    stretch.references = between(totals.references, position, to);
    stretch.fetches = between(totals.fetches, position, to);
    stretch.lines = between(totals.lines, position, to);
    const after = touch ? to + 1 : to;
    const item = touch ? this.#itemOf(touch) : undefined;
    for (const region of totals.going) {
      const visits = between(totals.visits[region]!, position, after);
      if (visits > 0) goOn(this.#words, region * REGION, visits, this.#random);
    }
    this.#mixer.position = after % ENTRIES;
    return item;
  }

  /** The first visit from `position` to `end` that faults. */
  #next(totals: Totals, position: number, end: number, rights: PageRights): Touch | null {
    const touches = this.#watch(rights);
    if (this.#touch) touches.touched(this.#touch.region, this.#touch.page);
    const open: number[] = [];
    for (let region = 0; region < totals.visits.length; region++) {
      if (totals.visits[region]![ENTRIES]! > 0 && touches.isOpen(region)) open.push(region);
    }
    if (open.length === 0) return null;
    let touch: Touch | null = null;
    for (;;) {
      const first = this.#first(totals, position, end, open, touches);
      if (!first) break;
      const { place, region, lacking, before } = first;
      const store = (this.#mix.schedule.heads[place % ENTRIES]! & 255) === Op.Store;
      const page = touches.take(region, lacking, before, store);
      if (page < 0) continue;
      touch = { place, region, page };
      break;
    }
    const to = touch ? touch.place + 1 : end;
    for (const region of open) {
      const visits = between(totals.visits[region]!, position, to);
      const stores = between(totals.stores[region]!, position, to);
      touches.pass(region, visits, stores);
    }
    return touch;
  }

  #watch(rights: PageRights): FirstTouches {
    if (this.#touches && this.#rights === rights) return this.#touches;
    const samplers = this.#mix.samplers;
    this.#rights = rights;
    this.#touch = null;
    this.#touches = new FirstTouches(rights, samplers, this.#words, this.#random);
    return this.#touches;
  }

  /** The first visit that may fault. */
  #first(
    { stores, visits }: Totals,
    position: number,
    end: number,
    open: readonly number[],
    touches: FirstTouches,
  ) {
    let found: { place: number; region: number; lacking: 0 | 1; before: number } | undefined;
    for (const region of open) {
      for (const lacking of [0, 1] as const) {
        const totals = (lacking === 0 ? visits : stores)[region]!;
        if (totals[ENTRIES] === 0) continue;
        if (lacking === 1 && touches.isInOrder(region)) continue;
        const before = touches.before(region, lacking);
        if (before === Infinity) continue;
        const place = placeAfter(totals, totals[position]! + before + 1) - 1;
        if (place < (found?.place ?? end)) found = { place, region, lacking, before };
      }
      if (!touches.isInOrder(region) || stores[region]![ENTRIES] === 0) continue;
      // The first store to a page that can only be read.
      const own = visits[region]!;
      const most = between(own, position, found?.place ?? end);
      for (const [first, after] of touches.readOnlyAhead(region, most)) {
        const from = first === 0 ? position : placeAfter(own, own[position]! + first + 1) - 1;
        const all = stores[region]!;
        const place = placeAfter(all, all[position]! + between(all, position, from) + 1) - 1;
        const before = between(own, position, place);
        if (before >= after || place >= (found?.place ?? end)) continue;
        found = { place, region, lacking: 1, before };
        break;
      }
    }
    return found;
  }

  #itemOf({ place, region, page }: Touch): Item {
    const { laws, schedule } = this.#mix;
    const head = schedule.heads[place % ENTRIES]!;
    const sizes = schedule.sizes[place % ENTRIES]!;
    const lines = Math.max(1, (head >>> 16) & 127);
    const law = laws[region]!;
    const line = law.table[xoshiroNext(this.#random) & ((1 << LINE_BITS) - 1)]! & 63;
    const start = this.#words[region * REGION + 1]!;
    return [start + page, (head & 255) | lineBits(line, lines), sizes & 65_535, sizes >>> 16];
  }
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
