import { ModelError } from '../../base/errors.ts';
import { writeItem } from '../../machine/items.ts';
import type { Stretch } from '../../machine/learned/stretch.ts';
import type { Background } from './background.ts';
import { type Item, operation } from './item.ts';
import type { PageRights } from './page-rights.ts';
import { Op, type ProcessImage, type Program } from './workload.ts';

/**
 * A program written as a generator. It yields items one by one, or a number: run this many
 * instructions of ordinary visits before the next step. When the generator ends, the process exits.
 */
export type Step = number | Item;

const EXIT = operation(Op.Exit);

/** Ordinary visits: `Mixer`, or one for each phase. */
export interface Visits {
  readonly spent: number;
  /** Which mix the last visits were of. */
  readonly number: number;
  fill(at: number, room: number, budget: number): number;
  /**
   * The same without drawing: `stretch` gets what those visits do, up to the first that lacks
   * rights: returns that.
   */
  skip(budget: number, stretch: Stretch, rights?: PageRights): Item | undefined;
}

/** Most instructions of a stretch: as long as that, work in detail may have to wait for its end. */
const LONGEST = 2 ** 16;

export interface ScriptOptions {
  readonly script: Iterator<Step>;
  /** Where the visits of numeric steps come from. */
  readonly mixer?: Visits;
  /** What else happens, by instruction count, during numeric steps. */
  readonly background?: Background;
  readonly fork?: () => Program;
  readonly exec?: () => ProcessImage;
}

export class ScriptProgram implements Program {
  /** The benchmark reads the mixer. */
  readonly options: ScriptOptions;
  /** Instructions left of the numeric step; below zero when the last visit ran over. */
  #left = 0;
  #ended = false;
  /** Comes after the stretch. */
  #touch: Item | undefined;

  constructor(options: ScriptOptions) {
    this.options = options;
  }

  fill(at: number, room: number): number {
    const { mixer, background } = this.options;
    let n = 0;
    if (this.#touch) {
      writeItem(at, this.#touch);
      this.#touch = undefined;
      n++;
    }
    while (n < room && !this.#ended) {
      const item = background?.take() ?? (this.#left > 0 ? undefined : this.#step());
      if (item) {
        writeItem(at + n, item);
        n++;
        if ((item[1] & 255) > Op.Store) return n;
      } else if (mixer && this.#left > 0) {
        const budget = Math.ceil(Math.min(this.#left, background?.distance ?? this.#left, 2 ** 30));
        n += mixer.fill(at + n, room - n, budget);
        this.#left -= mixer.spent;
        background?.advance(mixer.spent);
      }
    }
    return n;
  }

  skip(at: number, room: number, stretch: Stretch, rights?: PageRights): number {
    const { mixer, background } = this.options;
    let n = 0;
    if (this.#touch) {
      writeItem(at, this.#touch);
      this.#touch = undefined;
      return 1;
    }
    while (n < room && !this.#ended) {
      const item = background?.take() ?? (this.#left > 0 ? undefined : this.#step());
      if (item) {
        writeItem(at + n, item);
        n++;
        if ((item[1] & 255) > Op.Store) return n;
      } else if (mixer && this.#left > 0) {
        if (n > 0) return n;
        const budget = Math.ceil(Math.min(this.#left, background?.distance ?? Infinity, LONGEST));
        this.#touch = mixer.skip(budget, stretch, rights);
        const instructions = stretch.instructions + (this.#touch ? this.#touch[3] : 0);
        this.#left -= instructions;
        background?.advance(instructions);
        return stretch.left > 0 ? 0 : this.skip(at, room, stretch, rights);
      }
    }
    return n;
  }

  get mix(): number {
    return this.options.mixer?.number ?? 0;
  }

  #step(): Item | undefined {
    const { value, done } = this.options.script.next();
    if (done) {
      this.#ended = true;
      return EXIT;
    }
    if (typeof value !== 'number') return value;
    if (!this.options.mixer) throw new ModelError('this program has no ordinary visits to run');
    this.#left += value;
    return undefined;
  }

  fork(): Program {
    const { fork } = this.options;
    if (!fork) throw new ModelError('this program does not fork');
    return fork();
  }

  exec(): ProcessImage {
    const { exec } = this.options;
    if (!exec) throw new ModelError('this program does not exec');
    return exec();
  }
}
