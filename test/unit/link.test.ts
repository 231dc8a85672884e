import { describe, expect, it } from 'vitest';
import { Link } from '../../src/cluster/link.ts';
import { Engine } from '../../src/engine/engine.ts';
import fc from '../support/property.ts';

/** 1 Gb/s and 50 us at 2000 cycles a microsecond: 16 cycles a byte. */
const OPTIONS = { name: 'wire', between: [0, 1], bandwidth: 1e9, latency: 50e6 } as const;
const MHZ = 2000;
const CYCLES_PER_BYTE = 16;
const LATENCY = 50 * MHZ;

const link = (engine = new Engine(1)) => ({ engine, link: new Link(engine, MHZ, OPTIONS) });

describe('a link', () => {
  it('takes its bandwidth for each packet with headers, and its latency once', () => {
    const { engine, link: wire } = link();
    const at: number[] = [];
    wire.send(0, 1448, 0, (now) => at.push(now));
    wire.send(0, 1449, 0, (now) => at.push(now));
    engine.run(1e9);
    const first = (1448 + 90) * CYCLES_PER_BYTE;
    expect(at).toEqual([first + LATENCY, first + (1449 + 180) * CYCLES_PER_BYTE + LATENCY]);
  });

  it('has a queue for each direction', () => {
    const { engine, link: wire } = link();
    const at: string[] = [];
    const free = wire.send(0, 100_000, 0, () => at.push('there'));
    expect(wire.queued(0, 0)).toBe(free);
    expect(wire.queued(1, 0)).toBe(0);
    wire.send(1, 100, 5, () => at.push('back'));
    engine.run(1e9);
    expect(at).toEqual(['back', 'there']);
  });

  it('carries 117 MB in a second of a gigabit', () => {
    const { link: wire } = link();
    const second = MHZ * 1e6;
    expect(second / (wire.cyclesOf(1448 * 1000) / 1448e3)).toBeCloseTo(117.7e6, -5);
  });

  it('loses what is on it when it is cut, and what is sent until it is restored', () => {
    const { engine, link: wire } = link();
    const arrived: number[] = [];
    const cuts: number[] = [];
    const end = wire.onCut((now) => cuts.push(now));
    wire.send(0, 1000, 0, () => arrived.push(1));
    wire.send(0, 1_000_000, 0, () => arrived.push(2));
    wire.send(1, 1_000_000, 0, () => arrived.push(3));
    engine.run(2e6);
    expect(arrived).toEqual([1]);
    wire.cut(2e6);
    wire.cut(2e6);
    wire.send(0, 10, 2e6, () => arrived.push(4));
    engine.run(1e9);
    wire.restore();
    end();
    wire.send(0, 20, 1e9, () => arrived.push(5));
    engine.run(2e9);
    wire.cut(2e9);
    expect([arrived, cuts]).toEqual([[1, 5], [2e6]]);
    expect(wire.sentBy(0)).toMatchObject({ sent: 1_001_030, arrived: 1020, lost: 1_000_010 });
    expect(wire.sentBy(1)).toMatchObject({ sent: 1_000_000, arrived: 0, lost: 1_000_000 });
  });

  it('knows its ends', () => {
    const { link: wire } = link();
    expect([wire.peerOf(0), wire.peerOf(1)]).toEqual([1, 0]);
    expect(() => wire.send(2, 1, 0, () => {})).toThrow('host 2 is at neither end of the link wire');
  });

  it('delivers in order, accounts for every byte and is never faster than its wire', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            from: fc.constantFrom(0, 1),
            bytes: fc.nat(20_000),
            gap: fc.nat(200_000),
            what: fc.constantFrom('send', 'send', 'send', 'send', 'cut', 'restore'),
          }),
          { maxLength: 40 },
        ),
        (steps) => {
          const { engine, link: wire } = link();
          const order: number[][] = [[], []];
          let now = 0;
          for (const [i, { from, bytes, gap, what }] of steps.entries()) {
            now += gap;
            engine.run(now);
            if (what === 'cut') wire.cut(now);
            else if (what === 'restore') wire.restore();
            else {
              const sent = now;
              wire.send(from, bytes, now, (at) => {
                order[from]!.push(i);
                expect(at).toBeGreaterThanOrEqual(sent + bytes * CYCLES_PER_BYTE + LATENCY);
              });
            }
          }
          engine.run(now + 1e9);
          for (const from of [0, 1]) {
            const { sent, arrived, lost } = wire.sentBy(from);
            const [own, bytes] = [order[from]!, (i: number) => steps[i]!.bytes];
            expect(own).toEqual([...own].sort((a, b) => a - b));
            expect(sent).toBe(arrived + lost);
            expect(arrived).toBe(own.reduce((sum, i) => sum + bytes(i), 0));
          }
        },
      ),
      { numRuns: 50 },
    );
  });
});
