import { describe, expect, it } from 'vitest';
import { Request } from '../../src/hypervisor/vcpu-requests.ts';
import { K } from '../../src/machine/counters.ts';
import { undrained } from '../../src/machine/inspect.ts';
import type { Simulation } from '../../src/scenario/build.ts';
import { checkTranslations } from '../../src/scenario/translations.ts';
import { ExitReason } from '../../src/stats/leaves.ts';
import { type Overrides, simulate } from '../support/scenarios.ts';

/**
 * Rights of nested entries: what is protected from stores can be loaded, the first store to it faults, and no later one
 * does. (The walker's own accesses to the guest's tables count as stores: AMD64 manual, volume 2, 15.25.5.)
 */

const PAGES = 40;
const STEP = 400_000;

interface Setup {
  readonly stores: number;
  readonly pageSize?: string;
  readonly tags?: Overrides;
}

/** A program that visits the same pages for ever, and nothing else that happens. */
const scenario = ({ stores, pageSize = '4KiB', tags = { kind: 'kvm' } }: Setup): Overrides => ({
  hypervisor: { mmu: { kind: 'nested', pageSize }, tags, costs: { hostHz: 0 } },
  vms: [
    {
      name: 'vm',
      memory: '64MiB',
      workload: { kind: 'tlb-thrash', pages: PAGES, stores, instructions: 40, hz: 0 },
    },
  ],
});

/** The guest frames in use that hold tables of the guest, or all others. */
function framesOf({ members }: Simulation, tables: boolean): number[] {
  const [{ guest, vm }] = members as [Simulation['members'][number]];
  const frames: number[] = [];
  guest.memory.eachUsed((gfn) => {
    if ((vm.nodeOfFrame[gfn] !== 0) === tables) frames.push(gfn);
  });
  return frames;
}

/** Nested page faults so far. */
const faultsOf = ({ members }: Simulation) => members[0]!.vm.counters.nested_faults;

/** Protects frames, lets the vCPU forget what it has, and returns the faults of each of some spans of time after that. */
function afterProtecting(setup: Setup, tables: boolean, level: number): number[] {
  return simulate(scenario(setup), (simulation) => {
    const { engine, hosts, members } = simulation;
    const { hypervisor, machine } = hosts[0]!;
    engine.run(STEP);
    expect(faultsOf(simulation)).toBe(0);
    const mmu = hypervisor.mmuOf[0]!;
    for (const gfn of framesOf(simulation, tables)) mmu.writeProtect!(gfn, level);
    hypervisor.requests.ask(members[0]!.vcpu, Request.FlushTags);
    const faults = [1, 2, 3].map((n) => {
      const before = faultsOf(simulation);
      engine.run(STEP * (1 + 4 * n));
      return faultsOf(simulation) - before;
    });
    checkTranslations(simulation);
    const { vcpu } = members[0]!;
    expect(vcpu.exitCounts[ExitReason.Npf]).toBe(faults.reduce((sum, n) => sum + n, 0));
    expect(undrained(machine.cores[0]!, K.l1d_lookups)).toBeGreaterThan(1000);
    return faults;
  });
}

const TAGS: readonly Overrides[] = [{ kind: 'kvm' }, { kind: 'none' }, { kind: 'xen-4.1' }];

describe('a nested entry without the right to store', () => {
  it('does not keep anybody from loading', () => {
    expect(afterProtecting({ stores: 0 }, false, 1)).toEqual([0, 0, 0]);
  });

  it.each(TAGS)('faults on the first store to each page and on no other, tags $kind', (tags) => {
    expect(afterProtecting({ stores: 0.3, tags }, false, 1)).toEqual([PAGES, 0, 0]);
  });

  it('does so for each small page where a large one was split, and for large ones otherwise', () => {
    const large = { stores: 0.3, pageSize: '2MiB' };
    expect(afterProtecting(large, false, 1)).toEqual([PAGES, 0, 0]);
    const [first, ...later] = afterProtecting(large, false, 2);
    expect(first).toBeGreaterThan(0);
    expect(first).toBeLessThan(4);
    expect(later).toEqual([0, 0]);
  });

  it('faults when the walker comes to a table of the guest there, which it may have to mark', () => {
    const [first, ...later] = afterProtecting({ stores: 0 }, true, 1);
    // The four tables on the way to the text, and those in which the heap is another way.
    expect(first).toBeGreaterThanOrEqual(4);
    expect(first).toBeLessThan(12);
    expect(later).toEqual([0, 0]);
  });
});
