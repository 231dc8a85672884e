import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { scenarioYaml } from '../../src/scenario/resolve.ts';
import type { RunResult } from '../../src/stats/result.ts';
import fc from '../support/property.ts';
import { BUSY_WORKLOADS, load, metric, type Overrides, run, runs } from '../support/scenarios.ts';

/** Laws 3, 6 and 8 of the model: what translations cost, and where. */

describe('law 3', () => {
  /** One fully associative TLB of `entries`, nothing behind it; data and kernel stay out of the way. */
  const processor = (entries: number): Overrides => {
    const none = { entries: 0, ways: 'full' };
    return {
      tlb: {
        l1d: {
          '4K': { entries, ways: 'full' },
          '2M': { entries: 64, ways: 'full' },
          '1G': none,
          shared: false,
        },
        l2d: { '4K': none, '2M': none, '1G': none },
      },
    };
  };

  it('uniform references over N pages miss C entries with probability 1 - C/N', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(16, 48, 128),
        fc.integer({ min: 2, max: 12 }),
        fc.integer({ min: 1, max: 1e6 }),
        async (entries, ratio, seed) => {
          const pages = entries * ratio;
          const result = await run({
            seed,
            duration: '8ms',
            warmup: '4ms',
            host: { caches: { data: 'off' }, cpu: processor(entries) },
            hypervisor: { mmu: { kind: 'native' } },
            vms: [{ name: 'vm', memory: '32MiB', workload: { kind: 'tlb-thrash', pages, hz: 0 } }],
          });
          const lookups = metric(result, 'l1d_lookups');
          const expected = 1 - entries / pages;
          // Four standard deviations of a share among so many draws, and a bit for the text page.
          const tolerance = 4 * Math.sqrt(0.25 / lookups) + 0.003;
          expect(lookups).toBeGreaterThan(10_000);
          expect(Math.abs(metric(result, 'l1d_misses') / lookups - expected)).toBeLessThan(
            tolerance,
          );
        },
      ),
      { numRuns: runs(3) },
    );
  });
});

const MODES = ['native', 'shadow', 'nested'] as const;

describe('law 6', () => {
  /** Reaches far beyond the TLBs; `mmap` mappings a million instructions are made, filled and unmapped. */
  const workload = (pages: number, mmap: number): Overrides => ({
    kind: 'synthetic',
    regions: [{ name: 'data', kind: 'anon', size: `${pages * 4}KiB`, share: 1, stores: 0.3 }],
    per1M: { mmap: { calls: mmap, pages: 6, live: 2 } },
    cpi: 1,
    hz: 0,
  });
  const runIn = (kind: string, pages: number, mmap: number, seed = 1) =>
    run({
      seed,
      duration: '8ms',
      warmup: '4ms',
      host: { caches: { data: 'off' } },
      hypervisor: { mmu: { kind }, backing: 'up-front', costs: { hostHz: 0 } },
      vms: [{ name: 'vm', memory: '64MiB', workload: workload(pages, mmap) }],
    });
  const perWalk = (result: RunResult) => metric(result, 'walk_cycles') / metric(result, 'walks');
  const perInstruction = (result: RunResult) =>
    metric(result, 'running_cycles') / metric(result, 'user_instructions');

  it('a TLB miss costs the same native and shadow while tables rest, and more nested', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 700, max: 3000 }),
        fc.integer({ min: 1, max: 1e6 }),
        async (pages, seed) => {
          const [native, shadow, nested] = await Promise.all(
            MODES.map((kind) => runIn(kind, pages, 0, seed)),
          );
          expect(metric(shadow!, 'exits')).toBe(0);
          expect(perWalk(shadow!) / perWalk(native!)).toBeGreaterThan(0.99);
          expect(perWalk(shadow!) / perWalk(native!)).toBeLessThan(1.01);
          expect(perWalk(nested!) / perWalk(native!)).toBeGreaterThan(1.1);
        },
      ),
      { numRuns: runs(1) },
    );
  });

  it('a page-table write costs nested what it costs native, and shadow exits', async () => {
    const [native, shadow, nested] = await Promise.all(MODES.map((kind) => runIn(kind, 1000, 40)));
    const writes = metric(nested!, 'guest_pte_writes');
    expect(writes).toBeGreaterThan(500);
    expect(metric(native!, 'exits')).toBe(0);
    expect(metric(nested!, 'exits')).toBe(0);
    expect(metric(shadow!, 'exits')).toBeGreaterThan(writes / 4);
  });

  it('so shadow wins while tables rest, nested when they change much, with one crossing', async () => {
    const ahead: boolean[] = [];
    for (const mmap of [0, 4, 16, 64, 200]) {
      const [shadow, nested] = [
        await runIn('shadow', 3000, mmap),
        await runIn('nested', 3000, mmap),
      ];
      ahead.push(perInstruction(shadow) < perInstruction(nested));
    }
    expect(ahead[0]).toBe(true);
    expect(ahead.at(-1)).toBe(false);
    expect(ahead).toEqual([...ahead].sort((a, b) => Number(b) - Number(a)));
  });
});

