import type { Stretch } from './stretch.ts';

/** What a core of a long run is told of the work it does, and asked for instead of it. */
export interface LearnedWork {
  /** Work is skipped, and pays what it has cost in detail. */
  readonly skipping: boolean;
  /** A vCPU takes the core. */
  takeUp(vcpu: number): void;
  /** A vCPU, or a task of the host (-1), leaves the core after so many cycles on it. */
  leave(vcpu: number, ran: number): void;
  /** A process runs that has executed so many instructions. */
  switchTo(executed: number): void;
  /** A piece of a guest's work begins: visits, or a path of the kernel. */
  begin(): void;
  beginPath(path: number): void;
  /** It was visits of a program. */
  endVisits(mix: number, instructions: number): void;
  /** It was a visit that has faulted before: it is not skipped either. */
  pass(instructions: number): void;
  /** It was a path of the kernel. */
  endPath(path: number, units: number, instructions: number): void;
  /** Skips visits until `limit` cycles have passed or none are left. Time passes in `core.time`. */
  skipVisits(stretch: Stretch, limit: number): void;
  /**
   * Skips a path of the kernel: so many fetches from text and accesses to data, of so many lines in
   * all. Time passes in `core.ahead`.
   */
  skipPath(path: number, work: PathWork): void;
  /** A step of the host has taken so many cycles for what it touched. */
  endStep(step: number, cycles: number): void;
  /** Cycles of a step of the host that is skipped. */
  skipStep(step: number): number;
}

/** What a path of a kernel does. */
export interface PathWork {
  /** What its price is counted in. */
  readonly units: number;
  readonly fetches: number;
  readonly accesses: number;
  readonly lines: number;
  readonly instructions: number;
}
