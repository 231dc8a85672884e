import { describe, expect, it } from 'vitest';
import { metric, type Overrides, run } from '../support/scenarios.ts';

/** Every walk says why it was needed: the first thing that took the translation away. */

const SMALL: Overrides = { kind: 'tlb-thrash', pages: 30, instructions: 40, hz: 0 };
const vm = (name: string, more: Overrides = {}) => ({
  name,
  memory: '16MiB',
  workload: SMALL,
  ...more,
});

const twoVms = (tags: Overrides) =>
  run({
    warmup: '1ms',
    hypervisor: {
      mmu: { kind: 'nested' },
      tags,
      scheduler: { kind: 'round-robin', timeslice: '100us' },
    },
    vms: [vm('one'), vm('two')],
  });

describe('the cause of a walk', () => {
  it('is the world switch when there are no tags', async () => {
    const result = await twoVms({ kind: 'none' });
    expect(metric(result, 'walks_world_switch')).toBeGreaterThan(100);
    expect(metric(result, 'walks_cold')).toBe(0);
  });

  it('is nothing when tags keep two small VMs apart', async () => {
    const result = await twoVms({ kind: 'kvm' });
    expect(metric(result, 'walks_world_switch')).toBe(0);
    expect(metric(result, 'walks_asid_exhausted')).toBe(0);
  });

  it('is the exhaustion of ASIDs when there is one for two VMs', async () => {
    const result = await twoVms({ kind: 'kvm', asids: 2 });
    expect(metric(result, 'walks_asid_exhausted')).toBeGreaterThan(100);
    expect(metric(result, 'walks_world_switch')).toBe(0);
  });

  it('is the CR3 write by which fork flushes what it made read-only', async () => {
    const result = await run({
      hypervisor: { mmu: { kind: 'native' } },
      vms: [vm('vm', { workload: { kind: 'fork-loop', pages: 16, written: 0, hz: 0 } })],
    });
    expect(metric(result, 'cow_breaks')).toBeGreaterThan(10);
    // The parent's text and the page it stores to, after each fork.
    expect(metric(result, 'walks_cr3')).toBeGreaterThan(metric(result, 'cow_breaks'));
    expect(metric(result, 'walks_world_switch') + metric(result, 'walks_migration')).toBe(0);
  });

  it('is migration for the vCPU that moved and not for its neighbours', async () => {
    // They sleep most of the time, so that the other pCPU is free when one of them wakes.
    const workload = { kind: 'idle', period: '200us', instructions: 60_000, hz: 0 };
    const among = (tags: Overrides) =>
      run({
        duration: '6ms',
        warmup: '1ms',
        host: { pcpus: 2 },
        hypervisor: {
          mmu: { kind: 'nested' },
          tags,
          scheduler: { kind: 'round-robin', timeslice: '10us' },
        },
        vms: [vm('mover'), vm('left', { pin: [0], workload }), vm('right', { pin: [1], workload })],
      });
    const tagged = await among({ kind: 'kvm' });
    expect(metric(tagged, 'migrations', 'mover-0')).toBeGreaterThan(5);
    expect(metric(tagged, 'walks_migration', 'mover-0')).toBeGreaterThan(0);
    // Without tags the mover's arrival flushes its neighbours too: for them that is a world switch.
    const untagged = await among({ kind: 'none' });
    for (const pinned of ['left-0', 'right-0']) {
      expect(metric(untagged, 'walks_migration', pinned)).toBe(0);
      expect(metric(untagged, 'walks_world_switch', pinned)).toBeGreaterThan(0);
    }
  });
});
