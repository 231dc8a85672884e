import type { Cycles } from '../base/ids.ts';
import { ByteBuffer } from './bytes.ts';
import { Kind, type Sink, type TraceFormat } from './event-log.ts';
import { faultNames, type ObservedRun, vcpuName } from './observer.ts';

const HEADER = 'cycle,pcpu,vcpu,event,detail,value\n';

/** Bytes after which lines go to the sink. */
const CHUNK = 1 << 16;

/**
 * One line per run state, exit, switch, flush, fault and interrupt. What lasts is written when it ends, with the
 * cycle it began at and the cycles it took as the value, so a sum over lines is a total of the run. Time in a
 * state is cut where the measured window begins, so that the lines from there on add up to the window.
 */
export class EventCsv implements TraceFormat {
  readonly #sink: Sink;
  readonly #bytes = new ByteBuffer();
  #run!: ObservedRun;
  #names: string[] = [];
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
    this.#bytes.ascii(HEADER);
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
      case Kind.Last:
        this.#leaveState(now, pcpu, vcpu, a);
        return;
      case Kind.Vmexit:
        this.#exitAt[vcpu] = now;
        this.#reason[vcpu] = a;
        return;
      case Kind.Vmrun:
        this.#endExit(now, pcpu, vcpu);
        if (this.#pickedAt[vcpu]! >= 0) {
          const begin = this.#pickedAt[vcpu]!;
          this.#pickedAt[vcpu] = -1;
          const event = this.#switched[vcpu] ? 'switch' : 'resume';
          const reason = run.exits[this.#reason[vcpu]!] ?? '';
          this.#line(begin, pcpu, this.#names[vcpu]!, event, reason, now - begin);
        }
        return;
      case Kind.Interrupt:
        this.#line(now, pcpu, this.#names[vcpu]!, 'interrupt', b === 1 ? 'entry' : 'exit', a);
        return;
      case Kind.TlbFlush:
        this.#line(now, pcpu, this.#names[vcpu]!, 'flush', run.causes[a]!, b);
        return;
      case Kind.Fault:
        this.#line(now, pcpu, this.#names[vcpu]!, 'fault', faultNames[b]!, a);
        return;
      case Kind.TlbOccupancy:
        this.#line(now, -1, '', 'tlb', run.vms[a]!, b);
        return;
      case Kind.Window:
        this.#line(now, -1, '', 'window', 'begin', 0);
        return;
    }
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
    const name = this.#run.runstates[state]!;
    this.#line(since, pcpu, this.#names[vcpu]!, 'runstate', name, now - since);
  }

  #endExit(now: Cycles, pcpu: number, vcpu: number): void {
    const begin = this.#exitAt[vcpu]!;
    if (begin < 0) return;
    this.#exitAt[vcpu] = -1;
    const reason = this.#run.exits[this.#reason[vcpu]!]!;
    this.#line(begin, pcpu, this.#names[vcpu]!, 'exit', reason, now - begin);
  }

  #line(
    cycle: Cycles,
    pcpu: number,
    vcpu: string,
    event: string,
    detail: string,
    value: number,
  ): void {
    const on = pcpu < 0 ? '' : pcpu;
    this.#bytes.ascii(`${cycle},${on},${vcpu},${event},${detail},${value}\n`);
  }
}
