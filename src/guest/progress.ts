/** How far the programs of a VM have come, and who is told of it. */
export interface Milestones {
  /** Units of work after which the VM powers off; Infinity = never. */
  readonly stopAfter: number;
  /** Counts of user instructions, ascending, at which `onMark` is to be called. */
  readonly marks: readonly number[];
  readonly onMark: (index: number) => void;
}

export class Progress {
  readonly #milestones: Milestones;
  #instructions = 0;
  #units = 0;
  #mark = 0;

  constructor(milestones: Milestones) {
    this.#milestones = milestones;
  }

  /** User instructions have been executed. */
  execute(instructions: number): void {
    this.#instructions += instructions;
    const { marks, onMark } = this.#milestones;
    while (this.#instructions >= marks[this.#mark]!) onMark(this.#mark++);
  }

  /** Units of work have been finished. */
  finish(units: number): void {
    this.#units += units;
  }

  /** The VM has done all it was to do. */
  get done(): boolean {
    return this.#units >= this.#milestones.stopAfter;
  }
}
