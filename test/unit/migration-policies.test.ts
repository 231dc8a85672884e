import { describe, expect, it } from 'vitest';
import { migrationPolicies } from '../../src/cluster/migration/index.ts';
import {
  MBIT,
  type Next,
  PAGE,
  type PreCopyPolicy,
  type Round,
  SECOND,
} from '../../src/cluster/migration/policy.ts';

/** Each stop rule, driven to each of its ends by a guest and a link without any detail. */

interface Guest {
  /** Pages. */
  readonly memory: number;
  /** Pages stored to at all, and how many different ones in a second. */
  readonly hot: number;
  readonly dirtyRate: number;
  /** Bytes in a second. */
  readonly link: number;
}

interface End {
  readonly next: Next | undefined;
  readonly rounds: Round[];
  readonly stuns: number[];
  readonly rates: number[];
  /** Picoseconds that the guest stands still. */
  readonly downtime: number;
}

const policy = (choice: { kind: string; [param: string]: unknown }): PreCopyPolicy =>
  migrationPolicies.create(migrationPolicies.schema.parse(choice), undefined).preCopy!;

function migrate(
  choice: { kind: string; [param: string]: unknown },
  { memory, hot, dirtyRate, link }: Guest,
  mostRounds = 200,
): End {
  const chosen = policy(choice);
  const rounds: Round[] = [];
  const stuns: number[] = [];
  const rates: number[] = [];
  let pending = memory;
  let total = 0;
  let before: Round | undefined;
  let next: Next | undefined;
  while (rounds.length < mostRounds && next?.what !== 'stop') {
    const pace = chosen.pace(before);
    stuns.push(pace.stun);
    rates.push(pace.rate);
    // Of pages that are dirtied at random, those already dirty when their turn comes are passed over.
    const skipped = chosen.skips ? Math.min(hot, pending, before ? Math.floor(pending / 3) : 0) : 0;
    const sent = Math.min(pending - skipped, Math.ceil(pace.budget / PAGE));
    const sending = Math.ceil((sent * PAGE * SECOND) / Math.min(link, pace.rate));
    const elapsed = Math.max(sending, pace.interval);
    const dirtied = Math.min(hot, Math.round((dirtyRate * (1 - pace.stun) * elapsed) / SECOND));
    total += sent;
    const left = Math.min(memory, pending - sent + dirtied);
    const round: Round = {
      ...{ round: rounds.length + 1, memory, sent, skipped, total, bytes: sent * PAGE },
      ...{ elapsed, sending, pending: left },
      dirtied: chosen.readsLogFirst ? dirtied : undefined,
    };
    rounds.push(round);
    next = chosen.next(round);
    pending = left;
    before = { ...round, dirtied };
    if (next.what === 'fail' || next.what === 'early') break;
  }
  const end = next?.what === 'round' ? undefined : next;
  return { next: end, rounds, stuns, rates, downtime: (pending * PAGE * SECOND) / link };
}

/** 64 MiB on a gigabit. */
const calm: Guest = { memory: 16384, hot: 40, dirtyRate: 400, link: 117e6 };
const web: Guest = { ...calm, hot: 3000, dirtyRate: 8000 };
/** Dirties faster than the link sends. */
const wild: Guest = { ...calm, hot: 8000, dirtyRate: 60_000 };

const xen = { kind: 'xen-3' };
const qemu = { kind: 'qemu-0.12' };
const ms = (picoseconds: number) => picoseconds / 1e9;

describe('xen-3', () => {
  it('ends with a small set of hot pages when a round has fewer than 50', () => {
    const { next, rounds } = migrate(xen, calm);
    expect(next).toEqual({ what: 'stop', why: 'fewer than 50 pages' });
    expect(rounds.map(({ sent }) => sent)).toEqual([16384, 27]);
  });

  it('ends at three times the memory when the guest dirties faster than the link', () => {
    const { next, rounds } = migrate(xen, wild);
    expect(next).toEqual({ what: 'stop', why: 'more than 3 times the memory' });
    expect(rounds.at(-1)!.total).toBeGreaterThan(3 * 16384);
    expect(rounds.at(-2)!.total).toBeLessThanOrEqual(3 * 16384);
  });

  it('ends after 29 rounds when neither comes before', () => {
    const { next, rounds } = migrate(xen, { ...calm, hot: 300, dirtyRate: 60_000 });
    expect(next).toEqual({ what: 'stop', why: '29 rounds' });
    expect(rounds).toHaveLength(29);
  });

  it('counts what it passed over as pages of the round', () => {
    const p = policy(xen);
    const round = { round: 2, memory: 1000, total: 1020, bytes: 0, elapsed: 1, sending: 1 };
    const one = { ...round, dirtied: undefined, pending: 0 };
    expect(p.next({ ...one, sent: 20, skipped: 29 }).what).toBe('stop');
    expect(p.next({ ...one, sent: 20, skipped: 30 }).what).toBe('round');
  });

  it('follows what the guest dirties if told to, plus 50 Mb/s, up to 500', () => {
    const { next, rates } = migrate({ ...xen, adaptive: true }, web);
    expect(rates[0]).toBe(100 * MBIT);
    expect(Math.max(...rates)).toBeGreaterThan(200 * MBIT);
    expect(Math.max(...rates)).toBeLessThanOrEqual(500 * MBIT);
    expect([...rates]).toEqual([...rates].sort((a, b) => a - b));
    expect(next?.what).toBe('stop');
  });

  it('at its highest rate ends when a round sends more than the one before', () => {
    const p = policy({ ...xen, adaptive: true });
    const round = { memory: 10_000, skipped: 0, pending: 0, bytes: 0, sending: 1, total: 0 };
    const one = (n: number, sent: number, dirtied: number) => ({
      ...round,
      ...{ round: n, sent, elapsed: 1e12, dirtied },
    });
    expect(p.pace(undefined).rate).toBe(100 * MBIT);
    expect(p.next(one(1, 10_000, 9000)).what).toBe('round');
    // 9000 pages in a second are 294 Mb/s.
    expect(p.pace(one(1, 10_000, 9000)).rate).toBe(344 * MBIT);
    expect(p.next(one(2, 9500, 20_000)).what).toBe('round');
    expect(p.pace(one(2, 9500, 20_000)).rate).toBe(500 * MBIT);
    expect(p.next(one(3, 9600, 9000))).toEqual({ what: 'stop', why: 'sends more than before' });
  });
});

