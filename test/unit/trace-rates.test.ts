import { describe, expect, it } from 'vitest';
import { trace } from '../../src/guest/workloads/trace.ts';
import { Op, type Program, type Workload } from '../../src/guest/workloads/workload.ts';
import { runScenario } from '../../src/scenario/run.ts';
import type { MetricName } from '../../src/stats/metrics.ts';
import type { RunResult } from '../../src/stats/result.ts';
import { type Item, nextItems } from '../support/items.ts';
import { load, metric, type Overrides } from '../support/scenarios.ts';
import { textFeed } from '../support/traces.ts';

/** Kernel events at given rates among the visits of a trace that recorded none. */
const AREA = 14 * 2 ** 27;
const PER_1M = {
  syscalls: { other: 300 },
  blockingIo: 20,
  mmap: { calls: 100, pages: 4, live: 8 },
  munmap: 30,
  mprotect: 60,
  heapGrowth: { calls: 50, pages: 8, limit: '256KiB' },
  yields: 40,
};

/** About 3000 instructions of text and 160 references to data and stack. */
const LINES = Array.from({ length: 20 }, (_, i) => {
  const page = (i % 7) * 3;
  return `I ${90 + ((i * 37) % 120)} ${(0x400 + page).toString(16)}\nL 5 ${(0x900 + i).toString(16)}\nS 3 7fffffff${i % 3}\n`;
}).join('');

function create(text: string, params: object, chunk?: number): Workload {
  return trace.create(trace.params.parse({ file: 'test.pt', ...params }), {
    seed: 'seed',
    vm: 'vm',
    memoryPages: 1024,
    openTrace: () => textFeed('test.pt', text, chunk),
  });
}

const programOf = (text: string, params: object, chunk?: number): Program =>
  create(text, params, chunk).processes[0]!.programs[0]!;

/** Items up to the end of pass `passes`. */
function items(from: Program, passes = 1, room = 64): Item[] {
  const all: Item[] = [];
  for (;;) {
    const next = nextItems(from, room);
    for (const [a, op, b, c] of next) {
      if ((op & 255) === Op.WorkDone && --passes === 0) return all;
      all.push([a, op & 255, b, c]);
    }
    if (next.length === 0) return all;
  }
}

const isVisit = ([, op]: Item) => op <= Op.Store;
const ofTrace = (all: readonly Item[]) => all.filter((item) => isVisit(item) && item[0] < AREA);

/** Visits with the pieces of those that an event has cut put together. */
function joined(visits: readonly Item[]): Item[] {
  const whole: Item[] = [];
  for (const [page, op, references, instructions] of visits) {
    const last = whole.at(-1);
    if (last && last[0] === page && last[1] === op) {
      whole[whole.length - 1] = [page, op, last[2] + references, last[3] + instructions];
    } else {
      whole.push([page, op, references, instructions]);
    }
  }
  return whole;
}

