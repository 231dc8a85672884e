import type { Cycles } from '../base/ids.ts';
import type { Lane, ObservedRun } from './observer.ts';
import { Annotation, Trace, TracePacket, TrackEvent, Type } from './perfetto-fields.ts';
import type { ProtoWriter } from './protobuf.ts';

/** Tracks: groups of lanes by kind, and the counters; numbers as in perfetto.ts. */
const GROUP = 2 ** 20;
const FIRST = 16;
const groups: readonly (readonly [Lane['kind'], string])[] = [
  ['pair', 'protected pairs'],
  ['migration', 'live migrations'],
  ['thread', 'threads of the hosts'],
];
const COUNTERS = FIRST + groups.length;
/** Their packets come when a span is over, so they are a sequence of their own. */
const SEQUENCE = 2;

type Track = (uuid: number, parent: number, rank: number, name: string, unit: string) => void;

/** The tracks of a Perfetto trace that show what spans hosts: pairs, migrations, threads, links. */
export class PerfettoLanes {
  readonly #out: ProtoWriter;
  readonly #track: Track;
  #mhz = 1;

  /** `track` describes a track. */
  constructor(out: ProtoWriter, track: Track) {
    this.#out = out;
    this.#track = track;
  }

  begin({ counters = [], lanes = [], mhz }: ObservedRun): void {
    this.#mhz = mhz;
    for (const [g, [kind, words]] of groups.entries()) {
      if (!lanes.some((lane) => lane.kind === kind)) continue;
      const group = (FIRST + g) * GROUP;
      this.#track(group, 0, FIRST + g, words, '');
      for (const [i, lane] of lanes.entries()) {
        if (lane.kind !== kind) continue;
        const on = lane.host === undefined ? '' : ` on ${lane.host}`;
        this.#track(uuidOf(i), group, i, `${lane.name}${on}`, '');
      }
    }
    if (counters.length === 0) return;
    this.#track(COUNTERS * GROUP, 0, COUNTERS, 'links and lags', '');
    for (const [i, { name, unit }] of counters.entries()) {
      this.#track(COUNTERS * GROUP + i + 1, COUNTERS * GROUP, i, name, unit);
    }
  }

  /** An instant if it takes no time. */
  span(lane: number, what: string, from: Cycles, to: Cycles): void {
    if (from === to) {
      this.#event(from, uuidOf(lane), { type: Type.instant, name: what });
      return;
    }
    // Spans inside each other may end together: each has its length at its begin.
    this.#event(from, uuidOf(lane), { type: Type.begin, name: what, cycles: to - from });
    this.#event(to, uuidOf(lane), { type: Type.end });
  }

  counter(counter: number, now: Cycles, value: number): void {
    this.#event(now, COUNTERS * GROUP + counter + 1, { type: Type.counter, value });
  }

  #event(
    now: Cycles,
    track: number,
    what: {
      readonly type: number;
      readonly name?: string;
      readonly cycles?: number;
      readonly value?: number;
    },
  ): void {
    const out = this.#out;
    const packet = out.begin(Trace.packet);
    out.uint(TracePacket.timestamp, Math.floor((now * 1000) / this.#mhz));
    out.uint(TracePacket.sequence, SEQUENCE);
    const event = out.begin(TracePacket.trackEvent);
    out.uint(TrackEvent.type, what.type);
    out.uint(TrackEvent.track, track);
    if (what.name !== undefined) out.string(TrackEvent.name, what.name);
    if (what.value !== undefined) out.uint(TrackEvent.counterValue, what.value);
    if (what.cycles !== undefined) {
      const annotation = out.begin(TrackEvent.annotation);
      out.string(Annotation.name, 'cycles');
      out.uint(Annotation.uint, what.cycles);
      out.end(annotation);
    }
    out.end(event);
    out.end(packet);
  }
}

/** Of a lane by its number, whatever its kind. */
const uuidOf = (lane: number): number => FIRST * GROUP + GROUP / 2 + lane + 1;
