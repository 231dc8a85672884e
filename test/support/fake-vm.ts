import type { MovingVm } from '../../src/cluster/migration/moving-vm.ts';
import { type Engine, type EventKind, Phase } from '../../src/engine/engine.ts';

export interface FakeGuest {
  readonly pages: number;
  /** The first pages are stored to: so many, one every `period` cycles, in this order and again. */
  readonly hot: number;
  readonly period: number;
  /** Pages from here on were never stored to. */
  readonly used: number;
}

/**
 * A VM of nothing but memory: pages have versions, stores raise them, and what the target gets is
 * the version at the time of sending.
 */
export class FakeVm implements MovingVm {
  readonly name = 'vm';
  readonly memoryPages: number;
  readonly source: Int32Array;
  readonly target: Int32Array;
  stores = 0;
  /** Stores while the log was on to pages that were not in it. */
  faults = 0;
  where: 'source' | 'target' = 'source';
  held = false;
  heldCycles = 0;
  released = false;
  stayed = false;
  pauses = 0;
  readonly #engine: Engine;
  readonly #guest: FakeGuest;
  readonly #logged: Uint8Array;
  #logging = false;
  readonly #sent: number[][];
  #heldSince = 0;
  readonly #forgotten: EventKind;
  #wait: (now: number) => void = () => {};
  #missed: ((gfn: number, now: number) => void) | undefined;
  readonly #present: Uint8Array;

  constructor(engine: Engine, guest: FakeGuest) {
    this.#engine = engine;
    this.#guest = guest;
    this.memoryPages = guest.pages;
    this.source = new Int32Array(guest.pages).fill(1, 0, guest.used);
    this.target = new Int32Array(guest.pages);
    this.#logged = new Uint8Array(guest.pages);
    this.#present = new Uint8Array(guest.pages);
    this.#sent = Array.from({ length: guest.pages }, () => []);
    this.#forgotten = engine.defineEvent(Phase.Deliver, (now) => this.#wait(now));
    if (guest.hot > 0) engine.every(guest.period, Phase.Deliver, (now) => this.#step(now));
  }

  #step(now: number): void {
    if (this.held) return;
    const gfn = this.stores++ % this.#guest.hot;
    if (this.where === 'target') {
      if (this.#present[gfn] === 0) {
        this.#present[gfn] = 1;
        this.#missed?.(gfn, now);
      }
      this.target[gfn]!++;
      return;
    }
    this.source[gfn]!++;
    if (!this.#logging || this.#logged[gfn] === 1) return;
    this.#logged[gfn] = 1;
    this.faults++;
  }

  isEmpty(gfn: number): boolean {
    this.#sent[gfn]!.push(this.source[gfn]!);
    return this.source[gfn] === 0;
  }

  logCycles = 0;

  startLog(forgotten: (now: number) => void): void {
    this.#logging = true;
    this.#logged.fill(0);
    this.logCycles = this.memoryPages * 30;
    this.#engine.schedule(this.#engine.here + 1500, this.#forgotten, 0);
    this.#wait = forgotten;
  }

  isLogged(gfn: number): boolean {
    return this.#logged[gfn] === 1;
  }

  takeLog(out: Int32Array, forgotten: (now: number) => void): number {
    let count = 0;
    for (const [gfn, is] of this.#logged.entries()) if (is === 1) out[count++] = gfn;
    this.#logged.fill(0);
    this.logCycles = count * 30 + this.memoryPages / 64;
    this.#engine.schedule(this.#engine.here + 1500, this.#forgotten, 0);
    this.#wait = forgotten;
    return count;
  }

  stopLog(): void {
    this.#logging = false;
  }

  pause(held: (now: number) => void): void {
    this.pauses++;
    const kind = this.#engine.defineEvent(Phase.Deliver, (now) => {
      this.held = true;
      this.#heldSince = now;
      held(now);
    });
    this.#engine.schedule(this.#engine.here + 1500, kind, 0);
  }

  unpause(now: number): void {
    this.held = false;
    this.heldCycles += now - this.#heldSince;
  }

  store(gfn: number): void {
    const version = this.#sent[gfn]!.shift() ?? this.source[gfn]!;
    // A page that was touched while it was missing was held before it was stored to.
    this.target[gfn] = this.where === 'target' ? this.target[gfn]! + version : version;
    this.#present[gfn] = 1;
  }

  drop(gfn: number): void {
    this.#present[gfn] = 0;
  }

  move(): void {
    this.where = 'target';
  }

  release(): void {
    this.released = true;
  }

  stay(): void {
    this.stayed = true;
  }

  onMiss(missed: ((gfn: number, now: number) => void) | undefined): void {
    this.#missed = missed;
  }
}
