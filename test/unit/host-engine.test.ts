import { describe, expect, it } from 'vitest';
import { Engine, Phase } from '../../src/engine/engine.ts';
import type { HostEngine } from '../../src/engine/host-engine.ts';
import { SlowedEngine } from '../../src/engine/slowed-engine.ts';
import { Timebase, tickRate } from '../../src/engine/timebase.ts';
import { inCycles } from '../../src/scenario/cycles.ts';
import fc from '../support/property.ts';

/** Hosts of unlike clocks on one engine: two cycles of one are as long as three of the other. */
function twoHosts(lookahead = 1) {
  const engine = new Engine(lookahead);
  const [slow, fast] = [3, 2].map((ticks) => new SlowedEngine(engine, new Timebase(ticks)));
  return { engine, slow: slow!, fast: fast! };
}

describe('the time of a host', () => {
  it('has cycles of whole ticks, of which there are no more than are needed', () => {
    expect(tickRate([2.2e9, 2.3e9])).toBe(50.6e9);
    expect(tickRate([2.2e9, 2.2e9, 2.2e9])).toBe(2.2e9);
    expect(tickRate([2.2e9, 1.1e9])).toBe(2.2e9);
    expect(tickRate([2.3e9])).toBe(2.3e9);
  });

  it('takes what comes between two cycles at the later one', () => {
    const timebase = new Timebase(22);
    expect([0, 1, 21, 22, 23].map((time) => timebase.local(time))).toEqual([0, 1, 1, 1, 2]);
    expect([0, 1, 21, 22, 23].map((time) => timebase.passed(time))).toEqual([0, 0, 0, 1, 1]);
    expect(timebase.local(Number.POSITIVE_INFINITY)).toBe(Number.POSITIVE_INFINITY);
    expect(timebase.local(Number.NaN)).toBeNaN();
  });

  it('is never before that of the other host it comes from, and less than a cycle after it', () => {
    const ticks = fc.integer({ min: 1, max: 5000 });
    const cycles = fc.integer({ min: 0, max: 4e11 });
    fc.assert(
      fc.property(ticks, ticks, cycles, (a, b, time) => {
        const [own, other] = [new Timebase(a), new Timebase(b)];
        const late = own.engine(own.from(other, time)) - other.engine(time);
        expect(late).toBeGreaterThanOrEqual(0);
        expect(late).toBeLessThan(a);
      }),
    );
  });

  it('adds up in whole cycles, whatever the parts', () => {
    const parts = fc.array(fc.integer({ min: 0, max: 1e9 }), { maxLength: 8 });
    fc.assert(
      fc.property(parts, fc.integer({ min: 1, max: 60 }), (amounts, ticks) => {
        const cycles = inCycles(amounts, new Timebase(ticks));
        const sum = (all: readonly number[]) => all.reduce((total, one) => total + one, 0);
        expect(sum(cycles)).toBe(Math.round(sum(amounts) / ticks));
        for (const [i, amount] of amounts.entries()) {
          expect(Math.abs(cycles[i]! - amount / ticks)).toBeLessThanOrEqual(1);
          expect(cycles[i]).toBeGreaterThanOrEqual(0);
        }
      }),
    );
  });
});

describe('two hosts on one engine', () => {
  it('have their events in one order, each in cycles of its own', () => {
    const { engine, slow, fast } = twoHosts();
    const log: string[] = [];
    const note = (name: string, host: HostEngine) =>
      host.defineEvent(Phase.Deliver, (now) => log.push(`${name} ${now}`));
    const [a, b] = [note('slow', slow), note('fast', fast)];
    for (const at of [1, 2, 3]) slow.schedule(at, a, 0);
    for (const at of [1, 2, 3, 4]) fast.schedule(at, b, 0);
    engine.run(100);
    // At 2, 3, 4, 6, 6, 8 and 9 ticks.
    const expected = ['fast 1', 'slow 1', 'fast 2', 'slow 2', 'fast 3', 'fast 4', 'slow 3'];
    expect(log).toEqual(expected);
    expect([slow.now, fast.now]).toEqual([34, 50]);
  });

  it('refuse an event in the past, and hold a late timer as soon as they can', () => {
    const { engine, slow } = twoHosts();
    const times: number[] = [];
    const kind = slow.defineEvent(Phase.Deliver, (now) => times.push(now));
    engine.run(10);
    expect(() => slow.schedule(3, kind, 0)).toThrow(/would lie before/);
    slow.scheduleSoon(3, kind, 0);
    slow.every(5, Phase.Deliver, (now) => times.push(now));
    engine.run(30);
    expect(times).toEqual([4, 9]);
  });

  it('stop a pCPU where somebody has an earlier event, in whatever units he counts', () => {
    const { engine, slow, fast } = twoHosts(1000);
    const stops: number[] = [];
    const nothing = engine.defineEvent(Phase.Deliver, () => {});
    const runner = {
      time: 0,
      advance() {
        // The first time, something is to happen at 100 ticks.
        if (stops.length === 0) engine.schedule(100, nothing, 0);
        while (runner.time < slow.horizon) runner.time++;
        stops.push(runner.time);
      },
    };
    slow.attach(runner);
    fast.attach({ time: Number.POSITIVE_INFINITY, advance: () => {} });
    engine.run(900);
    expect(stops).toEqual([34, 300]);
    expect([slow.here, fast.here]).toEqual([300, 450]);
  });
});
