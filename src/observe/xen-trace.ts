import { ModelError } from '../base/errors.ts';
import type { Cycles } from '../base/ids.ts';
import { ByteBuffer } from './bytes.ts';
import { Kind, type Sink, type TraceFormat } from './event-log.ts';
import type { ObservedRun } from './observer.ts';

/**
 * Xen's binary trace, as xentrace writes it and xenalyze reads it. Source:
 * xen/include/public/trace.h (events, record layout) and tools/xentrace/xenalyze.c (what a reader
 * expects of the order).
 *
 * A record is a word of event (28 bits), number of extra words (3) and a flag for a time stamp (1),
 * the stamp in two words, then the extra words. Records of one pCPU stand in windows, each led by a
 * record without a stamp that names the pCPU and the bytes to come.
 */
const CPU_CHANGE = 0x1f003;
const RUNSTATE_CHANGE = 0x21001;
const VMENTRY = 0x81001;
/**
 * #VMEXIT with a 64-bit instruction pointer. Xen before 4.19 knows no other; later ones write
 * 0x81103 on AMD. Every xenalyze takes this one, and reads the reasons as AMD's with --svm-mode.
 */
const VMEXIT64 = 0x81102;
const STAMPED = 0x80000000;

/**
 * Bytes after which windows go to the sink. The first ones hold a record of every pCPU, as xenalyze
 * expects.
 */
const CHUNK = 1 << 16;

/** To xenalyze a stamp of 0 means none. */
const FIRST_STAMP = 1;

/** Xen's idle domain, with one vCPU per pCPU. VM 0 is domain 1, since domain 0 is Dom0. */
const IDLE_DOMAIN = 0x7fff;
const FIRST_DOMAIN = 1;

const RUNNING = 0;
const RUNNABLE = 1;
const OFFLINE = 3;
/** Xen's run states: a co-stopped vCPU is runnable there, one that is held back is offline. */
const xenRunstate: Readonly<Record<string, number>> = {
  running: RUNNING,
  ready: RUNNABLE,
  'co-stopped': RUNNABLE,
  blocked: 2,
  parked: OFFLINE,
  paused: OFFLINE,
  off: OFFLINE,
};

/**
 * Exit codes of the AMD manual (APM 2, appendix C). What the model tells apart may be one code to
 * the hardware: a write to a write-protected table is a #PF, and an access to the APIC's page
 * faults like every other page.
 */
export const svmExitCodes = (nested: boolean): Readonly<Record<string, number>> => ({
  npf: 0x400,
  'page-fault': 0x4e,
  'pte-write': 0x4e,
  'cr3-write': 0x13,
  invlpg: 0x79,
  hlt: 0x78,
  intr: 0x60,
  ioio: 0x7b,
  'apic-access': nested ? 0x400 : 0x4e,
  'dirty-log': nested ? 0x400 : 0x4e,
});

export class XenTrace implements TraceFormat {
  readonly #sink: Sink;
  readonly #head = new ByteBuffer();
  #streams: ByteBuffer[] = [];
  #run!: ObservedRun;
  #states: number[] = [];
  #codes: number[][] = [];
  /** Per vCPU: its run state in Xen's numbers. */
  #state: number[] = [];
  /** Per vCPU: domain and number in Xen's record. */
  #id: number[] = [];
  /** Per pCPU: what runs there, -1 = its idle vCPU; undefined = between two. */
  #current: (number | undefined)[] = [];
  #opened = false;

  constructor(sink: Sink) {
    this.#sink = sink;
  }

