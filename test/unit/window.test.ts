import { describe, expect, it } from 'vitest';
import { requestsNeeded } from '../../src/stats/findings.ts';
import type { VmRow } from '../../src/stats/result.ts';
import {
  type Progress,
  servedNone,
  starved,
  type VmWindow,
  windowFindings,
} from '../../src/stats/window.ts';

const MHZ = 2000;
/** 10 ms. */
const WINDOW = 20e6;

interface Vm {
  readonly name?: string;
  readonly metrics?: VmRow['metrics'];
  readonly requests?: VmRow['requests'];
  readonly progress?: readonly Progress[];
  readonly roundCycles?: number;
  readonly traceEndedAt?: number;
}

const vm = ({ name = 'a-0', metrics = {}, requests, progress, ...rest }: Vm): VmWindow => ({
  row: {
    vm: name,
    group: name.replace(/-\d+$/, ''),
    workload: 'synthetic',
    unit: 'requests',
    startInstructions: 0,
    metrics: { instructions: 1e6, running_cycles: WINDOW, ready_cycles: 0, ...metrics },
    ledger: {},
    ...(requests ? { requests } : {}),
  },
  progress: progress as VmWindow['progress'],
  roundCycles: undefined,
  ...rest,
});

const findings = (...vms: readonly Vm[]) =>
  windowFindings({ windowCycles: WINDOW, startCycle: 10e6, mhz: MHZ, vms: vms.map(vm) });

const served = (n: number, unfinished = 0): Vm['requests'] => ({
  served: Array.from({ length: n }, () => 1e6),
  unfinished: Array.from({ length: unfinished }, () => 1e6),
});

describe('a window', () => {
  it('that is long enough has no findings', () => {
    expect(findings({ requests: served(1000) }, { roundCycles: WINDOW })).toEqual([]);
  });

  it('in which a VM got no turn says so, and how long a round takes', () => {
    const metrics = { instructions: 0, running_cycles: 0, ready_cycles: WINDOW };
    const [found] = findings({ name: 'b-1', metrics, roundCycles: 240e6 });
    expect(found).toEqual({
      kind: 'no-turn',
      vms: ['b-1'],
      message: 'b-1 waited for a pCPU and got no turn in 10 ms',
      needed: 120e9,
    });
  });

  it('shorter than a round of slices says how long a round is', () => {
    const metrics = { ready_cycles: WINDOW / 2 };
    const found = findings({ metrics, roundCycles: 240e6 }, { name: 'idle-0', roundCycles: 240e6 });
    expect(found.map(({ kind, vms, needed }) => [kind, vms, needed])).toEqual([
      ['few-slices', ['a-0'], 120e9],
    ]);
    expect(found[0]!.message).toContain('120 ms');
  });

  it.each([
    [19, 'p50 needs 20', true],
    [20, 'p50 needs 20', false],
    [199, 'p95 needs 200', true],
    [200, 'p95 needs 200', false],
    [999, 'p99 needs 1,000', true],
  ])('with %i requests: "%s" is %s', (n, words, said) => {
    const messages = findings({ requests: served(n) }).map(({ message }) => message);
    expect(messages.join('\n').includes(words)).toBe(said);
  });

  it('counts unfinished requests, and says how long it takes at the present rate', () => {
    const [found] = findings({ requests: served(90, 10) });
    expect(found!.message).toBe(
      'too few requests for some percentiles (a-0 had 100): p95 needs 200 (a window of 20 ms), p99 needs 1,000 (100 ms)',
    );
    expect(found!.needed).toBe(100e9);
  });

  it('without a single request knows no length', () => {
    const [found] = findings({ requests: served(0) });
    expect(found).not.toHaveProperty('needed');
  });

  const at = (instructions: number, runningCycles: number, queued = 0): Progress => ({
    instructions,
    runningCycles,
    queued,
  });

  it.each([
    [2.0, 2.1, 0],
    [2.0, 2.3, 1],
    [2.3, 2.0, 1],
  ])('at %d and %d cycles per instruction in its halves drifts: %i', (first, second, count) => {
    const progress = [at(0, 0), at(1e6, first * 1e6), at(2e6, (first + second) * 1e6)];
    expect(findings({ progress }).filter(({ kind }) => kind === 'drift')).toHaveLength(count);
  });

  it('looks at the cost of an instruction in a group of VMs as a whole', () => {
    const progress = (first: number, second: number) => [
      at(0, 0),
      at(1e6, first * 1e6),
      at(2e6, (first + second) * 1e6),
    ];
    const vms = [
      { name: 'web-0', progress: progress(2, 2.5) },
      { name: 'web-1', progress: progress(2.5, 2) },
    ];
    expect(findings(...vms)).toEqual([]);
  });

  it.each([
    [[0, 50, 100], 100, 1],
    [[0, 30, 39], 100, 0],
    [[10, 5, 60], 100, 0],
  ])('with a queue of %j of %i requests has a queue that grows: %i', (queue, arrived, count) => {
    const progress = queue.map((queued, i) => at(i * 1e6, i * 1e6, queued));
    const found = findings({ progress, metrics: { requests_arrived: arrived } });
    expect(found.map(({ kind }) => kind)).toEqual(count === 0 ? [] : ['queue-grows']);
  });

  it.each([
    [4e6, 'after 2 ms, before the measured window'],
    [11e6, '500 us into the window of 10 ms'],
  ])('after or in which a trace ended at cycle %i says so with the cures', (ended, words) => {
    const [found] = findings({ traceEndedAt: ended });
    expect(found!.message).toContain(words);
    for (const cure of ['loop: true', 'duration: work', 'a longer trace']) {
      expect(found!.message).toContain(cure);
    }
  });
});

describe('a VM', () => {
  it('is starved when it waited and executed nothing', () => {
    expect(starved(vm({ metrics: { instructions: 0, ready_cycles: 5 } }).row)).toBe(true);
    expect(starved(vm({ metrics: { instructions: 0, parked_cycles: 5 } }).row)).toBe(true);
    expect(starved(vm({ metrics: { instructions: 9, ready_cycles: 5 } }).row)).toBe(false);
    // Asleep all the time: it wanted nothing.
    expect(starved(vm({ metrics: { instructions: 0 } }).row)).toBe(false);
  });

  it('served none when requests wait and none was finished', () => {
    expect(servedNone(vm({ metrics: { requests: 0, requests_unfinished: 3 } }).row)).toBe(true);
    expect(servedNone(vm({ metrics: { requests: 0, requests_unfinished: 0 } }).row)).toBe(false);
    expect(servedNone(vm({ metrics: { requests: 1, requests_unfinished: 3 } }).row)).toBe(false);
  });
});

it.each([
  [0.5, 20],
  [0.95, 200],
  [0.99, 1000],
])('the quantile %d needs %i requests', (quantile, needed) => {
  expect(requestsNeeded(quantile)).toBe(needed);
});
