import type { Cycles } from '../base/ids.ts';

/**
 * HOT. Pending events in a total order: time, then phase, then order scheduled. A binary heap over
 * flat arrays; popping the same events always gives the same order, whatever the shape of the heap.
 */

/** Which of several events due in the same cycle comes first. */
export const Phase = {
  /** Things that arrive from outside the cores: interrupts, requests, wake-ups. */
  Deliver: 0,
  /** Scheduling decisions, after everything that may make a vCPU runnable. */
  Schedule: 1,
  /** Reading the state, after it has settled. */
  Sample: 2,
  /** End of warm-up and of the run: last, so that the cycle counts in full. */
  Stop: 3,
} as const;
export type Phase = (typeof Phase)[keyof typeof Phase];

/** Names one scheduled event until it is popped or cancelled. */
export type EventHandle = number;

const PHASE_STEP = 2 ** 48;
/** A handle is the slot plus SLOTS times its use. */
const SLOTS = 2 ** 24;
/** Uses are counted modulo this plus one. */
const USES = 2 ** 28 - 1;

export class EventQueue {
  #times: Float64Array;
  /** `phase * 2^48 + order`: exact in a double. */
  #keys: Float64Array;
  /** Slot of each heap position. */
  #slots: Int32Array;
  #kinds: Int32Array;
  #targets: Int32Array;
  /**
   * Incremented when a slot is taken (it is odd then) and when its event is popped or cancelled, so
   * that an old handle cannot cancel a new event. An even number at the top of the heap means
   * cancelled.
   */
  #uses: Int32Array;
  #free: Int32Array;
  #freeCount: number;
  #size = 0;
  /**
   * 1 = the top of the heap was popped and nothing has taken its place yet: the next push usually
   * does.
   */
  #vacant = 0;
  #order = 0;
  /** Events cancelled that are still in the heap. */
  #cancelled = 0;
  /** The event popped last. */
  time: Cycles = Number.NaN;
  kind = 0;
  target = 0;

  constructor(capacity = 64) {
    this.#times = new Float64Array(capacity);
    this.#keys = new Float64Array(capacity);
    this.#slots = new Int32Array(capacity);
    this.#kinds = new Int32Array(capacity);
    this.#targets = new Int32Array(capacity);
    this.#uses = new Int32Array(capacity);
    this.#free = Int32Array.from({ length: capacity }, (_, i) => capacity - 1 - i);
    this.#freeCount = capacity;
  }

  /** Events that are pending and not cancelled. */
  get length(): number {
    return this.#size - this.#vacant - this.#cancelled;
  }

  /** When the next event is due; Infinity when there is none. */
  peekTime(): Cycles {
    this.#settle();
    return this.#size === 0 ? Infinity : this.#times[0]!;
  }

  push(at: Cycles, phase: Phase, kind: number, target: number): EventHandle {
    if (this.#freeCount === 0) this.#grow();
    const slot = this.#free[--this.#freeCount]!;
    this.#kinds[slot] = kind;
    this.#targets[slot] = target;
    const use = (this.#uses[slot]! + 1) & USES;
    this.#uses[slot] = use;
    const key = phase * PHASE_STEP + this.#order++;
    if (this.#vacant !== 0) {
      this.#vacant = 0;
      this.#sink(at, key, slot);
    } else {
      this.#rise(at, key, slot);
    }
    return slot + use * SLOTS;
  }

  /** Puts an entry at the end of the heap and lets it rise to its place. */
  #rise(at: Cycles, key: number, slot: number): void {
    const times = this.#times;
    const keys = this.#keys;
    const slots = this.#slots;
    let i = this.#size++;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      const time = times[parent]!;
      if (time < at || (time === at && keys[parent]! < key)) break;
      times[i] = time;
      keys[i] = keys[parent]!;
      slots[i] = slots[parent]!;
      i = parent;
    }
    times[i] = at;
    keys[i] = key;
    slots[i] = slot;
  }

  /** Cancels an event. Does nothing when it has already happened. */
  cancel(handle: EventHandle): void {
    const slot = handle % SLOTS;
    if (this.#uses[slot] !== Math.floor(handle / SLOTS)) return;
    this.#uses[slot] = (this.#uses[slot]! + 1) & USES;
    this.#cancelled++;
  }

  /** Takes the next event into `time`, `kind`, `target`; false when there is none. */
  pop(): boolean {
    this.#settle();
    if (this.#size === 0) return false;
    const slot = this.#slots[0]!;
    this.time = this.#times[0]!;
    this.kind = this.#kinds[slot]!;
    this.target = this.#targets[slot]!;
    this.#uses[slot] = (this.#uses[slot]! + 1) & USES;
    this.#free[this.#freeCount++] = slot;
    this.#vacant = 1;
    return true;
  }

  /** Fills the top when it is vacant, and drops cancelled events from it. */
  #settle(): void {
    if (this.#vacant !== 0) this.#fillTop();
    while (this.#cancelled > 0 && (this.#uses[this.#slots[0]!]! & 1) === 0) {
      this.#cancelled--;
      this.#free[this.#freeCount++] = this.#slots[0]!;
      this.#fillTop();
    }
  }

  /** Moves the last entry to the top. */
  #fillTop(): void {
    this.#vacant = 0;
    const size = --this.#size;
    if (size > 0) this.#sink(this.#times[size]!, this.#keys[size]!, this.#slots[size]!);
  }

  /** Puts an entry at the top of the heap and lets it sink to its place. */
  #sink(time: Cycles, key: number, slot: number): void {
    const times = this.#times;
    const keys = this.#keys;
    const slots = this.#slots;
    const size = this.#size;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= size) break;
      const right = child + 1;
      let childTime = times[child]!;
      if (right < size) {
        const other = times[right]!;
        if (other === childTime) {
          if (keys[right]! < keys[child]!) child = right;
        } else {
          // Branch-free: the branch would be mispredicted half the time.
          child += +(other < childTime);
          childTime = times[child]!;
        }
      }
      if (time < childTime || (time === childTime && key < keys[child]!)) break;
      times[i] = childTime;
      keys[i] = keys[child]!;
      slots[i] = slots[child]!;
      i = child;
    }
    times[i] = time;
    keys[i] = key;
    slots[i] = slot;
  }

  #grow(): void {
    const old = this.#times.length;
    const size = old * 2;
    if (size > SLOTS) throw new Error('more than 16 million pending events');
    this.#times = grown(this.#times, new Float64Array(size));
    this.#keys = grown(this.#keys, new Float64Array(size));
    this.#slots = grown(this.#slots, new Int32Array(size));
    this.#kinds = grown(this.#kinds, new Int32Array(size));
    this.#targets = grown(this.#targets, new Int32Array(size));
    this.#uses = grown(this.#uses, new Int32Array(size));
    this.#free = new Int32Array(size);
    for (let i = 0; i < size - old; i++) this.#free[i] = size - 1 - i;
    this.#freeCount = size - old;
  }
}

function grown<T extends Float64Array | Int32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
