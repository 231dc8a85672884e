import { describe, expect, it } from 'vitest';
import type { How } from '../../docs/plain-machine.ts';
import { presets } from '../../src/scenario/presets.ts';
import { Cause } from '../../src/stats/leaves.ts';
import fc from '../support/property.ts';
import { load, type Overrides, runs } from '../support/scenarios.ts';
import { type Change, KINDS, TwoMachines, type Visit } from '../support/two-machines.ts';

/** Random programs on the machine that is fast and on the one that can be read: all accounts are the same. */

const GIB = 1 << 18;
const VMS = 3;
/** The first VM has two. */
const VCPUS = VMS + 1;

/** Few pages by many ways: neighbours, pages of one TLB set, of other tables, the kernel's and giant ones. */
const page = fc.oneof(
  { weight: 4, arbitrary: fc.nat(40) },
  { weight: 3, arbitrary: fc.nat(9).map((n) => 128 * n + 1) },
  { weight: 3, arbitrary: fc.tuple(fc.nat(9), fc.nat(2)).map(([n, i]) => 512 * n + i) },
  { weight: 2, arbitrary: fc.tuple(fc.nat(9), fc.nat(2)).map(([n, i]) => GIB + 512 * n + i) },
  { weight: 2, arbitrary: fc.tuple(fc.nat(3), fc.nat(2)).map(([n, i]) => 2 * GIB + 512 * n + i) },
);
const access = fc.constantFrom('fetch', 'load', 'load', 'store');
const visit: fc.Arbitrary<Visit> = fc.record({
  page,
  work: fc.record({
    access,
    kernel: fc.constant(false),
    instructions: fc.integer({ min: 0, max: 900 }),
    references: fc.integer({ min: 1, max: 9 }),
    line: fc.nat(63),
    lines: fc.integer({ min: 1, max: 4 }),
    how: fc.constantFrom<How>('', '', 'in a row'),
  }),
});
const some = (one: fc.Arbitrary<Visit>) =>
  fc.array(one, { minLength: 1, maxLength: 30, size: 'max' });
/** The kernel's: as many references as lines. */
const byKernel = fc.tuple(visit, fc.nat(4)).map(([{ page, work }, n]): Visit => {
  const what = { ...work, kernel: true, references: work.lines };
  if (n > 0) return { page, work: what };
  const all = { access: 'store', line: 0, lines: 64, references: 64 } as const;
  return { page, work: { ...what, ...all, how: 'clears' } };
});
/** A loop over pages a stride apart, twice: more than some TLB, walk cache or set holds. */
const loop = fc
  .tuple(fc.constantFrom(1, 8, 64, 128, 512), fc.integer({ min: 2, max: 60 }), access, fc.nat(200))
  .map(([stride, count, how, first]) =>
    Array.from({ length: 2 * count }, (_, i) => ({
      page: first + stride * (i % count),
      work: {
        access: how,
        kernel: false,
        instructions: 3,
        references: 1,
        line: i % 64,
        lines: 1,
        how: '' as const,
      },
    })),
  );
/**
 * Few lines of more pages than a set of the caches holds, those of tables among them, with all that can be done to a
 * line.
 */
const again = fc.array(
  fc
    .tuple(
      fc.nat(18),
      fc.constantFrom('fetch', 'load', 'store', 'store'),
      fc.constantFrom(0, 0, 63),
      fc.integer({ min: 1, max: 3 }),
    )
    .map(
      ([n, how, line, lines]): Visit => ({
        page: n < 12 ? n : n < 14 ? GIB + n : 2 * GIB - n + 9,
        work: {
          access: how as 'fetch',
          kernel: false,
          instructions: 9,
          references: lines,
          line,
          lines,
          how: lines > 2 ? 'in a row' : '',
        },
      }),
    ),
  { minLength: 20, maxLength: 60, size: 'max' },
);
const cause = fc.constantFrom(Cause.WorldSwitch, Cause.AsidExhausted, Cause.Cr3, Cause.Shootdown);
const on = { core: fc.constantFrom(0, 0, 0, 1) };
/** A vCPU keeps its tag for the most part, and finds there what it left. */
const vcpuAndAsid = fc.oneof(
  { weight: 5, arbitrary: fc.nat(VCPUS - 1).map((vcpu) => [vcpu, vcpu + 1] as const) },
  { weight: 1, arbitrary: fc.tuple(fc.nat(VCPUS - 1), fc.integer({ min: 1, max: 6 })) },
);
const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant('visit'), visits: some(visit), ...on }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('visit'), visits: some(byKernel), ...on }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('visit'), visits: loop, ...on }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('visit'), visits: again, ...on }) },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('enter'), vcpuAndAsid, ...on }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('invlpg'), page, ...on }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('cr3'), keepGlobal: fc.boolean(), ...on }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('flush'), cause, own: cause, ...on }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('retag'),
      asid: fc.integer({ min: 1, max: 5 }),
      cause,
      ...on,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('change'),
      vm: fc.nat(VMS - 1),
      page,
      how: fc.constantFrom<Change>('clear', 'clean', 'protect', 'protect', 'clean nested'),
    }),
  },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