describe('qemu-0.12', () => {
  it('stops when the rest takes 30 ms, and not before', () => {
    const { next, rounds, downtime } = migrate(qemu, calm);
    expect(next?.what).toBe('stop');
    // 64 MiB at 32 MiB/s, and a rest of 30 ms at the speed of the wire.
    expect(rounds.length).toBe(20);
    expect(ms(downtime)).toBeLessThanOrEqual(30);
    const before = rounds.at(-2)!;
    expect(ms((before.pending * PAGE * SECOND) / 117e6)).toBeGreaterThan(30);
  });

  it('never ends when the guest dirties more than the limit lets through', () => {
    const { next, rounds } = migrate(qemu, web, 500);
    expect([next, rounds.length]).toEqual([undefined, 500]);
    expect(migrate({ ...qemu, rate: 1000 }, { ...web, hot: 500 }).next?.what).toBe('stop');
  });

  it('divides by the time in which it was sending, not by that of the turn', () => {
    const p = policy(qemu);
    const round = { round: 9, memory: 16384, skipped: 0, total: 9999, dirtied: 0, bytes: 3.2e6 };
    const one = { ...round, sent: 800, elapsed: 100e9, sending: 27.35e9 };
    // 117 MB/s: 3.51 MB in 30 ms.
    expect(p.next({ ...one, pending: 856 }).what).toBe('stop');
    expect(p.next({ ...one, pending: 858 }).what).toBe('round');
  });
});

describe('vmotion', () => {
  const big: Guest = { ...wild, memory: 262_144, hot: 262_144, dirtyRate: 25_000 };

  it.each(['vmotion-4', 'vmotion-5'])('%s stops when the rest takes half a second', (kind) => {
    const { next, rounds, downtime, stuns } = migrate(
      { kind },
      { ...web, memory: 262_144, hot: 30_000 },
    );
    expect(next?.what).toBe('stop');
    expect(rounds.length).toBeGreaterThan(1);
    expect(ms(downtime)).toBeLessThanOrEqual(500);
    expect(Math.max(...stuns)).toBe(0);
  });

  it('of ESX 4 gives up when rounds do not help, or resumes early', () => {
    const why = 'the VM dirties too much';
    expect(migrate({ kind: 'vmotion-4' }, big).next).toEqual({ what: 'fail', why });
    const quick = { kind: 'vmotion-4', quickResume: true };
    expect(migrate(quick, big).next).toEqual({ what: 'early', why });
  });

  it('of ESXi 5 slows the guest until five times more is sent than it dirties', () => {
    const { next, rounds, stuns, downtime } = migrate({ kind: 'vmotion-5' }, big);
    expect(next?.what).toBe('stop');
    expect(ms(downtime)).toBeLessThanOrEqual(500);
    const slowed = stuns.findIndex((stun) => stun > 0);
    const { sent, dirtied } = rounds[slowed]!;
    expect(sent / dirtied!).toBeGreaterThan(4.5);
    expect(sent / dirtied!).toBeLessThan(12);
    // And is not let go again before the end.
    expect(stuns).toEqual([...stuns].sort((a, b) => a - b));
  });

  it('of ESXi 5 stops a guest that cannot be slowed enough', () => {
    const { next, stuns } = migrate(
      { kind: 'vmotion-5', mostStun: 0.3 },
      { ...big, dirtyRate: 60_000 },
    );
    expect(next).toEqual({ what: 'stop', why: 'the VM cannot be slowed further' });
    expect(stuns.at(-1)).toBe(0.3);
  });
});

describe('every policy', () => {
  it('ends with a guest that stores to nothing, unless it begins with the end', () => {
    for (const { name } of migrationPolicies.definitions) {
      const choice = migrationPolicies.schema.parse({ kind: name });
      const { preCopy, wire } = migrationPolicies.create(choice, undefined);
      expect(wire.batch).toBeGreaterThan(0);
      if (!preCopy) continue;
      const { next, rounds } = migrate({ kind: name }, { ...calm, hot: 0, dirtyRate: 0 });
      expect(next?.what).toBe('stop');
      expect(rounds.reduce((sum, { sent }) => sum + sent, 0)).toBeLessThanOrEqual(16384);
    }
  });
});
