import type { Cycles } from '../base/ids.ts';
import { ByteBuffer } from './bytes.ts';
import { Kind, type Sink, type TraceFormat } from './event-log.ts';
import { faultNames, type ObservedRun, pcpuOnHost, vcpuName } from './observer.ts';

const HEADER = 'cycle,pcpu,vcpu,event,detail,value\n';

const EVENTS = [
  'runstate',
  'exit',
  'switch',
  'resume',
  'flush',
  'fault',
  'interrupt',
  'tlb',
  'window',
] as const;
const Event = {
  Runstate: 0,
  Exit: 1,
  Switch: 2,
  Resume: 3,
  Flush: 4,
  Fault: 5,
  Interrupt: 6,
  Tlb: 7,
  Window: 8,
} as const;
type Event = (typeof Event)[keyof typeof Event];

/** More than the number of details of any one event; VMs are the largest group. */
const DETAILS = 1 << 16;

/** Bytes after which lines go to the sink. */
const CHUNK = 1 << 16;

/**
 * One line per run state, exit, switch, flush, fault and interrupt. What lasts is written when it
 * ends, with the cycle at which it began and its length in cycles as the value, so that a sum over
 * lines is a total of the run. Time in a state is cut where the measured window begins, so that the
 * lines from there on add up to the window.
 */
export class EventCsv implements TraceFormat {
  readonly #sink: Sink;
  readonly #bytes = new ByteBuffer();
  #run!: ObservedRun;
  #names: string[] = [];
  /** Names of the details, by event. */
  #details: readonly (readonly string[])[] = [];
  readonly #middles = new Map<number, Uint8Array>();
  #since = new Float64Array(0);
  /** Per vCPU: the reason of its last exit, and whether it has not been entered since. */
  #reason = new Int32Array(0);
  #exitAt = new Float64Array(0);
  /** Per vCPU: when it was picked, until it is entered. */
  #pickedAt = new Float64Array(0);
  /** Per pCPU: the vCPU it ran last, -1 = none. */
  #lastOn = new Int32Array(0);
  #switched: boolean[] = [];

  constructor(sink: Sink) {
    this.#sink = sink;
  }

