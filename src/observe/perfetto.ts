import type { Cycles } from '../base/ids.ts';
import { Kind, type Sink, type TraceFormat } from './event-log.ts';
import { type ObservedRun, pcpuOnHost, vcpuName } from './observer.ts';
import {
  Annotation,
  CounterDescriptor,
  Interned,
  InternedData,
  Trace,
  TracePacket,
  TrackDescriptor,
  TrackEvent,
  Type,
} from './perfetto-fields.ts';
import { PerfettoLanes } from './perfetto-lanes.ts';
import { ProtoWriter } from './protobuf.ts';

const STATE_CLEARED = 1;
const NEEDS_STATE = 2;
const EXPLICIT_ORDER = 3;

/** Tracks: groups, and in each one per pCPU, vCPU or VM; of several hosts, one per host. */
const PCPUS = 1;
const VCPUS = 2;
const TLB = 3;
const EXITS = 4;
const HOSTS = 5;
const GROUP = 2 ** 20;

/** Bytes after which packets go to the sink. */
const CHUNK = 1 << 16;

/**
 * Perfetto's native trace: per pCPU what runs, with the exits and switches inside it; per vCPU its
 * run state; counters of TLB entries and exits per VM. Stamps are whole nanoseconds, rounded down;
 * the exact length of a slice is its argument `cycles`. States that last no time are left out.
 */
