import { describe, expect, it } from 'vitest';
import fc from '../support/property.ts';
import { BUSY_WORKLOADS, modeName, runs, treeOf, VIRTUALIZED_MODES } from '../support/scenarios.ts';
import { firstDifference, tell } from '../support/story.ts';

/**
 * Equivalence law (model §6): all paging modes translate every access of the same guest stream to the same
 * guest-physical page with the same permissions, or raise the same guest fault.
 */
describe.each(Object.entries(BUSY_WORKLOADS))('the guest of %s', (_name, workload) => {
  const native = tell(workload, { kind: 'native' });

  it('has something to tell', () => {
    expect(native.steps.length).toBeGreaterThan(100);
    expect(
      native.counters['guest_pte_writes']! + native.counters['guest_process_switches']!,
    ).toBeGreaterThan(15);
  });

  it.each(VIRTUALIZED_MODES.map((mode) => [modeName(mode), mode] as const))(
    'sees the same pages and faults under %s as on bare hardware',
    (_mode, mode) => {
      const story = tell(workload, mode);
      expect(firstDifference(story, native)).toBe(-1);
      expect(story.counters).toEqual(native.counters);
    },
  );
});

const rate = fc.constantFrom(0, 100, 600);

/** Any guest: how often it maps, unmaps, protects, grows, forks and loads programs, and in how many processes. */
const anyGuest = fc.record({
  kind: fc.constant('synthetic'),
  processes: fc.constantFrom(1, 2, 7),
  threads: fc.constantFrom(1, 1, 3),
  quantum: fc.constantFrom(2000, 20_000),
  regions: fc
    .tuple(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 80 }), fc.boolean())
    .map(([text, data, large]) => [
      { name: 'text', kind: 'code', size: `${text * 4}KiB`, share: 1 },
      { name: 'file', kind: 'file', size: `${text * 4}KiB`, share: 1, stores: 0.2 },
      large
        ? { name: 'data', kind: 'anon', size: '4MiB', pageSize: '2MiB', share: 2, stores: 0.4 }
        : { name: 'data', kind: 'anon', size: `${data * 4}KiB`, share: 2, stores: 0.4 },
    ]),
  per1M: fc.record({
    mprotect: rate,
    munmap: rate,
    yields: fc.constantFrom(0, 200),
    mmap: fc.record({
      calls: rate,
      pages: fc.constantFrom(1, 5, 700),
      live: fc.integer({ min: 1, max: 4 }),
    }),
    heapGrowth: fc.record({
      calls: rate,
      pages: fc.constantFrom(1, 9),
      limit: fc.constant('256KiB'),
    }),
  }),
  jobs: fc
    .record({
      instructions: fc.integer({ min: 500, max: 6000 }),
      forks: fc.boolean(),
      exec: fc.boolean(),
      freshPages: fc.integer({ min: 0, max: 20 }),
      cowPages: fc.integer({ min: 0, max: 20 }),
    })
    .map(({ cowPages, ...jobs }) => (jobs.forks ? { ...jobs, cowPages } : jobs)),
  hz: fc.constant(0),
  work: fc.constant(4),
});

/** Any tree of programs: how they start each other, how much passes their pipes, how long their turns are. */
const anyTree = fc
  .record({
    jobs: fc.constantFrom(1, 2, 5),
    quantum: fc.constantFrom(2000, 9000, 1e6),
    size: fc.constantFrom(0.2, 1),
    sizes: fc.constantFrom('fixed', 'exponential'),
    work: fc.constant(2),
    output: fc.constantFrom('0B', '1B', '64KiB', '65537B', '300KiB'),
  })
  .map(({ output, ...more }) => treeOf(more, output));

describe('any guest', () => {
  it('cannot tell how its memory is virtualized', () => {
    fc.assert(
      fc.property(
        fc.oneof(anyGuest, anyTree),
        fc.constantFrom(...VIRTUALIZED_MODES),
        fc.constantFrom(
          { kind: 'kvm', asids: 3 },
          { kind: 'kvm' },
          { kind: 'none' },
          { kind: 'xen-4.1' },
        ),
        fc.integer({ min: 1, max: 1e6 }),
        (guest, mode, tags, seed) => {
          const native = tell(guest, { kind: 'native' }, { seed });
          const story = tell(guest, mode, { seed, hypervisor: { tags } });
          expect(firstDifference(story, native)).toBe(-1);
          expect(story.counters).toEqual(native.counters);
        },
      ),
      { numRuns: runs(4) },
    );
  });
});