  begin(run: ObservedRun): void {
    const count = run.vcpus.length;
    this.#run = run;
    this.#names = run.vcpus.map((_, vcpu) => vcpuName(run, vcpu));
    this.#since = new Float64Array(count);
    this.#reason = new Int32Array(count).fill(-1);
    this.#exitAt = new Float64Array(count).fill(-1);
    this.#pickedAt = new Float64Array(count).fill(-1);
    this.#lastOn = new Int32Array(run.pcpuCount).fill(-1);
    this.#switched = run.vcpus.map(() => false);
    const { runstates, exits, causes, vms } = run;
    this.#details = [
      runstates,
      exits,
      exits,
      exits,
      causes,
      faultNames,
      ['exit', 'entry'],
      vms,
      ['begin'],
    ];
    this.#middles.clear();
    // As in all tables of several hosts: the first column says which one.
    this.#bytes.ascii(run.hosts ? `host,${HEADER}` : HEADER);
  }

  event(kind: Kind, now: Cycles, pcpu: number, vcpu: number, a: number, b: number): void {
    const run = this.#run;
    switch (kind) {
      case Kind.Runstate:
        this.#leaveState(now, pcpu, vcpu, a);
        if (run.runstates[a] === 'running') this.#endExit(now, pcpu, vcpu);
        if (run.runstates[b] === 'running') {
          this.#pickedAt[vcpu] = now;
          this.#switched[vcpu] = this.#lastOn[pcpu] !== vcpu;
          this.#lastOn[pcpu] = vcpu;
        }
        return;
      case Kind.Settled:
        this.#leaveState(now, pcpu, vcpu, a);
        return;
      case Kind.Last:
        // The end of the run cuts what is still under way.
        this.#leaveState(now, pcpu, vcpu, a);
        this.#endExit(now, pcpu, vcpu);
        this.#endSwitch(now, pcpu, vcpu);
        return;
      case Kind.Vmexit:
        this.#exitAt[vcpu] = now;
        this.#reason[vcpu] = a;
        return;
      case Kind.Vmrun:
        this.#endExit(now, pcpu, vcpu);
        this.#endSwitch(now, pcpu, vcpu);
        return;
      case Kind.Interrupt:
        this.#line(now, pcpu, vcpu, Event.Interrupt, b, a);
        return;
      case Kind.TlbFlush:
        this.#line(now, pcpu, vcpu, Event.Flush, a, b);
        return;
      case Kind.Fault:
        this.#line(now, pcpu, vcpu, Event.Fault, b, a);
        return;
      case Kind.TlbOccupancy:
        this.#line(now, -1, -1, Event.Tlb, a, b);
        return;
      case Kind.Window:
        this.#line(now, -1, -1, Event.Window, 0, 0);
        return;
    }
  }

  /** Named after the kind of its lane; the lane is where a vCPU would be. */
  span(lane: number, what: string, from: Cycles, to: Cycles): void {
    const { kind, host = '', name } = this.#run.lanes![lane]!;
    const of = this.#run.hosts ? `${host},` : '';
    this.#bytes.ascii(`${of}${from},,${name},${kind},${what},${to - from}\n`);
  }

  flush(): void {
    if (this.#bytes.length >= CHUNK) this.#bytes.flush(this.#sink);
  }

  end(): void {
    this.#bytes.flush(this.#sink);
  }

  #leaveState(now: Cycles, pcpu: number, vcpu: number, state: number): void {
    const since = this.#since[vcpu]!;
    this.#since[vcpu] = now;
    if (now === since) return;
    this.#line(since, pcpu, vcpu, Event.Runstate, state, now - since);
  }

  #endExit(now: Cycles, pcpu: number, vcpu: number): void {
    const begin = this.#exitAt[vcpu]!;
    if (begin < 0) return;
    this.#exitAt[vcpu] = -1;
    this.#line(begin, pcpu, vcpu, Event.Exit, this.#reason[vcpu]!, now - begin);
  }

  #endSwitch(now: Cycles, pcpu: number, vcpu: number): void {
    const begin = this.#pickedAt[vcpu]!;
    if (begin < 0) return;
    this.#pickedAt[vcpu] = -1;
    const event = this.#switched[vcpu] ? Event.Switch : Event.Resume;
    this.#line(begin, pcpu, vcpu, event, this.#reason[vcpu]!, now - begin);
  }

  #line(
    cycle: Cycles,
    pcpu: number,
    vcpu: number,
    event: Event,
    detail: number,
    value: number,
  ): void {
    const bytes = this.#bytes;
    if (this.#run.hosts) bytes.ascii(`${pcpuOnHost(this.#run, pcpu).host ?? ''},`);
    bytes.decimal(cycle);
    bytes.bytes(this.#middle(pcpu, vcpu, event, detail));
    bytes.decimal(value);
    bytes.ascii('\n');
  }

  /** What stands between cycle and value, made once for each of the few combinations. */
  #middle(pcpu: number, vcpu: number, event: Event, detail: number): Uint8Array {
    const { pcpuCount, vcpus } = this.#run;
    const key =
      ((event * DETAILS + detail + 1) * (vcpus.length + 1) + vcpu + 1) * (pcpuCount + 1) + pcpu + 1;
    let middle = this.#middles.get(key);
    if (!middle) {
      const on = pcpu < 0 ? '' : pcpuOnHost(this.#run, pcpu).pcpu;
      const name = this.#names[vcpu] ?? '';
      const text = this.#details[event]![detail] ?? '';
      middle = new TextEncoder().encode(`,${on},${name},${EVENTS[event]},${text},`);
      this.#middles.set(key, middle);
    }
    return middle;
  }
}