/** Paths of all prices in a piece of the resolved scenario; not sizes, counts or clocks. */
function prices(node: unknown, path: string): string[] {
  if (typeof node === 'number' && node > 0) return [path];
  if (typeof node !== 'object' || node === null || Array.isArray(node)) return [];
  return Object.entries(node).flatMap(([key, inner]) => prices(inner, `${path}.${key}`));
}

const under = (path: string, value: unknown): Overrides =>
  path.split('.').reduceRight((inner, key) => ({ [key]: inner }), value as Overrides);

describe('law 8', () => {
  const base = (mmu: Overrides, workload: Overrides): Overrides => ({
    duration: 'work',
    hypervisor: { mmu, costs: { hostHz: 0 } },
    vms: [{ name: 'vm', memory: '48MiB', workload }],
    checks: { translations: false },
  });
  const resolved = parse(scenarioYaml(load())) as {
    host: { cpu: Record<string, Overrides> };
    hypervisor: { costs: Overrides };
  };
  const { cpu } = resolved.host;
  const counts = /hostHz|switchMsrs|asids/;
  const all = [
    ...prices(resolved.hypervisor.costs, 'hypervisor.costs'),
    ...prices(cpu['svm'], 'host.cpu.svm'),
    ...prices(cpu['instructions'], 'host.cpu.instructions'),
    'host.cpu.tlb.l2HitCycles',
    'host.cpu.walk.overheadCycles',
    'host.cpu.walk.pwcHitCycles',
    'host.cpu.walk.nestedTlbHitCycles',
    'host.cpu.caches.l2.hitCycles',
    'host.cpu.caches.l3.hitCycles',
    'host.cpu.memory.localCycles',
  ].filter((path) => !counts.test(path));

  it.each([
    ['native', 'forks', 1],
    ['shadow', 'compile', 0],
    ['nested', 'compile', 0],
    ['shadow', 'ring', 1],
  ] as const)('no price makes a VM faster: %s, %s', async (kind, name, half) => {
    // Every other price; `npm run validate` takes them all.
    const some = all.filter((_, i) => runs(1) > 1 || i % 2 === half);
    const scenario = base({ kind }, BUSY_WORKLOADS[name]!);
    const finished = async (change: Overrides) => {
      const host = { ...(change['host'] as object) };
      const hypervisor = change['hypervisor'] as { costs?: object } | undefined;
      const costs = { hostHz: 0, ...hypervisor?.costs };
      const result = await run({ ...scenario, host, hypervisor: { mmu: { kind }, costs } });
      return metric(result, 'finished_at_cycles');
    };
    const priced = await finished({});
    const faster: string[] = [];
    for (const path of some) {
      const free = await finished(under(path, 0));
      // Transfers wait for the next piece of 1024 cycles, whenever they come, and tables of the host lie elsewhere.
      if (free > priced * 1.001) faster.push(`${path}: ${free} > ${priced}`);
    }
    expect(all.length).toBeGreaterThan(40);
    expect(faster).toEqual([]);
  });
});
