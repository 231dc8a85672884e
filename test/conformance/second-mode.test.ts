import { describe, expect, it, vi } from 'vitest';
import { ConfigError } from '../../src/base/errors.ts';
import { summary } from '../../src/report/summary.ts';
import type { RunResult } from '../../src/stats/result.ts';
import { load, metric, modeName, type Overrides, PAGING_MODES, run } from '../support/scenarios.ts';

/** A paging mode that a user adds is what its definition says, whatever its name. */
vi.mock('../../src/hypervisor/mmu/index.ts', async (original) => {
  const { mmuModes } = await original<typeof import('../../src/hypervisor/mmu/index.ts')>();
  const { withSecondModes } = await import('../support/second-modes.ts');
  return withSecondModes(mmuModes.definitions);
});

const program = (mmu: Overrides, backing: string): Overrides => ({
  duration: 'work',
  hypervisor: { mmu, backing, costs: { hostHz: 0 } },
  vms: [
    {
      name: 'vm',
      memory: '32MiB',
      workload: {
        kind: 'synthetic',
        regions: [
          { name: 'new', kind: 'anon', size: '2MiB', share: 1, stores: 0.4, populated: false },
          { name: 'large', kind: 'anon', size: '4MiB', share: 1, stores: 0.4, pageSize: '2MiB' },
        ],
        per1M: { munmap: 100, mmap: { calls: 200, pages: 3, live: 4 } },
        hz: 0,
        work: 1,
      },
    },
  ],
});

const READS = [
  'walks',
  'walk_reads_guest',
  'walk_reads_nested',
  'pwc_hits',
  'nested_tlb_hits',
] as const;
const readsOf = (result: RunResult) => READS.map((name) => metric(result, name));

/** What the mode refuses to run on, with the last key of its place. */
function refusal(overrides: Overrides): string {
  try {
    load(overrides);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  return '';
}

describe('a second two-dimensional mode', () => {
  it.each(['4KiB', '2MiB'])(
    'walks, faults and costs what nested does, pages of %s',
    async (pageSize) => {
      const [first, second] = [
        await run(program({ kind: 'nested', pageSize }, 'on-touch')),
        await run(program({ kind: 'nested-again', pageSize }, 'on-touch')),
      ];
      expect(metric(first, 'walk_reads_nested')).toBeGreaterThan(1000);
      expect(metric(first, 'nested_faults')).toBeGreaterThan(0);
      expect(second.vms).toEqual(first.vms);
      expect(second.ledger).toEqual(first.ledger);
      expect(second.exits).toEqual(first.exits);
    },
  );

  it('with memory mapped beforehand reads what nested does whose memory is', async () => {
    const result = await run(program({ kind: 'nested-warm' }, 'on-touch'));
    expect(metric(result, 'nested_faults')).toBe(0);
    const upFront = await run(program({ kind: 'nested' }, 'up-front'));
    expect(readsOf(result)).toEqual(readsOf(upFront));
  });

  it('is tried by the tests of paging modes, and shown with its page size', async () => {
    expect(PAGING_MODES.map(modeName)).toContain('nested-again 2MiB');
    const over = program({ kind: 'nested-again', pageSize: '2MiB' }, 'up-front');
    expect(summary(load(over), await run(over))).toContain('nested-again (2MiB) paging');
  });

  it('needs a processor with nested paging, and entries for the pages it takes', () => {
    const on = (processor: string, mmu: Overrides) =>
      refusal({ host: { processor }, hypervisor: { mmu } });
    for (const kind of ['nested', 'nested-again', 'nested-picky']) {
      expect(on('opteron-2218', { kind })).toMatch(
        /nested paging needs a processor that has it, and opteron-2218 has not/,
      );
    }
    const small = { tlb: { l1d: { '1G': { entries: 0 } } } };
    const mmu = { kind: 'nested-again', pageSize: '1GiB' };
    expect(refusal({ host: { cpu: small }, hypervisor: { mmu } })).toMatch(
      /:\d+:\d+.*nested pages of 1GiB need TLB entries/s,
    );
    expect(refusal({ hypervisor: { mmu } })).toBe('');
  });

  it('may need a hypervisor', () => {
    const under = (profile: string) =>
      refusal({ hypervisor: { profile, mmu: { kind: 'nested-picky' } } });
    expect(under('kvm-2.6.33')).toMatch(/only Xen has it, not kvm-2.6.33.*use profile: xen-4.1/s);
    expect(under('xen-4.1')).toBe('');
  });

  it('that says the wrong thing does not run', async () => {
    await expect(run(program({ kind: 'nested-lying' }, 'on-touch'))).rejects.toThrow(
      'the paging mode nested-lying walks one dimension, and its vCPUs have a nested root',
    );
  });
});
