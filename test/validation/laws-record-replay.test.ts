import { describe, expect, it } from 'vitest';
import { EntryKind, isInterrupt } from '../../src/cluster/fault-tolerance/log-entry.ts';
import { record, replay, type Side } from '../support/recorded-pair.ts';
import type { Overrides } from '../support/scenarios.ts';

/**
 * A second guest that is told what the first was told, at the same points of its program, executes
 * the same: the cycles of its user and kernel code are equal to the cycle at every interrupt. Exits,
 * walks and stalls differ.
 */
const scenario = (workload: Overrides): Overrides => ({
  duration: process.env['VALIDATE'] === 'full' ? '60ms' : '9ms',
  host: { pcpus: 1, memory: '1GiB' },
  hypervisor: { profile: 'esx-4', mmu: { kind: 'shadow', profile: 'vmware-trace' } },
  vms: [{ name: 'vm', memory: '256MiB', workload }],
  checks: { translations: false },
});

const WORKLOADS: Readonly<Record<string, Overrides>> = {
  compile: { kind: 'kernel-compile', hz: 1000 },
  web: { kind: 'web-server' },
  // Often idle: it reads its clock, and an interrupt comes before its next step.
  'short requests': {
    kind: 'web-server',
    requests: { arrivals: { kind: 'open', rate: '7000/s' }, instructions: 3000, ioProbability: 0 },
  },
  oltp: { kind: 'oltp', hz: 1000 },
  sessions: { kind: 'terminal-server', hz: 1000 },
  answers: {
    kind: 'synthetic',
    regions: [{ name: 'heap', kind: 'anon', size: '600KiB', share: 1, stores: 0.3 }],
    ioLatency: '50us',
    requests: {
      arrivals: { kind: 'open', rate: '3000/s' },
      ...{ instructions: 20_000, syscalls: { other: 3 }, ioProbability: 0.5, responseBytes: 9000 },
    },
  },
  // Packets that come before a guest that has just woken makes a step.
  packets: {
    kind: 'synthetic',
    regions: [{ name: 'heap', kind: 'anon', size: '256KiB', share: 1, stores: 0.3 }],
    requests: { arrivals: { kind: 'open', rate: '10000/s' }, instructions: 5000 },
  },
  faults: { kind: 'page-fault-loop', pages: 64, hz: 1000 },
};

/** What was told and executed up to the last event that both know. */
function expectSame(primary: Side, secondary: Side): void {
  const common = secondary.marks.length;
  expect(common).toBeGreaterThan(2);
  expect(secondary.marks).toEqual(primary.marks.slice(0, common));
  expect(secondary.faults).toEqual(primary.faults.slice(0, secondary.faults.length));
}

const entries = Object.entries(WORKLOADS);

describe.each(entries)('a replayed guest: %s', (_, workload) => {
  const primary = record(scenario(workload));

  it('executes the same, with a log that comes at once, and is one event behind', () => {
    const secondary = replay(scenario(workload), primary, () => 0);
    expectSame(primary, secondary);
    // What it has not replayed in the end: the event that came last, and what belongs to it.
    const missing = primary.marks.length - secondary.marks.length;
    expect(missing).toBeLessThanOrEqual(3);
  });

  it('executes the same, with a log that comes late and in bursts', () => {
    const late = (i: number) => ((i * 7919) % 13) * 200_000;
    expectSame(primary, replay(scenario(workload), primary, late));
  });

  it('executes the same, with a log that comes entry by entry', () => {
    // Entries of one step lie so far apart that the guest could go on in between.
    expectSame(
      primary,
      replay(scenario(workload), primary, (i) => i * 30_000),
    );
  });
});

describe('the comparison', () => {
  const workload = WORKLOADS['sessions']!;
  const primary = record(scenario(workload));
  const replayed = (log: Side['log']) => () =>
    expectSame(
      primary,
      replay(scenario(workload), { ...primary, log }, () => 0),
    );

  it('finds an interrupt that comes one step late', () => {
    const at = primary.log.findIndex(({ kind }, i) => i > 5 && isInterrupt(kind));
    const log = primary.log.map((entry, i) =>
      i === at ? { ...entry, point: entry.point + 1 } : entry,
    );
    expect(replayed(log)).toThrow();
  });

  it('finds an entry that is missing', () => {
    const at = primary.log.findIndex(({ kind }, i) => i > 5 && kind === EntryKind.Timer);
    expect(at).toBeGreaterThan(0);
    expect(replayed(primary.log.filter((_, i) => i !== at))).toThrow();
  });

  it('finds an answer that is another', () => {
    const web = scenario(WORKLOADS['web']!);
    const primary = record(web);
    const log = primary.log.map((entry) =>
      entry.kind === EntryKind.Told ? { ...entry, value: Number.NaN } : entry,
    );
    expect(log).not.toEqual(primary.log);
    expect(() =>
      expectSame(
        primary,
        replay(web, { ...primary, log }, () => 0),
      ),
    ).toThrow();
  });
});
