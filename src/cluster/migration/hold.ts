import type { Cycles } from '../../base/ids.ts';
import { type Engine, type EventKind, Phase } from '../../engine/engine.ts';
import type { MovingVm } from './moving-vm.ts';

/** How often a guest that is slowed is held, in picoseconds. assumed (0.1-10 ms) */
const STUN_PERIOD = 1e9;

const State = { Running: 0, Pausing: 1, Held: 2 } as const;

/** Holds a VM: for good, or again and again for a share of the time, so that it dirties less. */
export class Hold {
  readonly #engine: Engine;
  readonly #vm: Pick<MovingVm, 'pause' | 'unpause'>;
  readonly #period: Cycles;
  readonly #begin: EventKind;
  readonly #over: EventKind;
  #state: number = State.Running;
  #waiting: ((now: Cycles) => void)[] = [];
  #share = 0;
  #ticking = false;
  /** Somebody wants it held until further notice. */
  #taken = false;

  constructor(engine: Engine, vm: Pick<MovingVm, 'pause' | 'unpause'>, mhz: number) {
    this.#engine = engine;
    this.#vm = vm;
    this.#period = Math.round((STUN_PERIOD * mhz) / 1e6);
    this.#begin = engine.defineEvent(Phase.Deliver, (now) => this.#tick(now));
    this.#over = engine.defineEvent(Phase.Deliver, (now) => {
      if (!this.#taken && this.#state === State.Held) this.#release(now);
    });
  }

  /** Holds it for a share of the time from now on; 0 = no more. */
  stun(share: number, now: Cycles): void {
    this.#share = share;
    if (share > 0 && !this.#ticking) this.#tick(now);
  }

  /** Holds it until `give`; `held` is called when it stands still, at once if it does already. */
  take(held: (now: Cycles) => void): void {
    this.#taken = true;
    this.#share = 0;
    this.#hold(held);
  }

  /** It may run. */
  give(now: Cycles): void {
    this.#taken = false;
    this.#share = 0;
    if (this.#state === State.Held) this.#release(now);
    else if (this.#state === State.Pausing) this.#waiting.push((then) => this.#release(then));
  }

  #tick(now: Cycles): void {
    this.#ticking = this.#share > 0 && !this.#taken;
    if (!this.#ticking) return;
    const until = now + Math.round(this.#share * this.#period);
    this.#hold((held) => this.#engine.schedule(Math.max(held, until), this.#over, 0));
    this.#engine.schedule(now + this.#period, this.#begin, 0);
  }

  #hold(held: (now: Cycles) => void): void {
    if (this.#state === State.Held) {
      held(this.#engine.here);
      return;
    }
    this.#waiting.push(held);
    if (this.#state === State.Pausing) return;
    this.#state = State.Pausing;
    this.#vm.pause((now) => {
      this.#state = State.Held;
      for (const then of this.#waiting.splice(0)) then(now);
    });
  }

  #release(now: Cycles): void {
    if (this.#state !== State.Held) return;
    this.#state = State.Running;
    this.#vm.unpause(now);
  }
}
