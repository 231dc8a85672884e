import protobuf from 'protobufjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { ByteBuffer } from '../../src/observe/bytes.ts';
import { EventLog, Kind, type TraceFormat } from '../../src/observe/event-log.ts';
import { ProtoWriter } from '../../src/observe/protobuf.ts';
import { runScenario } from '../../src/scenario/run.ts';
import fc from '../support/property.ts';
import { fromText, Memory, MIXED, type TracedRun, tracedRun } from '../support/traced-run.ts';

const NESTED = ['hypervisor.mmu={kind: nested}'];
/** No thread of the host takes the interrupts of its devices. */
const INLINE = ['network', 'disk'].map((device) => `hypervisor.devices.${device}.worker=vcpu`);

/** Notes what a format is told, as `cycle/a`. */
class Told implements TraceFormat {
  readonly told: string[] = [];
  begin(): void {}
  event(_kind: Kind, now: number, _pcpu: number, _vcpu: number, a: number): void {
    this.told.push(`${now}/${a}`);
  }
  flush(): void {}
  end(now: number): void {
    this.told.push(`end ${now}`);
  }
}

describe('the event log', () => {
  it('puts events in order of time and keeps the order of those at one time', () => {
    const format = new Told();
    const log = new EventLog([format]);
    for (const [now, reason] of [
      [50, 1],
      [20, 2],
      [50, 3],
      [10, 4],
      [20, 5],
    ] as const) {
      log.onVmexit(now, 0, 0, reason);
    }
    log.onEnd(60);
    expect(format.told).toEqual(['10/4', '20/2', '20/5', '50/1', '50/3', 'end 60']);
  });

  it('holds back what something earlier may still precede', () => {
    const format = new Told();
    const log = new EventLog([format]);
    log.onVmexit(30, 0, 0, 1);
    log.onVmexit(10, 1, 1, 2);
    log.onReached(20);
    expect(format.told).toEqual(['10/2']);
    log.onVmexit(25, 1, 1, 3);
    log.onReached(40);
    expect(format.told).toEqual(['10/2', '25/3', '30/1']);
  });

  it('sorts any run of events as a stable sort does', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(40), { maxLength: 200 }), (times) => {
        const format = new Told();
        const log = new EventLog([format]);
        for (const [i, now] of times.entries()) log.onVmexit(now, 0, 0, i);
        log.onReached(Infinity);
        const sorted = times.map((now, i) => ({ now, i })).toSorted((a, b) => a.now - b.now);
        expect(format.told).toEqual(sorted.map(({ now, i }) => `${now}/${i}`));
      }),
    );
  });

  it('tells the last state of a vCPU from one it was seen in before', () => {
    const kinds: Kind[] = [];
    const format: TraceFormat = {
      begin() {},
      event: (kind) => kinds.push(kind),
      flush() {},
      end() {},
    };
    const log = new EventLog([format]);
    log.onRunstate(10, 0, 0, 1, 1);
    log.onRunstate(20, 0, 0, 1, 0);
    log.onRunstate(30, 0, 0, 0, 0);
    log.onEnd(30);
    expect(kinds).toEqual([Kind.Settled, Kind.Runstate, Kind.Last]);
  });
});

describe('the protobuf writer', () => {
  const message = protobuf
    .parse(`syntax = "proto2";
      message M { optional uint64 n = 1; optional string s = 2; optional M m = 3; optional uint32 far = 300; }`)
    .root.lookupType('M');
  const decode = (writer: ProtoWriter) => {
    const memory = new Memory();
    writer.flush(memory.sink);
    return message.toObject(message.decode(memory.bytes), { longs: Number });
  };

  it('writes whole numbers up to 2^53 - 1 as a decoder reads them', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.nat(2 ** 31), (n, far) => {
        const writer = new ProtoWriter();
        writer.uint(1, n);
        writer.uint(300, far);
        expect(decode(writer)).toEqual({ n, far });
      }),
    );
  });

  it('writes nested messages of any length, and any text', () => {
    fc.assert(
      fc.property(fc.nat(400), fc.nat(), (length, n) => {
        const s = 'aé→'.repeat(length);
        const writer = new ProtoWriter();
        const outer = writer.begin(3);
        writer.uint(1, n);
        const inner = writer.begin(3);
        writer.string(2, s);
        writer.end(inner);
        writer.end(outer);
        expect(decode(writer)).toEqual({ m: { n, m: { s } } });
      }),
    );
  });
});

describe('the byte buffer', () => {
  it('writes whole numbers as JavaScript prints them', () => {
    fc.assert(
      fc.property(fc.oneof(fc.maxSafeNat(), fc.nat(2000), fc.constant(1e9)), (n) => {
        const buffer = new ByteBuffer();
        const memory = new Memory();
        buffer.decimal(n);
        buffer.flush(memory.sink);
        expect(memory.bytes.toString()).toBe(`${n}`);
      }),
    );
  });
});