export class PerfettoTrace implements TraceFormat {
  readonly #sink: Sink;
  readonly #out = new ProtoWriter();
  readonly #lanes = new PerfettoLanes(this.#out, (uuid, parent, rank, name, unit) =>
    this.#track(uuid, parent, rank, name, unit),
  );
  #run!: ObservedRun;
  #names: string[] = [];
  readonly #iids = new Map<string, number>();
  /** First name ids of each list. */
  #stateNames = 0;
  #exitNames = 0;
  #causeNames = 0;
  #vcpuNames = 0;
  #running = 0;
  #exits = new Float64Array(0);

  /** Per vCPU: the state its slice shows, and the one it is in. */
  #shown = new Int32Array(0);
  #state = new Int32Array(0);
  #since = new Float64Array(0);
  /** Per pCPU: the same for the vCPU that runs, -1 = none. */
  #shownOn = new Int32Array(0);
  #runs = new Int32Array(0);
  #runsSince = new Float64Array(0);
  /** Per pCPU: start of the inner slice, and whether one must begin together with the vCPU's. */
  #inside = new Float64Array(0);
  #picked: boolean[] = [];
  /** Cycle up to which states are shown; later ones wait in case they last no time. */
  #now: Cycles = 0;
  #changed = false;

  constructor(sink: Sink) {
    this.#sink = sink;
  }

  begin(run: ObservedRun): void {
    this.#run = run;
    const { vcpus, vms, pcpuCount } = run;
    this.#names = vcpus.map((_, vcpu) => vcpuName(run, vcpu));
    this.#running = run.runstates.indexOf('running');
    const blocked = run.runstates.indexOf('blocked');
    this.#exits = new Float64Array(vms.length);
    this.#shown = new Int32Array(vcpus.length).fill(-1);
    this.#state = new Int32Array(vcpus.length).fill(blocked);
    this.#since = new Float64Array(vcpus.length);
    this.#shownOn = new Int32Array(pcpuCount).fill(-1);
    this.#runs = new Int32Array(pcpuCount).fill(-1);
    this.#runsSince = new Float64Array(pcpuCount);
    this.#inside = new Float64Array(pcpuCount).fill(-1);
    this.#picked = Array.from({ length: pcpuCount }, () => false);
    this.#changed = true;
    this.#internNames();
    this.#pcpuTracks(run);
    for (const [group, name, children, unit] of [
      [VCPUS, 'vCPU run states', this.#names, ''],
      [TLB, 'TLB entries held', vms, 'entries'],
      [EXITS, 'exits so far', vms, 'exits'],
    ] as const) {
      this.#track(group * GROUP, 0, group, name, '');
      for (const [i, child] of children.entries()) {
        this.#track(group * GROUP + i + 1, group * GROUP, i, child, unit);
      }
    }
    this.#lanes.begin(run);
  }

  span(lane: number, what: string, from: Cycles, to: Cycles): void {
    this.#lanes.span(lane, what, from, to);
  }

  counter(counter: number, now: Cycles, value: number): void {
    this.#lanes.counter(counter, now, value);
  }

  /** A lane for each pCPU; where there are several hosts, in a group for each of them. */
  #pcpuTracks(run: ObservedRun): void {
    const { hosts = [], pcpuCount } = run;
    this.#track(PCPUS * GROUP, 0, PCPUS, 'pCPUs', '');
    for (const [h, { name }] of hosts.entries()) {
      this.#track(HOSTS * GROUP + h + 1, PCPUS * GROUP, h, `pCPUs of ${name}`, '');
    }
    for (let i = 0; i < pcpuCount; i++) {
      const { host, pcpu } = pcpuOnHost(run, i);
      const group = hosts.findIndex(({ name }) => name === host);
      const parent = group < 0 ? PCPUS * GROUP : HOSTS * GROUP + group + 1;
      this.#track(PCPUS * GROUP + i + 1, parent, pcpu, `pCPU ${pcpu}`, '');
    }
  }

  event(kind: Kind, now: Cycles, pcpu: number, vcpu: number, a: number, b: number): void {
    if (now > this.#now) {
      if (this.#changed) this.#showStates();
      this.#now = now;
    }
    switch (kind) {
      case Kind.Runstate:
        this.#changeState(pcpu, vcpu, a, b);
        return;
      case Kind.Last:
        this.#changeState(pcpu, vcpu, a, -1);
        return;
      case Kind.Vmexit: {
        const { vm } = this.#run.vcpus[vcpu]!;
        this.#exits[vm] = this.#exits[vm]! + 1;
        if (this.#changed) this.#showStates();
        this.#beginInside(now, pcpu, this.#exitNames + a);
        return;
      }
      case Kind.Vmrun:
        if (this.#changed) this.#showStates();
        this.#endInside(now, pcpu);
        return;
      case Kind.TlbFlush:
        this.#event(now, Type.instant, PCPUS * GROUP + pcpu + 1, this.#causeNames + a, -1);
        return;
      case Kind.TlbOccupancy:
        this.#counter(now, TLB * GROUP + a + 1, b);
        this.#counter(now, EXITS * GROUP + a + 1, this.#exits[a]!);
        return;
      case Kind.Window:
        this.#event(now, Type.instant, PCPUS * GROUP, this.#iids.get('measured window')!, -1);
        return;
    }
  }

  flush(): void {
    if (this.#out.length >= CHUNK) this.#out.flush(this.#sink);
  }

  end(now: Cycles): void {
    if (this.#changed) this.#showStates();
    const last = Math.max(now, this.#now);
    for (const [vm, count] of this.#exits.entries()) {
      this.#counter(last, EXITS * GROUP + vm + 1, count);
    }
    this.#out.flush(this.#sink);
  }

  #changeState(pcpu: number, vcpu: number, from: number, to: number): void {
    this.#changed = true;
    this.#state[vcpu] = to;
    if (from === this.#running) {
      this.#endInside(this.#now, pcpu);
      this.#runs[pcpu] = -1;
      this.#picked[pcpu] = false;
    }
    if (to === this.#running) {
      this.#runs[pcpu] = vcpu;
      this.#picked[pcpu] = true;
    }
  }

  /** Ends and begins the slices of what has changed in the cycle that is over. */
  #showStates(): void {
    this.#changed = false;
    const now = this.#now;
    for (let vcpu = 0; vcpu < this.#state.length; vcpu++) {
      const state = this.#state[vcpu]!;
      const shown = this.#shown[vcpu]!;
      if (state === shown) continue;
      const track = VCPUS * GROUP + vcpu + 1;
      if (shown >= 0) this.#event(now, Type.end, track, 0, now - this.#since[vcpu]!);
      if (state >= 0) this.#event(now, Type.begin, track, this.#stateNames + state, -1);
      this.#shown[vcpu] = state;
      this.#since[vcpu] = now;
    }
    for (let pcpu = 0; pcpu < this.#runs.length; pcpu++) {
      const vcpu = this.#runs[pcpu]!;
      const shown = this.#shownOn[pcpu]!;
      const track = PCPUS * GROUP + pcpu + 1;
      if (vcpu !== shown) {
        if (shown >= 0) this.#event(now, Type.end, track, 0, now - this.#runsSince[pcpu]!);
        if (vcpu >= 0) this.#event(now, Type.begin, track, this.#vcpuNames + vcpu, -1);
        this.#shownOn[pcpu] = vcpu;
        this.#runsSince[pcpu] = now;
      }
      if (this.#picked[pcpu]) {
        this.#picked[pcpu] = false;
        this.#beginInside(now, pcpu, this.#iids.get('switch')!);
      }
    }
  }

  #beginInside(now: Cycles, pcpu: number, name: number): void {
    this.#inside[pcpu] = now;
    this.#event(now, Type.begin, PCPUS * GROUP + pcpu + 1, name, -1);
  }

  #endInside(now: Cycles, pcpu: number): void {
    const begin = this.#inside[pcpu]!;
    if (begin < 0) return;
    this.#inside[pcpu] = -1;
    this.#event(now, Type.end, PCPUS * GROUP + pcpu + 1, 0, now - begin);
  }

  #event(now: Cycles, type: number, track: number, name: number, cycles: number): void {
    const out = this.#out;
    const packet = this.#packet(now);
    const event = out.begin(TracePacket.trackEvent);
    out.uint(TrackEvent.type, type);
    out.uint(TrackEvent.track, track);
    if (name !== 0) out.uint(TrackEvent.nameIid, name);
    if (cycles >= 0) {
      const annotation = out.begin(TrackEvent.annotation);
      out.uint(Annotation.nameIid, 1);
      out.uint(Annotation.uint, cycles);
      out.end(annotation);
    }
    out.end(event);
    out.end(packet);
  }

  #counter(now: Cycles, track: number, value: number): void {
    const out = this.#out;
    const packet = this.#packet(now);
    const event = out.begin(TracePacket.trackEvent);
    out.uint(TrackEvent.type, Type.counter);
    out.uint(TrackEvent.track, track);
    out.uint(TrackEvent.counterValue, value);
    out.end(event);
    out.end(packet);
  }

  #packet(now: Cycles): number {
    const out = this.#out;
    const packet = out.begin(Trace.packet);
    out.uint(TracePacket.timestamp, Math.floor((now * 1000) / this.#run.mhz));
    out.uint(TracePacket.sequence, 1);
    out.uint(TracePacket.sequenceFlags, NEEDS_STATE);
    return packet;
  }

  /** The first packet: every name, so that events can refer to names by number. */
  #internNames(): void {
    const out = this.#out;
    const { runstates, exits, causes } = this.#run;
    const lists = [
      ['measured window', 'switch'],
      runstates,
      exits,
      causes.map((cause) => `flush: ${cause}`),
      this.#names,
    ];
    const first: number[] = [];
    const packet = out.begin(Trace.packet);
    out.uint(TracePacket.timestamp, 0);
    out.uint(TracePacket.sequence, 1);
    out.uint(TracePacket.sequenceFlags, STATE_CLEARED);
    const interned = out.begin(TracePacket.internedData);
    let next = 1;
    for (const list of lists) {
      first.push(next);
      for (const name of list) {
        this.#iids.set(name, next);
        this.#intern(InternedData.eventNames, next++, name);
      }
    }
    this.#intern(InternedData.annotationNames, 1, 'cycles');
    out.end(interned);
    out.end(packet);
    [, this.#stateNames, this.#exitNames, this.#causeNames, this.#vcpuNames] = first as [
      number,
      number,
      number,
      number,
      number,
    ];
  }

  #intern(field: number, iid: number, name: string): void {
    const out = this.#out;
    const entry = out.begin(field);
    out.uint(Interned.iid, iid);
    out.string(Interned.name, name);
    out.end(entry);
  }

  #track(uuid: number, parent: number, rank: number, name: string, unit: string): void {
    const out = this.#out;
    const packet = out.begin(Trace.packet);
    out.uint(TracePacket.sequence, 1);
    const descriptor = out.begin(TracePacket.trackDescriptor);
    out.uint(TrackDescriptor.uuid, uuid);
    out.string(TrackDescriptor.name, name);
    if (parent !== 0) out.uint(TrackDescriptor.parent, parent);
    else out.uint(TrackDescriptor.childOrdering, EXPLICIT_ORDER);
    out.uint(TrackDescriptor.rank, rank);
    if (unit !== '') {
      const counter = out.begin(TrackDescriptor.counter);
      out.string(CounterDescriptor.unitName, unit);
      out.end(counter);
    }
    out.end(descriptor);
    out.end(packet);
  }
}
