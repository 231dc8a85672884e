import { describe, expect, it } from 'vitest';
import { EntryKind, entryBytes } from '../../src/cluster/fault-tolerance/log-entry.ts';
import { recordReplayParams } from '../../src/cluster/fault-tolerance/params.ts';
import { type GuestModel, STEP, World } from '../support/abstract-pair.ts';

const SECOND = 1_000_000;
const { log } = recordReplayParams.parse({});

/** A pair whose primary takes an input of `bytes` each `every`. */
function fed(options: ConstructorParameters<typeof World>[0], every: number, bytes: number) {
  const world = new World(options);
  world.powerOn();
  world.engine.every(every, 0, () => {
    const primary = world.guests.find(({ role }) => role === 'primary' || role === 'alone');
    if (primary && world.inputs.length < 100) world.inputs.push(bytes);
  });
  return world;
}

describe('the log', () => {
  it('has the published sizes of timer ticks: two guests set them, the third follows', () => {
    // A tick's handler reads the clock twice.
    const tick =
      entryBytes(log, EntryKind.Timer, 1, 0) + 2 * entryBytes(log, EntryKind.Clock, 1, 0);
    const perSecond = (hz: number) => (hz * 8 * tick) / 1e6;
    // 1.43, 0.68 and 0.15 Mbit/s were measured: 180, 340 and 230 bytes a tick.
    expect(perSecond(1000) / 1.43).toBeGreaterThan(0.6);
    expect(perSecond(1000) / 1.43).toBeLessThan(1.4);
    expect(perSecond(250) / 0.68).toBeGreaterThan(0.6);
    expect(perSecond(82) / 0.15).toBeGreaterThan(0.6);
    expect(perSecond(82) / 0.15).toBeLessThan(1.4);
  });

  it('carries packets and disk blocks with a header for each', () => {
    expect(entryBytes(log, EntryKind.Packets, 3, 4344)).toBe(3 * 60 + 4344);
    expect(entryBytes(log, EntryKind.DiskRead, 2, 8192)).toBe(200 + 8192);
    expect(entryBytes(log, EntryKind.Clock, 1, 0)).toBe(24);
  });

  it('stops the primary when its buffer is full, and lets it go on', () => {
    // 50,000 bytes each 20 ms are 20 Mbit/s: ten times what the link carries.
    const slow = { bitsPerMicrosecond: 2, params: { log: { buffer: '1MiB' } } };
    const world = fed(slow, STEP, 50_000);
    world.engine.run(20 * SECOND);
    const [primary] = world.guests;
    expect(primary!.stalls).toBeGreaterThan(1);
    expect(world.pair.state).toBe('running');
    const carried = world.link('a', 'b').bytes * 8;
    expect(carried / (20 * SECOND * 2)).toBeGreaterThan(0.9);
    expect(primary!.program.point).toBeLessThan(0.3 * ((20 * SECOND) / STEP));
    expect(world.broken).toEqual([]);
  });

  it('is sent again from where a cut lost it, and everything arrives once, in order', () => {
    const world = fed({ secondarySpeed: 3 }, STEP, 3000);
    for (const at of [1.01, 2.53, 4.1]) {
      world.timers.at(at * SECOND, () => (world.link('a', 'b').cut = true));
      world.timers.at((at + 0.7) * SECOND, () => (world.link('a', 'b').cut = false));
    }
    world.engine.run(8 * SECOND);
    const { primary, secondary, state } = world.pair;
    expect(['running', 'lagging']).toContain(state);
    expect(primary!.sequence - secondary!.taken).toBeLessThan(3);
    expect(world.guests[1]!.program.point).toBeGreaterThan(world.guests[0]!.program.point - 3);
    expect(world.broken).toEqual([]);
  });
});

describe('an output', () => {
  it('waits for the acknowledgement and not for the replay', () => {
    // The secondary executes at a tenth of the speed: it is seconds behind.
    const world = fed({ secondarySpeed: 0.1, latency: 75 }, STEP, 100);
    world.engine.run(3 * SECOND);
    const { outputs } = world.pair.primary!;
    const wait = outputs.heldCycles / outputs.released;
    expect(outputs.released).toBeGreaterThan(10);
    // There and back, the wire's time of entry and acknowledgement, the work on both sides.
    expect(wait).toBeGreaterThanOrEqual(150);
    expect(wait).toBeLessThan(150 + 200);
    expect(world.guests[0]!.executed - world.guests[1]!.executed).toBeGreaterThan(2 * SECOND);
  });

  it('leaves at once when there is nobody to wait for', () => {
    const world = fed({}, STEP, 100);
    world.timers.at(SECOND, (now) => world.hostLost('b', now));
    world.engine.run(8 * SECOND);
    expect(world.pair.state).toBe('alone');
    const { held } = world.pair.primary!.outputs;
    expect(held).toBe(0);
    expect(world.packets.at(-1)!.at).toBeGreaterThan(7.5 * SECOND);
  });
});

