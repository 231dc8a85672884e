import type { Core } from '../machine/core.ts';
import type { HostTouches } from './host-footprint.ts';
import { type Step, stepNames } from './host-text.ts';

/** Steps with code come first, then what else is touched. */
const numbers = Object.fromEntries(stepNames.map((step, i) => [step, i])) as Record<Step, number>;
const FIRST = stepNames.length;
const EXIT = FIRST;
const FAULT = FIRST + 1;
const RECORD = FIRST + 2;
const GUEST = FIRST + 3;
const TABLE = FIRST + 4;
const REQUEST = FIRST + 5;

/** What handlers touch in long runs: for real in detail, else at what it has cost there. */
export class LearnedFootprint implements HostTouches {
  readonly #touches: HostTouches;

  constructor(touches: HostTouches) {
    this.#touches = touches;
  }

  get tableCount(): number {
    return this.#touches.tableCount;
  }

  step(core: Core, step: Step): number {
    const number = numbers[step];
    const learned = core.learned!;
    if (learned.skipping) return learned.skipStep(number);
    const cycles = this.#touches.step(core, step);
    learned.endStep(number, cycles);
    return cycles;
  }

  exit(core: Core, vcpu: number): number {
    const learned = core.learned!;
    if (learned.skipping) return learned.skipStep(EXIT);
    const cycles = this.#touches.exit(core, vcpu);
    learned.endStep(EXIT, cycles);
    return cycles;
  }

  fault(core: Core, of: number): number {
    const learned = core.learned!;
    if (learned.skipping) return learned.skipStep(FAULT);
    const cycles = this.#touches.fault(core, of);
    learned.endStep(FAULT, cycles);
    return cycles;
  }

  record(core: Core, of: number, gfn: number): number {
    const learned = core.learned!;
    if (learned.skipping) return learned.skipStep(RECORD);
    const cycles = this.#touches.record(core, of, gfn);
    learned.endStep(RECORD, cycles);
    return cycles;
  }

  guest(core: Core, of: number, gfn: number, frame: number, line: number): number {
    const learned = core.learned!;
    if (learned.skipping) return learned.skipStep(GUEST);
    const cycles = this.#touches.guest(core, of, gfn, frame, line);
    learned.endStep(GUEST, cycles);
    return cycles;
  }

  table(core: Core, frame: number, line: number): number {
    const learned = core.learned!;
    if (learned.skipping) return learned.skipStep(TABLE);
    const cycles = this.#touches.table(core, frame, line);
    learned.endStep(TABLE, cycles);
    return cycles;
  }

  request(core: Core, of: number): number {
    const learned = core.learned!;
    if (learned.skipping) return learned.skipStep(REQUEST);
    const cycles = this.#touches.request(core, of);
    learned.endStep(REQUEST, cycles);
    return cycles;
  }

  enterVm(core: Core, vm: number): void {
    this.#touches.enterVm(core, vm);
  }
}
