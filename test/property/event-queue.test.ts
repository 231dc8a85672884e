import { describe, expect, it } from 'vitest';
import { EventQueue, type Phase } from '../../src/engine/event-queue.ts';
import fc from '../support/property.ts';

interface Pending {
  readonly time: number;
  readonly phase: number;
  readonly order: number;
  readonly target: number;
  readonly handle: number;
}

const byOrder = (a: Pending, b: Pending) =>
  a.time - b.time || a.phase - b.phase || a.order - b.order;

const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('push' as const),
      time: fc.oneof(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 0, max: 2 ** 52 })),
      phase: fc.integer({ min: 0, max: 3 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('pop' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('cancel' as const), which: fc.nat(1000) }) },
);

describe('the event queue', () => {
  it('gives back what a sorted list gives back, whatever was cancelled', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
        const queue = new EventQueue(4);
        const pending: Pending[] = [];
        const handles: number[] = [];
        const popBoth = () => {
          pending.sort(byOrder);
          const expected = pending.shift();
          expect(queue.peekTime()).toBe(expected?.time ?? Infinity);
          expect(queue.pop()).toBe(expected !== undefined);
          if (expected)
            expect([queue.time, queue.target]).toEqual([expected.time, expected.target]);
        };
        for (const [order, s] of steps.entries()) {
          if (s.do === 'push') {
            const handle = queue.push(s.time, s.phase as Phase, order % 7, order);
            handles.push(handle);
            pending.push({ time: s.time, phase: s.phase, order, target: order, handle });
          } else if (s.do === 'pop') {
            popBoth();
          } else if (handles.length > 0) {
            // Any handle ever given: cancelling what has happened or was cancelled does nothing.
            const handle = handles[s.which % handles.length]!;
            queue.cancel(handle);
            const at = pending.findIndex((event) => event.handle === handle);
            if (at >= 0) pending.splice(at, 1);
          }
          expect(queue.length).toBe(pending.length);
        }
        while (pending.length > 0) popBoth();
        expect(queue.pop()).toBe(false);
      }),
      { numRuns: 200 },
    );
  });
});
