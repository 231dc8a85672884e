import { expect, it } from 'vitest';
import { Engine, Phase } from '../../src/engine/engine.ts';

/** Nothing happens before what has happened already. */
function atTen() {
  const engine = new Engine(1);
  const times: number[] = [];
  const note = engine.defineEvent(Phase.Deliver, (now) => times.push(now));
  engine.schedule(10, note, 0);
  engine.run(10);
  expect(times).toEqual([10]);
  return { engine, note, times };
}

it.each([9, 0, -1, Number.NaN])('an event at %d after one at 10 is refused', (at) => {
  const { engine, note } = atTen();
  expect(() => engine.schedule(at, note, 0)).toThrow(/before the last one, at 10/);
});

it.each([
  [9, 10],
  [10, 10],
  [11, 11],
])('a timer that may be late, set to %d, goes off at %d', (at, expected) => {
  const { engine, note, times } = atTen();
  engine.scheduleSoon(at, note, 0);
  engine.run(20);
  expect(times).toEqual([10, expected]);
});

it('an event at the time of the last one is no fault', () => {
  const { engine, note, times } = atTen();
  engine.schedule(10, note, 0);
  engine.run(20);
  expect(times).toEqual([10, 10]);
});