describe('rates of events for a trace', () => {
  it('come out as given', () => {
    const all = items(programOf(LINES, { loop: true, per1M: PER_1M }), 4000);
    const millions = ofTrace(all).reduce((sum, item) => sum + item[3], 0) / 1e6;
    expect(millions).toBeGreaterThan(8);
    const rate = (op: number) => all.filter((item) => item[1] === op).length / millions;
    const near = (op: number, expected: number) => {
      const deviations = 4 * Math.sqrt(expected / millions);
      expect(Math.abs(rate(op) - expected), `operation ${op}`).toBeLessThan(deviations);
    };
    near(Op.Syscall, PER_1M.syscalls.other);
    near(Op.BlockingIo, PER_1M.blockingIo);
    near(Op.Mmap, PER_1M.mmap.calls + PER_1M.heapGrowth.calls);
    near(Op.Mprotect, PER_1M.mprotect);
    near(Op.Yield, PER_1M.yields);
    // Of 100 mappings a million instructions 30 are unmapped by rate, 70 to stay below 8; the heap is given back.
    near(Op.Munmap, PER_1M.mmap.calls + PER_1M.heapGrowth.calls / 8);
  });

  it('leave the visits of the trace as they are, cut where an event falls into one', () => {
    const plain = ofTrace(items(programOf(LINES, { loop: true }), 50));
    const rated = ofTrace(items(programOf(LINES, { loop: true, per1M: PER_1M }), 50));
    expect(rated.length).toBeGreaterThan(plain.length);
    expect(joined(rated)).toEqual(joined(plain));
  });

  it('are the same whatever the size of blocks and chunks', () => {
    const params = { loop: true, per1M: PER_1M };
    const expected = items(programOf(LINES, params), 20);
    expect(items(programOf(LINES, params), 20, 1)).toEqual(expected);
    const chunked = items(programOf(LINES, params, 7), 20, 5);
    expect(chunked).toEqual(expected);
  });

  it('act on pages above all of the trace, on mappings like anonymous memory', () => {
    const params = { loop: true, per1M: PER_1M };
    const { regions, programs } = create(LINES, params).processes[0]!;
    const program = programs[0]!;
    const mapping: readonly number[] = [Op.Mmap, Op.Munmap, Op.Mprotect];
    const changes = items(program, 100).filter((item) => mapping.includes(item[1]));
    expect(changes.length).toBeGreaterThan(30);
    for (const [page, op, pages, last] of changes) {
      expect(page).toBeGreaterThanOrEqual(AREA);
      expect(page + pages).toBeLessThanOrEqual(15 * 2 ** 27);
      if (op === Op.Mmap) expect(regions[last]).toMatchObject({ kind: 'anon', writable: true });
    }
    expect(regions[0]!.start + regions[0]!.pages).toBe(AREA);
  });

  it('are counted for each address space, which unmaps only what it has mapped', () => {
    const text = Array.from({ length: 40 }, (_, i) => `P ${i % 3}\nI 900 400\n`).join('');
    const mapped = [new Set<number>(), new Set<number>(), new Set<number>()];
    let space = 0;
    let unmapped = 0;
    for (const [a, op] of items(programOf(text, { loop: true, per1M: PER_1M }), 30)) {
      if (op === Op.SwitchTo) space = a;
      if (op === Op.Mmap) mapped[space]!.add(a);
      if (op !== Op.Munmap) continue;
      expect(mapped[space]!.has(a)).toBe(true);
      unmapped++;
    }
    expect(unmapped).toBeGreaterThan(20);
    expect(mapped.every((pages) => pages.size > 5)).toBe(true);
  });

  it('are not references of a turn or of a limit', () => {
    const params = { per1M: PER_1M, limitReferences: 2000 };
    const own = ofTrace(items(programOf(LINES, params)));
    expect(own.reduce((sum, item) => sum + item[2], 0)).toBe(2000);
  });

  it.each([
    [{ events: 'replay' }, 'takes the events from the trace'],
    [{ kernel: false }, 'take kernel time'],
    [{ populate: true }, 'set populate to false'],
    [{ per1M: { heapGrowth: { limit: '513GiB' } } }, 'exceed 512 GiB'],
    [{ per1M: { mmap: { pages: 2 ** 18, live: 512 } } }, 'exceed 512 GiB'],
  ])('are refused with %o', (params, message) => {
    expect(() => create(LINES, { per1M: PER_1M, ...params })).toThrow(message);
  });

  it('are refused when the trace leaves them no area', () => {
    const text = (areas: number) =>
      Array.from({ length: areas }, (_, i) => `L 9 ${(i * 2 ** 27).toString(16)}\n`).join('');
    expect(items(programOf(text(14), { per1M: PER_1M }))).toHaveLength(14);
    expect(items(programOf(text(15), {}))).toHaveLength(15);
    expect(() => items(programOf(text(15), { per1M: PER_1M }))).toThrow(
      /^test\.pt:15: .* more than 14 areas of 512 GiB, and per1M needs the last one/,
    );
  });

  it('are refused in turns of so many references', () => {
    const scheduler = { kind: 'round-robin', references: 1000 };
    expect(() => load(scenario({ per1M: PER_1M }, { hypervisor: { scheduler } }))).toThrow(
      'kernel events at rates need turns of time',
    );
    expect(() => load(scenario({}, { hypervisor: { scheduler } }))).not.toThrow();
  });
});

function scenario(params: object, over: Overrides = {}): Overrides {
  const workload = { kind: 'trace', file: 'test.pt', populate: false, ...params };
  return { duration: 'work', vms: [{ name: 'vm', memory: '32MiB', workload }], ...over };
}

describe('a trace with rates of events under shadow paging', () => {
  const text = LINES.repeat(300);
  const run = (params: object): Promise<RunResult> => {
    const mmu = { kind: 'shadow', profile: 'write-protect' };
    return runScenario(load(scenario(params, { hypervisor: { mmu } })), {
      openTrace: (file) => textFeed(file, text),
    });
  };

  it('runs the same user code and makes the hypervisor work', async () => {
    const quiet = await run({});
    const calls = await run({ per1M: { syscalls: { other: 300 } } });
    const mappings = await run({ per1M: { mmap: PER_1M.mmap } });
    const more = (result: RunResult, name: MetricName) =>
      metric(result, name) - metric(quiet, name);
    expect(more(calls, 'syscalls')).toBeGreaterThan(200);
    expect(more(calls, 'user_instructions')).toBe(0);
    expect(more(calls, 'pte_write_exits')).toBe(0);
    // Each fault beyond those of the trace is the first store to a new page: 64 instructions.
    const faults = more(mappings, 'guest_faults');
    expect(faults).toBeGreaterThan(200);
    expect(more(mappings, 'user_instructions')).toBe(64 * faults);
    expect(more(mappings, 'pte_write_exits')).toBeGreaterThan(faults);
    expect(more(mappings, 'work')).toBe(0);
  });

  it('waits for its I/O', async () => {
    const quiet = await run({});
    const waiting = await run({ per1M: { blockingIo: 20 }, ioLatency: '1ms' });
    const waits = metric(waiting, 'syscalls');
    expect(waits).toBeGreaterThan(5);
    const longer = (waiting.windowCycles - quiet.windowCycles) / quiet.mhz / 1e3;
    expect(longer).toBeGreaterThan(waits);
    expect(longer).toBeLessThan(1.1 * waits);
  });
});
