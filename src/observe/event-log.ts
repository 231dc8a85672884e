import type { Cycles } from '../base/ids.ts';
import type { ObservedRun, Observer } from './observer.ts';

/** What happened, and what `a` and `b` mean. */
export const Kind = {
  /** From state a to state b, which differ. */
  Runstate: 0,
  /** In state a, the account up to now has been settled: the measured window begins. */
  Settled: 1,
  /** In state a when the run ended; the last event of a vCPU. */
  Last: 2,
  Idle: 3,
  /** Reason a. */
  Vmexit: 4,
  /** ASID a. */
  Vmrun: 5,
  /** Vectors a; b = 1: by an entry just made. */
  Interrupt: 6,
  /** Cause a, TLB_CONTROL b. */
  TlbFlush: 7,
  /** Page a, outcome b. */
  Fault: 8,
  /** VM a holds b entries. */
  TlbOccupancy: 9,
  Window: 10,
} as const;
export type Kind = (typeof Kind)[keyof typeof Kind];

/** Receives bytes of a file, in order. They are only valid during the call. */
export type Sink = (bytes: Uint8Array) => void;

/** A file format: told of events in order of time, ties in the order in which they happened. */
export interface TraceFormat {
  begin(run: ObservedRun): void;
  /** `pcpu` and `vcpu` are -1 where an event has none. */
  event(kind: Kind, now: Cycles, pcpu: number, vcpu: number, a: number, b: number): void;
  /** A span or a sample of a counter, as in `Observer`; these come in no order. */
  span?(lane: number, what: string, from: Cycles, to: Cycles): void;
  counter?(counter: number, now: Cycles, value: number): void;
  /** A good moment to hand bytes to the sink. */
  flush(): void;
  end(now: Cycles): void;
}

const FIELDS = 5;

/** Holds events back until nothing earlier can come, sorts them, and hands them to the formats. */
export class EventLog implements Observer {
  readonly #formats: readonly TraceFormat[];
  #count = 0;
  #times = new Float64Array(1 << 12);
  #fields = new Int32Array(FIELDS << 12);
  #order = new Uint32Array(1 << 12);

  constructor(formats: readonly TraceFormat[]) {
    this.#formats = formats;
  }

  onBegin(run: ObservedRun): void {
    for (const format of this.#formats) format.begin(run);
  }

  onRunstate(now: Cycles, pcpu: number, vcpu: number, from: number, to: number): void {
    this.#add(from === to ? Kind.Settled : Kind.Runstate, now, pcpu, vcpu, from, to);
  }

  onIdle(now: Cycles, pcpu: number): void {
    this.#add(Kind.Idle, now, pcpu, -1, 0, 0);
  }

  onVmexit(now: Cycles, pcpu: number, vcpu: number, reason: number): void {
    this.#add(Kind.Vmexit, now, pcpu, vcpu, reason, 0);
  }

  onVmrun(now: Cycles, pcpu: number, vcpu: number, asid: number): void {
    this.#add(Kind.Vmrun, now, pcpu, vcpu, asid, 0);
  }

  onInterrupt(now: Cycles, pcpu: number, vcpu: number, vectors: number, fresh: boolean): void {
    this.#add(Kind.Interrupt, now, pcpu, vcpu, vectors, fresh ? 1 : 0);
  }

  onTlbFlush(now: Cycles, pcpu: number, vcpu: number, cause: number, control: number): void {
    this.#add(Kind.TlbFlush, now, pcpu, vcpu, cause, control);
  }

  onFault(now: Cycles, pcpu: number, vcpu: number, vpn: number, outcome: number): void {
    this.#add(Kind.Fault, now, pcpu, vcpu, vpn, outcome);
  }

  onTlbOccupancy(now: Cycles, vm: number, entries: number): void {
    this.#add(Kind.TlbOccupancy, now, -1, -1, vm, entries);
  }

  onSpan(lane: number, what: string, from: Cycles, to: Cycles): void {
    for (const format of this.#formats) format.span?.(lane, what, from, to);
  }

  onCounter(counter: number, now: Cycles, value: number): void {
    for (const format of this.#formats) format.counter?.(counter, now, value);
  }

  onWindow(now: Cycles): void {
    this.#add(Kind.Window, now, -1, -1, 0, 0);
  }

  onReached(now: Cycles): void {
    this.#deliver(now);
  }

  onEnd(now: Cycles): void {
    this.#markLast();
    this.#dropAfter(now);
    this.#deliver(Infinity);
    for (const format of this.#formats) format.end(now);
  }

  #add(kind: Kind, now: Cycles, pcpu: number, vcpu: number, a: number, b: number): void {
    const i = this.#count++;
    if (i === this.#times.length) this.#grow();
    this.#times[i] = now;
    const fields = this.#fields;
    const at = i * FIELDS;
    fields[at] = kind;
    fields[at + 1] = pcpu;
    fields[at + 2] = vcpu;
    fields[at + 3] = a;
    fields[at + 4] = b;
  }

  #grow(): void {
    const times = new Float64Array(this.#times.length * 2);
    const fields = new Int32Array(this.#fields.length * 2);
    times.set(this.#times);
    fields.set(this.#fields);
    this.#times = times;
    this.#fields = fields;
    this.#order = new Uint32Array(times.length);
  }

  /** The settled event that ends each vCPU's story becomes its last one. */
  #markLast(): void {
    const seen = new Set<number>();
    for (let at = (this.#count - 1) * FIELDS; at >= 0; at -= FIELDS) {
      const vcpu = this.#fields[at + 2]!;
      if (this.#fields[at] !== Kind.Settled || seen.has(vcpu)) continue;
      seen.add(vcpu);
      this.#fields[at] = Kind.Last;
    }
  }

  /** What pCPUs did past the end, in the step that they were in, belongs to no run. */
  #dropAfter(end: Cycles): void {
    const times = this.#times;
    let kept = 0;
    for (let i = 0; i < this.#count; i++) {
      if (times[i]! > end) continue;
      times[kept] = times[i]!;
      this.#fields.copyWithin(kept * FIELDS, i * FIELDS, (i + 1) * FIELDS);
      kept++;
    }
    this.#count = kept;
  }

  #deliver(before: Cycles): void {
    const count = this.#count;
    const times = this.#times;
    const fields = this.#fields;
    const order = this.#order;
    // Insertion sort: events are out of order by no more than the lookahead and one step.
    for (let i = 0; i < count; i++) {
      const time = times[i]!;
      let j = i;
      while (j > 0 && times[order[j - 1]!]! > time) {
        order[j] = order[j - 1]!;
        j--;
      }
      order[j] = i;
    }
    for (let i = 0; i < count; i++) {
      const time = times[order[i]!]!;
      if (time >= before) break;
      const at = order[i]! * FIELDS;
      for (const format of this.#formats) {
        format.event(
          fields[at] as Kind,
          time,
          fields[at + 1]!,
          fields[at + 2]!,
          fields[at + 3]!,
          fields[at + 4]!,
        );
      }
    }
    let kept = 0;
    for (let i = 0; i < count; i++) {
      if (times[i]! < before) continue;
      times[kept] = times[i]!;
      fields.copyWithin(kept * FIELDS, i * FIELDS, (i + 1) * FIELDS);
      kept++;
    }
    this.#count = kept;
    for (const format of this.#formats) format.flush();
  }
}