function perform(machines: TwoMachines, s: Step): void {
  if ('visits' in s) machines.visit(s.core, s.visits);
  else if ('how' in s) machines.change(s.vm, s.page, s.how);
  else if ('vcpuAndAsid' in s) machines.enter(s.core, s.vcpuAndAsid[0]!, s.vcpuAndAsid[1]!);
  else if ('page' in s) machines.invalidate(s.core, s.page, Cause.Invlpg);
  else if ('keepGlobal' in s) machines.flushAsid(s.core, s.keepGlobal, Cause.Cr3);
  else if ('own' in s) machines.flushAll(s.core, s.cause, s.own);
  else machines.retag(s.core, s.asid, s.cause);
}

const full = (entries: number) => ({ entries, ways: 'full' });
/** So small that a short program fills everything. */
const SMALL: Overrides = {
  tlb: {
    l1i: { '4K': full(4), '2M': full(2) },
    l2i: { '4K': { entries: 8, ways: 2 } },
    l2d: { '4K': { entries: 16, ways: 4 } },
  },
  walk: { pwcEntries: 9, nestedTlbEntries: 5 },
  caches: {
    l1i: { size: '8KiB', ways: 2 },
    l1d: { size: '4KiB', ways: 1 },
    l2: { size: '16KiB', ways: 4 },
    l3: { size: '32KiB', ways: 8 },
  },
  memory: { lineCycles: 400 },
};
const GEOMETRIES: readonly (readonly [string, string, Overrides])[] = [
  ...Object.keys(presets.processors).map((name) => [name, name, {}] as const),
  ['a small opteron-1354', 'opteron-1354', SMALL],
  ['a small opteron-6276', 'opteron-6276', SMALL],
  [
    'an L2 of victims, nested leaves in the page-walk cache, no L3',
    'opteron-2356',
    {
      tlb: {
        fill: 'victim',
        l1d: { '4K': full(6), '2M': full(6), '1G': full(6), shared: true },
        l2d: { '4K': { entries: 16, ways: 4 }, '2M': { entries: 4, ways: 2 } },
      },
      walk: { pwcEntries: 6, pwcNestedLeaves: true, nestedTlbEntries: 2 },
      caches: {
        l1d: { size: '16KiB', ways: 4 },
        l2: { size: '8KiB', ways: 1 },
        l3: { size: 0, ways: 1 },
      },
    },
  ],
  [
    'walks that look in the L1, cores that share their exclusive caches',
    'opteron-2356',
    {
      ...SMALL,
      walk: { reads: 'l1', pwcEntries: 3 },
      caches: {
        l1i: { size: '4KiB', ways: 1, sharedByCores: 2 },
        l1d: { size: '12KiB', ways: 3 },
        l2: { size: '12KiB', ways: 3, sharedByCores: 2 },
        l3: { size: '8KiB', ways: 2 },
      },
    },
  ],
  ['no walk caches', 'opteron-8384', { walk: { pwcEntries: 0, nestedTlbEntries: 0 } }],
];

describe.each(GEOMETRIES)('%s', (_, name, cpu) => {
  const hypervisor = { mmu: { kind: 'shadow' } };
  const { processor } = load({ host: { processor: name, cpu }, hypervisor });

  it('counts and charges what the plain machine does', () => {
    fc.assert(
      fc.property(
        fc.array(step, { minLength: 10, maxLength: 60, size: 'max' }),
        fc.array(fc.constantFrom(...KINDS), { minLength: VMS, maxLength: VMS }),
        fc.boolean(),
        (steps, kinds, dataLines) => {
          const machines = new TwoMachines(processor, kinds, dataLines, VCPUS);
          try {
            for (const [i, s] of steps.entries()) {
              perform(machines, s);
              const found = machines.differences();
              if (found.length > 0) {
                const { visits, ...what } = { visits: [], ...s };
                expect.fail(
                  `after step ${i} (${JSON.stringify(what)}, ${visits.length} visits) the fast machine has ` +
                    `${found.slice(0, 4).join('; ')}`,
                );
              }
            }
          } finally {
            machines.dispose();
          }
        },
      ),
      { numRuns: runs('tlb' in cpu ? 12 : 2), endOnFailure: true },
    );
  });
});

/** The kernel's large page and the user's lie on the same frame, so that one nested leaf stands for both. */
describe('two mappings of one nested page', () => {
  const { processor } = load({ host: { processor: 'opteron-1354' } });
  const load1 = (page: number, kernel: boolean): Visit => ({
    page,
    work: { access: 'load', kernel, instructions: 3, references: 1, line: 0, lines: 1, how: '' },
  });
  const [byUser, byKernel1] = [load1(513, false), load1(GIB + 513, true)];

  it.each([
    ['the kernel’s entries were flushed before the user’s was filled', 0],
    ['the user’s were flushed more often than the kernel’s', 80],
  ])('keep their losses apart when %s', (_, loads) => {
    const machines = new TwoMachines(processor, ['nested'], false);
    try {
      if (loads === 0) {
        machines.visit(0, [load1(GIB + 512, true)]);
        machines.flushAll(0, Cause.WorldSwitch, Cause.Cr3);
      }
      for (let i = 0; i < loads; i++) {
        machines.visit(0, [load1(7 + i, false)]);
        machines.flushAsid(0, true, Cause.Cr3);
      }
      machines.visit(0, [byUser]);
      machines.visit(0, [byKernel1]);
      expect(machines.differences()).toEqual([]);
    } finally {
      machines.dispose();
    }
  });
});
