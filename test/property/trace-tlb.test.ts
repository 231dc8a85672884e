import { describe, expect, it } from 'vitest';
import { loadScenario } from '../../src/scenario/load.ts';
import { runScenario } from '../../src/scenario/run.ts';
import { type Level, type NaiveSetup, replayNaively } from '../support/naive-tlb.ts';
import fc from '../support/property.ts';
import { runs } from '../support/scenarios.ts';
import { textFeed } from '../support/traces.ts';

/**
 * Whatever the traces, TLBs, turns and tags: a scenario counts, per VM, side and level, the misses that a naive
 * two-level LRU counts touch by touch.
 */
const show = ({ entries, ways }: Level) => `{ entries: ${entries}, ways: ${ways} }`;

function yamlOf(setup: NaiveSetup, mmu: string): string {
  const vms = setup.traces.map((_, i) => {
    const workload = `{ kind: trace, file: t${i}, limitReferences: ${setup.limit} }`;
    return `  - { name: v${i}, memory: 16MiB, workload: ${workload} }`;
  });
  return `name: property
duration: work
host:
  processor: opteron-1354
  pcpus: 1
  caches: { data: off }
  cpu:
    tlb:
      l1i: { 4K: ${show(setup.l1i)} }
      l1d: { 4K: ${show(setup.l1d)}, shared: false }
      l2i: { 4K: ${show(setup.l2i)} }
      l2d: { 4K: ${show(setup.l2d)} }
      fill: ${setup.victim ? 'victim' : 'both'}
hypervisor:
  profile: kvm-2.6.33
  mmu: { kind: ${mmu} }
  tags: { kind: ${setup.flush ? 'none' : 'kvm'} }
  scheduler: { kind: round-robin, references: ${setup.q} }
  backing: up-front
  footprint: { touches: false }
vms:
${vms.join('\n')}
`;
}

const run = (setup: NaiveSetup, mmu: string, chunk: number) =>
  runScenario(loadScenario(yamlOf(setup, mmu), { file: 'property.yaml' }), {
    openTrace: (file) => textFeed(file, setup.traces[Number(file.slice(1))]!, chunk),
  });

async function simulate(setup: NaiveSetup, mmu: string, chunk: number) {
  const result = await run(setup, mmu, chunk);
  const misses = result.vms.map(({ metrics }) => [
    metrics.l1i_misses!,
    metrics.l2i_misses!,
    metrics.l1d_misses!,
    metrics.l2d_misses!,
  ]);
  const switches = result.vms.reduce((sum, { metrics }) => sum + metrics.vcpu_switches!, 0);
  return { misses, switches };
}

const level = (most: number, none: boolean) =>
  fc
    .oneof(
      fc.record({ entries: fc.integer({ min: 1, max: most }), ways: fc.constant('full' as const) }),
      fc
        .record({ ways: fc.constantFrom(1, 2, 3, 4, 8), sets: fc.constantFrom(1, 2, 4, 8) })
        .map(({ ways, sets }) => ({ entries: ways * sets, ways })),
    )
    .chain((made) =>
      fc.constantFrom(...(none ? [made, made, { entries: 0, ways: 'full' as const }] : [made])),
    );

/** Pages close together, far apart, and in areas of the address space that share their low bits. */
const page = fc
  .tuple(fc.integer({ min: 0, max: 23 }), fc.constantFrom(0, 0, 0, 0x400, 0x7fff00000, 0x555500000))
  .map(([low, base]) => low + base);

const trace = fc
  .array(
    fc.oneof(
      {
        weight: 12,
        arbitrary: fc.tuple(
          fc.constantFrom('I', 'L', 'S', 'M'),
          fc.integer({ min: 1, max: 9 }),
          page,
        ),
      },
      {
        weight: 1,
        arbitrary: fc.tuple(fc.constant('P'), fc.integer({ min: 0, max: 3 }), fc.constant(0)),
      },
      { weight: 1, arbitrary: fc.tuple(fc.constant('X'), fc.constant(0), fc.constant(0)) },
    ),
    { minLength: 1, maxLength: 120 },
  )
  .map((lines) => {
    const last = { I: -1, D: -1 };
    const text = lines.map(([kind, n, at]) => {
      if (kind === 'X') return 'X sys read';
      if (kind === 'P') {
        last.I = last.D = -1;
        return `P ${n}`;
      }
      const stream = kind === 'I' ? 'I' : 'D';
      const same = last[stream] === at;
      last[stream] = at;
      return same ? `${kind} ${n}` : `${kind} ${n} ${at.toString(16)}`;
    });
    return `${[...text, 'L 1 1'].join('\n')}\n`;
  });

const setups: fc.Arbitrary<NaiveSetup> = fc.record({
  traces: fc.array(trace, { minLength: 1, maxLength: 4 }),
  q: fc.oneof(fc.constantFrom(1, 7, 999), fc.integer({ min: 1, max: 60 })),
  limit: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 300 })),
  flush: fc.boolean(),
  victim: fc.boolean(),
  l1i: level(12, false),
  l1d: level(12, false),
  l2i: level(24, true),
  l2d: level(24, true),
});

describe('a replayed trace', () => {
  it.each([
    ['native', runs(15)],
    ['nested', runs(5)],
  ])('misses where a naive TLB does: %s', async (mmu, numRuns) => {
    await fc.assert(
      fc.asyncProperty(setups, fc.integer({ min: 1, max: 64 }), async (setup, chunk) => {
        expect(await simulate(setup, mmu, chunk)).toEqual(replayNaively(setup));
      }),
      { numRuns },
    );
  });

  it('counts more references than 32 bits hold', async () => {
    const full = { entries: 4, ways: 'full' as const };
    const sides = { l1i: full, l1d: full, l2i: full, l2d: full };
    const result = await run(
      {
        traces: ['I 1 1\nL 9000000000 2\n'],
        q: 10 ** 9,
        limit: 0,
        flush: true,
        victim: false,
        ...sides,
      },
      'native',
      64,
    );
    expect(result.vms[0]!.metrics.references).toBe(9_000_000_001);
    expect(result.vms[0]!.metrics.l1d_misses).toBe(1);
  });
});