describe('when the link is cut and nothing else', () => {
  it.each([0.1, 1, 2.9, 3.3])('exactly one side goes on: cut after %d s', (at) => {
    const world = fed({}, STEP, 3000);
    world.timers.at(at * SECOND, () => (world.link('a', 'b').cut = true));
    world.engine.run(12 * SECOND);
    const going = world.guests.filter(({ role }) => role !== 'halted');
    expect(going.map(({ role }) => role)).toEqual(['alone']);
    expect(world.broken).toEqual([]);
    // Which one is decided within the timeout, and the outside sees a gap of about that.
    const gap = Math.max(
      ...world.packets.map(({ at: sent }, i, all) => sent - (all[i - 1]?.at ?? 0)),
    );
    expect(gap).toBeGreaterThan(2 * SECOND);
    expect(gap).toBeLessThan(3 * SECOND);
  });

  it('nobody goes on before the shared disk answers', () => {
    const world = fed({}, STEP, 3000);
    world.timers.at(SECOND, () => {
      world.link('a', 'b').cut = true;
      world.disk.cut('a');
      world.disk.cut('b');
    });
    world.timers.at(9 * SECOND, () => world.disk.restoreAll());
    world.engine.run(8.9 * SECOND);
    expect(world.guests.filter(({ role }) => role === 'alone')).toEqual([]);
    const before = world.packets.length;
    expect(world.packets.at(-1)!.at).toBeLessThan(1.1 * SECOND);
    world.engine.run(14 * SECOND);
    expect(world.guests.filter(({ role }) => role !== 'halted')).toHaveLength(1);
    expect(world.packets.length).toBeGreaterThan(before);
    expect(world.broken).toEqual([]);
  });
});

describe('a secondary that takes nothing any more', () => {
  it('counts as lost after the log timeout, though its host says hello', () => {
    const world = fed({ params: { log: { buffer: '256KiB' } } }, STEP, 60_000);
    world.timers.at(SECOND, () => world.guests[1]!.freeze());
    world.engine.run(16 * SECOND);
    const alone = world.states.find(({ state }) => state === 'alone')!;
    expect(alone.now).toBeGreaterThan(9 * SECOND);
    expect(alone.now).toBeLessThan(10.5 * SECOND);
    expect(world.guests.map(({ role }) => role)).toEqual(['alone', 'halted']);
  });
});

describe('the lag', () => {
  it('of an equal secondary over a fast link is one event', () => {
    const world = fed({ bitsPerMicrosecond: 1e6, latency: 0 }, 7 * STEP, 1000);
    let most = 0;
    world.engine.every(STEP / 4, 3, () => {
      const { primary, secondary } = world.pair;
      // Entries of one point are one event: what the guest was told between two of its steps.
      const behind = world.guests[0]!.program.point - world.guests[1]!.program.point;
      if (primary!.sequence === secondary!.replayed) return;
      most = Math.max(most, behind);
    });
    world.engine.run(10 * SECOND);
    // The one being repeated, and the step that the primary has made meanwhile.
    expect(most).toBeLessThanOrEqual(gaps(world.guests[0]!) + 1);
    expect(world.broken).toEqual([]);
  });

  /** Steps between two events at most: what a secondary has to execute when it hears of one. */
  const gaps = (guest: GuestModel) =>
    Math.max(...guest.eventPoints.map((point, i, all) => point - (all[i - 1] ?? 0)));

  // Peak of the lag, when it is under a second for good, the lowest limit: ft.md's arithmetic of
  // the product's constants.
  it.each([
    [0.9, 0.8, 0, 0.81],
    [0.8, 1.9, 35, 0.66],
    [0.7, 4.2, 63, 0.48],
    [0.6, 7.8, 96, 0.35],
    [0.5, 13.0, 139, 0.23],
  ])('under the rule of the product, a secondary at %d of the speed', (...row) => {
    const [speed, peak, calm, lowest] = row;
    const world = fed({ secondarySpeed: speed }, STEP, 1);
    const [primary, secondary] = world.guests as [GuestModel, GuestModel];
    let most = 0;
    let late = 0;
    let least = 1;
    world.engine.every(SECOND / 10, 3, (now) => {
      const lag = (primary.executed - secondary.executed) / SECOND;
      most = Math.max(most, lag);
      if (lag > 1) late = now / SECOND;
      least = Math.min(least, world.pair.control.limit);
    });
    world.engine.run(190 * SECOND);
    expect(Math.abs(most - peak)).toBeLessThan(0.15 * peak);
    expect(Math.abs(late - calm)).toBeLessThanOrEqual(0.15 * calm);
    expect(Math.abs(least - lowest)).toBeLessThan(0.15 * lowest);
  });

  it('scales with the time scale', () => {
    const limits = [1, 0.01].map((timeScale) => {
      const world = fed({ secondarySpeed: 0.7, params: { timeScale } }, STEP, 1);
      world.engine.run(60 * SECOND * timeScale);
      return world.pair.control.limit;
    });
    expect(limits[1]).toBeCloseTo(limits[0]!, 5);
  });

  it('is smaller under the proportional rule, and the primary gets what the secondary can do', () => {
    const lagControl = { kind: 'proportional' };
    const world = fed({ secondarySpeed: 0.7, params: { lagControl } }, STEP, 1);
    const [primary, secondary] = world.guests as [GuestModel, GuestModel];
    let most = 0;
    world.engine.every(SECOND / 10, 3, () => {
      most = Math.max(most, (primary.executed - secondary.executed) / SECOND);
    });
    world.engine.run(60 * SECOND);
    const before = primary.executed;
    world.engine.run(160 * SECOND);
    expect(most).toBeLessThan(1.5);
    expect((primary.executed - before) / (100 * SECOND)).toBeGreaterThan(0.65);
    expect((primary.executed - before) / (100 * SECOND)).toBeLessThan(0.72);
  });
});
