import type { Cycles } from '../base/ids.ts';
import type { EventHandle, Phase } from './event-queue.ts';
import type { Timebase } from './timebase.ts';

export type EventKind = number & { readonly eventKind?: unique symbol };

/**
 * Something with its own clock that runs between events: a pCPU. It touches only its own state and
 * that of its VM. Whatever is shared it posts as an event at its local time, and stops there.
 */
export interface Runner {
  /** Local time; Infinity while it waits for an event to wake it. */
  readonly time: Cycles;
  /**
   * Until then it does nothing to others, unless an event makes it: at least `time`, which it is if
   * absent.
   */
  readonly quiet?: Cycles;
  /**
   * Runs until its local time reaches the engine's `horizon`, which comes nearer when the runner
   * schedules an earlier event. Must make progress. May overshoot by one indivisible step (a visit,
   * an exit).
   */
  advance(): void;
}

/** What the software of a host uses of the engine. All times are cycles of that host. */
export interface HostEngine {
  readonly timebase: Timebase;
  /** Time of the last event. */
  readonly now: Cycles;
  /** How far the runner that advances may go. */
  horizon: Cycles;
  /** Local time of whatever is acting. */
  readonly here: Cycles;
  defineEvent(phase: Phase, handler: (now: Cycles, target: number) => void): EventKind;
  schedule(at: Cycles, kind: EventKind, target: number): EventHandle;
  scheduleSoon(at: Cycles, kind: EventKind, target: number): EventHandle;
  cancel(handle: EventHandle): void;
  every(period: Cycles, phase: Phase, task: (now: Cycles) => void): void;
  attach(runner: Runner): void;
  starve(): void;
}
