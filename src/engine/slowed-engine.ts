import type { Cycles } from '../base/ids.ts';
import type { Engine } from './engine.ts';
import type { EventHandle, Phase } from './event-queue.ts';
import type { EventKind, HostEngine, Runner } from './host-engine.ts';
import type { Timebase } from './timebase.ts';

/**
 * The engine as a host sees it whose cycles are several ticks long. Events of all hosts stay in the
 * one order of the engine.
 */
export class SlowedEngine implements HostEngine {
  readonly timebase: Timebase;
  horizon: Cycles = 0;
  readonly #engine: Engine;

  constructor(engine: Engine, timebase: Timebase) {
    this.#engine = engine;
    this.timebase = timebase;
    engine.onLower((at) => {
      this.horizon = Math.min(this.horizon, timebase.local(at));
    });
  }

  get now(): Cycles {
    return this.timebase.local(this.#engine.now);
  }

  get here(): Cycles {
    return this.timebase.local(this.#engine.here);
  }

  defineEvent(phase: Phase, handler: (now: Cycles, target: number) => void): EventKind {
    const { ticks } = this.timebase;
    return this.#engine.defineEvent(phase, (now, target) => handler(now / ticks, target));
  }

  schedule(at: Cycles, kind: EventKind, target: number): EventHandle {
    return this.#engine.schedule(this.timebase.engine(at), kind, target);
  }

  scheduleSoon(at: Cycles, kind: EventKind, target: number): EventHandle {
    return this.schedule(Math.max(at, this.now), kind, target);
  }

  cancel(handle: EventHandle): void {
    this.#engine.cancel(handle);
  }

  every(period: Cycles, phase: Phase, task: (now: Cycles) => void): void {
    const kind = this.defineEvent(phase, (now) => {
      task(now);
      this.schedule(now + period, kind, 0);
    });
    this.schedule(this.now + period, kind, 0);
  }

  attach(runner: Runner): void {
    const { timebase } = this;
    const engine = this.#engine;
    const advance = () => {
      this.horizon = timebase.local(engine.horizon);
      runner.advance();
    };
    engine.attach({
      get time() {
        return timebase.engine(runner.time);
      },
      advance,
    });
  }

  starve(): void {
    this.#engine.starve();
  }
}