  begin(run: ObservedRun): void {
    this.#run = run;
    this.#states = run.runstates.map((name) => known(xenRunstate, name));
    this.#codes = run.vcpus.map(({ nested }) => {
      const codes = svmExitCodes(nested);
      return run.exits.map((name) => known(codes, name));
    });
    this.#state = run.vcpus.map(() => known(xenRunstate, 'blocked'));
    this.#id = run.vcpus.map(({ vm, index }) => idOf(vm + FIRST_DOMAIN, index));
    this.#streams = Array.from({ length: run.pcpuCount }, () => new ByteBuffer());
    this.#current = this.#streams.map(() => -1);
  }

  event(kind: Kind, now: Cycles, pcpu: number, vcpu: number, a: number, b: number): void {
    if (!this.#opened) {
      if (now === 0) {
        // Nothing takes time before cycle 0: only the state at its end matters.
        if (kind === Kind.Runstate) this.#atStart(pcpu, vcpu, this.#states[b]!);
        return;
      }
      this.#open();
    }
    switch (kind) {
      case Kind.Runstate:
        this.#change(now, pcpu, vcpu, this.#states[b]!);
        return;
      case Kind.Last:
        this.#close(now, pcpu, vcpu);
        return;
      case Kind.Idle:
        if (this.#current[pcpu] !== undefined) return;
        this.#current[pcpu] = -1;
        this.#runstate(now, pcpu, idOf(IDLE_DOMAIN, pcpu), RUNNABLE, RUNNING);
        return;
      case Kind.Vmexit:
        this.#record(now, pcpu, VMEXIT64, 3);
        this.#streams[pcpu]!.u32(this.#codes[vcpu]![a]!);
        // The model has no instruction pointer.
        this.#streams[pcpu]!.u32(0);
        this.#streams[pcpu]!.u32(0);
        return;
      case Kind.Vmrun:
        if (this.#run.virtualized) this.#record(now, pcpu, VMENTRY, 0);
        return;
    }
  }

  flush(): void {
    if (this.#opened && this.#streams.reduce((sum, { length }) => sum + length, 0) >= CHUNK) {
      this.#writeWindows();
    }
  }

  #writeWindows(): void {
    for (const [pcpu, stream] of this.#streams.entries()) {
      if (stream.length === 0) continue;
      this.#head.u32(CPU_CHANGE + 2 * 2 ** 28);
      this.#head.u32(pcpu);
      this.#head.u32(stream.length);
      this.#head.flush(this.#sink);
      stream.flush(this.#sink);
    }
  }

  end(now: Cycles): void {
    if (!this.#opened) this.#open();
    for (const [pcpu, current] of this.#current.entries()) {
      if (current === -1) this.#leaveIdle(now, pcpu);
    }
    this.#writeWindows();
  }

  #atStart(pcpu: number, vcpu: number, state: number): void {
    this.#state[vcpu] = state;
    if (state === RUNNING) this.#current[pcpu] = vcpu;
    else if (pcpu >= 0 && this.#current[pcpu] === vcpu) this.#current[pcpu] = -1;
  }

  /**
   * xenalyze ignores a vCPU until it has seen it run, so each is shown running for no time, then in
   * the state it starts in. The pCPUs begin with what runs there.
   */
  #open(): void {
    this.#opened = true;
    for (const [vcpu, state] of this.#state.entries()) {
      if (state === RUNNING) continue;
      this.#runstate(0, 0, this.#id[vcpu]!, RUNNABLE, RUNNING);
      this.#runstate(0, 0, this.#id[vcpu]!, RUNNING, state);
    }
    for (const [pcpu, vcpu] of this.#current.entries()) {
      const id = vcpu === -1 ? idOf(IDLE_DOMAIN, pcpu) : this.#id[vcpu!]!;
      this.#runstate(0, pcpu, id, RUNNABLE, RUNNING);
    }
  }

  #change(now: Cycles, pcpu: number, vcpu: number, to: number): void {
    const from = this.#state[vcpu]!;
    if (from === to) return;
    this.#state[vcpu] = to;
    // A vCPU that has not run anywhere is reported on pCPU 0.
    const on = Math.max(0, pcpu);
    const id = this.#id[vcpu]!;
    if (to === RUNNING) {
      if (this.#current[on] === -1) this.#leaveIdle(now, on);
      this.#current[on] = vcpu;
      if (from !== RUNNABLE) this.#runstate(now, on, id, from, RUNNABLE);
      this.#runstate(now, on, id, RUNNABLE, RUNNING);
      return;
    }
    if (from === RUNNING) this.#current[on] = undefined;
    this.#runstate(now, on, id, from, to);
  }

  /**
   * xenalyze counts only what has ended: every state ends here, and with it an exit that waits for
   * a wake-up.
   */
  #close(now: Cycles, pcpu: number, vcpu: number): void {
    this.#change(now, pcpu, vcpu, this.#state[vcpu] === RUNNABLE ? OFFLINE : RUNNABLE);
  }

  #leaveIdle(now: Cycles, pcpu: number): void {
    this.#current[pcpu] = undefined;
    this.#runstate(now, pcpu, idOf(IDLE_DOMAIN, pcpu), RUNNING, RUNNABLE);
  }

  #runstate(now: Cycles, pcpu: number, id: number, from: number, to: number): void {
    this.#record(now, pcpu, RUNSTATE_CHANGE | (from << 8) | (to << 4), 1);
    this.#streams[pcpu]!.u32(id);
  }

  #record(now: Cycles, pcpu: number, event: number, extraWords: number): void {
    const stream = this.#streams[pcpu]!;
    const stamp = now + FIRST_STAMP;
    stream.u32(STAMPED + extraWords * 2 ** 28 + event);
    stream.u32(stamp % 2 ** 32);
    stream.u32(Math.floor(stamp / 2 ** 32));
  }
}

const idOf = (domain: number, vcpu: number): number => domain * 2 ** 16 + vcpu;

function known(table: Readonly<Record<string, number>>, name: string): number {
  const code = table[name];
  if (code === undefined) throw new ModelError(`the Xen trace has no code for ${name}`);
  return code;
}
