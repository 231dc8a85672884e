import { UNITS } from '../machine/learned/cells.ts';
import { COLD_LINES, COLD_WALKS } from '../machine/learned/fading.ts';
import type { Learned } from '../machine/learned/learned.ts';

/**
 * How first use fades in a long run. The records of who has held what only see what is done in
 * detail, so they fall behind while work is skipped. The rate of first use over the instructions
 * that they have seen is a power, nearly; how far it has fallen by now follows from all
 * instructions.
 */

/** What a group did in a window: instructions in detail by its middle and in it, and first uses. */
interface Point {
  readonly at: number;
  readonly units: number;
  readonly walks: number;
  readonly lines: number;
}

/** Windows that tell the slope: those as late as this share of the last one, at least. */
const LATE = 1 / 6;
/** Steepest fall that is believed, as a power. */
const STEEPEST = -3;

export class FirstUse {
  readonly #learned: Learned;
  readonly #group: number;
  readonly #points: Point[] = [];
  #last: Point = { at: 0, units: 0, walks: 0, lines: 0 };

  constructor(learned: Learned, group: number) {
    this.#learned = learned;
    this.#group = group;
  }

  /** Of all windows together, without `at`. */
  #sums(): Point {
    const { cells } = this.#learned;
    const [first, end] = this.#learned.userKinds(this.#group);
    const sum = { at: 0, units: 0, walks: 0, lines: 0 };
    for (let kind = first; kind < end; kind++) {
      const sums = cells.sumsOf(kind);
      if (!sums) continue;
      sum.units += sums[UNITS]!;
      sum.walks += sums[COLD_WALKS]!;
      sum.lines += sums[COLD_LINES]!;
    }
    return sum;
  }

  /** A window is over. */
  look(): void {
    const sums = this.#sums();
    const last = this.#last;
    const units = sums.units - last.units;
    if (units <= 0) return;
    const at = this.#learned.inDetail[this.#group]! - units / 2;
    this.#points.push({
      ...{ at, units },
      walks: sums.walks - last.walks,
      lines: sums.lines - last.lines,
    });
  }

  /** The window counts as one of many. */
  settle(): void {
    this.#last = this.#sums();
  }

  /** Sets what is left of it by now. */
  fade(): void {
    const group = this.#group;
    const by = (of: 'walks' | 'lines') => this.#shareOf(of, this.#learned.executed[group]!);
    this.#learned.faded[group] = { walks: by('walks'), lines: by('lines') };
  }

  /** The rate after so many instructions, relative to that of all windows together. */
  #shareOf(of: 'walks' | 'lines', executed: number): number {
    const points = this.#points;
    const mean = this.#last[of] / this.#last.units;
    if (points.length === 0 || !(mean > 0)) return 1;
    const late = points.filter(({ at }) => at >= points.at(-1)!.at * LATE);
    let weight = 0;
    let x = 0;
    let y = 0;
    let xx = 0;
    let xy = 0;
    for (const { at, units, [of]: count } of late) {
      // Half an event more, so that none has a logarithm.
      const rate = Math.log((count + 0.5) / units);
      const time = Math.log(at);
      weight += units;
      x += units * time;
      y += units * rate;
      xx += units * time * time;
      xy += units * time * rate;
    }
    const spread = xx - (x * x) / weight;
    const slope = late.length < 2 || spread <= 0 ? 0 : (xy - (x * y) / weight) / spread;
    const power = Math.min(0, Math.max(STEEPEST, slope));
    const rate = Math.exp(y / weight + power * (Math.log(executed) - x / weight));
    // Logarithms differ in the last bit between machines.
    return Math.min(1, Math.round((rate / mean) * 4096) / 4096);
  }
}