describe('the CSV of a run', () => {
  interface Line {
    cycle: number;
    vcpu: string;
    event: string;
    detail: string;
    value: number;
  }
  let run: TracedRun;
  let lines: Line[];
  const warmup = 2_200_000;
  const sum = (event: string, vcpu: string, detail?: string, from = 0): number =>
    lines.reduce(
      (total, line) =>
        line.event === event &&
        line.vcpu === vcpu &&
        (detail === undefined || line.detail === detail) &&
        line.cycle >= from
          ? total + line.value
          : total,
      0,
    );

  beforeAll(async () => {
    run = await tracedRun(fromText(MIXED, ['warmup=1ms', 'duration=3ms']));
    const [header, ...rows] = run.csv.toString().trimEnd().split('\n');
    expect(header).toBe('cycle,pcpu,vcpu,event,detail,value');
    lines = rows.map((row) => {
      const fields = row.split(',');
      expect(fields.length).toBe(6);
      const [cycle, , vcpu, event, detail, value] = fields as [string, ...string[]];
      return {
        cycle: Number(cycle),
        vcpu: vcpu!,
        event: event!,
        detail: detail!,
        value: Number(value),
      };
    });
  });

  it('has the run states of the measured window in the lines from its begin on', () => {
    const window = lines.find(({ event }) => event === 'window')!;
    expect(window.cycle).toBe(warmup);
    for (const [state, metric] of [
      ['running', 'running_cycles'],
      ['ready', 'ready_cycles'],
      ['blocked', 'blocked_cycles'],
    ] as const) {
      for (const { vm, metrics } of run.result.vms) {
        expect(sum('runstate', `${vm}/0`, state, warmup), `${vm} ${state}`).toBe(metrics[metric]);
      }
    }
  });

  /** When the measured window begins for a vCPU: a kernel path that is under way runs on to its end. */
  const beginOf = (vm: string): number =>
    lines.find(
      ({ event, vcpu, cycle }) => event === 'runstate' && vcpu === `${vm}/0` && cycle >= warmup,
    )!.cycle;

  it('has a line for every exit, fault, flush and interrupt', () => {
    for (const { vm, reason, count } of run.result.exits) {
      const exits = lines.filter(
        (line) =>
          line.event === 'exit' &&
          line.vcpu === `${vm}/0` &&
          line.detail === reason &&
          line.cycle >= beginOf(vm),
      );
      expect(exits.length, `${vm} ${reason}`).toBe(count);
    }
    for (const { vm, metrics } of run.result.vms) {
      const begin = beginOf(vm);
      const count = (event: string, detail?: string) =>
        lines.filter(
          (line) =>
            line.event === event &&
            line.vcpu === `${vm}/0` &&
            (detail === undefined || line.detail === detail) &&
            line.cycle >= begin,
        ).length;
      expect(count('flush'), `${vm} flushes`).toBe(metrics.tlb_flushes);
      expect(count('interrupt'), `${vm} interrupts`).toBe(metrics.interrupts);
      // A fault is told from when the walk failed and counted once its cause is known: an edge may lie between.
      // A store that traps is told as emulated, or as hidden when it is repeated (its table went out of sync).
      const told = count('fault', 'hidden') + count('fault', 'emulated');
      const hidden = told - metrics.hidden_faults! - metrics.pte_write_exits!;
      expect(Math.abs(hidden), `${vm} hidden faults`).toBeLessThanOrEqual(1);
    }
  });

  it('has all that exits, switches and entries cost', async () => {
    const warm = 'hypervisor.footprint.touches=false';
    const whole = await tracedRun(fromText(MIXED, [...NESTED, ...INLINE, 'duration=8ms', warm]));
    const { injectEvent, timer, hostInterrupt } = whole.scenario.costs;
    let injected = 0;
    const costOf = ([, , , event, detail, value]: string[]): number => {
      if (event === 'exit' || event === 'switch' || event === 'resume') return Number(value);
      if (event !== 'interrupt' || detail !== 'entry') return 0;
      injected++;
      const vectors = Number(value);
      const hardware = (vectors & ~1) !== 0 ? hostInterrupt : 0;
      return injectEvent + ((vectors & 1) !== 0 ? timer : 0) + hardware;
    };
    for (const { vm } of whole.result.vms) {
      const leaves = whole.result.vms.find((row) => row.vm === vm)!.ledger;
      const wanted = ['exit.transition', 'exit.handler', 'switch', 'host'].reduce(
        (total, leaf) => total + (leaves[leaf] ?? 0),
        0,
      );
      const told = whole.csv
        .toString()
        .split('\n')
        .map((row) => row.split(','))
        .filter((fields) => fields[2] === `${vm}/0`)
        .reduce((total, fields) => total + costOf(fields), 0);
      expect(told, vm).toBe(wanted);
    }
    expect(injected).toBeGreaterThan(0);
  });
});

describe('a run that is observed', () => {
  it('gives the same result as one that is not', async () => {
    const set = ['host.pcpus=3', 'host.caches.data=on', 'duration=2ms'];
    const plain = await runScenario(fromText(MIXED, set).scenario);
    const { result } = await tracedRun(fromText(MIXED, set));
    expect(result).toEqual(plain);
  });

  it('gives the same traces every time', async () => {
    const set = ['duration=2ms'];
    const first = await tracedRun(fromText(MIXED, set));
    const second = await tracedRun(fromText(MIXED, set));
    expect(first.perfetto.equals(second.perfetto)).toBe(true);
    expect(first.xen.equals(second.xen)).toBe(true);
    expect(first.csv.equals(second.csv)).toBe(true);
  });
});
