import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openScenario } from '../../src/files/scenario-file.ts';
import { runBaseline } from '../../src/scenario/baseline.ts';
import { buildSimulation, disposeOf } from '../../src/scenario/build.ts';
import { runScenario } from '../../src/scenario/run.ts';
import type { VmRow } from '../../src/stats/result.ts';

/** What the scenarios of configs/ teach, as results/README.md tells it, in shorter runs. */
const configs = resolve(import.meta.dirname, '../../configs');

/** By name and settings: stories share their starting points. */
const done = new Map<string, Promise<VmRow>>();

function firstVm(name: string, ...set: string[]): Promise<VmRow> {
  const key = [name, ...set].join('\n');
  const known = done.get(key) ?? simulate(name, set);
  done.set(key, known);
  return known;
}

async function simulate(name: string, set: readonly string[]): Promise<VmRow> {
  const { scenario } = await openScenario(join(configs, `${name}.yaml`), { set });
  const result = await runBaseline(scenario, await runScenario(scenario));
  return result.vms[0]!;
}

const overhead = (vm: VmRow): number => vm.metrics.overhead!;
const flushed = ({ metrics }: VmRow): number =>
  metrics.walks_world_switch! + metrics.walks_asid_exhausted!;

describe('asid-vs-flush', () => {
  const short = ['duration=14ms', 'warmup=4ms'];
  const flush = 'hypervisor.tags.kind=none';
  const both = async (...set: string[]) => {
    const tags = await firstVm('asid-vs-flush', ...short, ...set);
    const none = await firstVm('asid-vs-flush', ...short, flush, ...set);
    return { tags, none, saved: overhead(none) - overhead(tags) };
  };

  it('tags make the walks caused by flushes vanish', async () => {
    const { tags, none, saved } = await both();
    expect(flushed(tags)).toBe(0);
    // 220 pages again in each of about 25 turns.
    expect(flushed(none)).toBeGreaterThan(20 * 220);
    expect(saved).toBeGreaterThan(0.01);
  });

  it('the gain shrinks as the timeslice grows', async () => {
    const gains = [(await both()).saved];
    for (const slice of ['600us', '2ms']) {
      gains.push((await both(`hypervisor.scheduler.timeslice=${slice}`)).saved);
    }
    expect(gains[0]).toBeGreaterThan(2 * gains[1]!);
    expect(gains[1]).toBeGreaterThan(2 * gains[2]!);
  });

  it('the gain shrinks as the footprints outgrow the TLB', async () => {
    const fits = await both();
    const outgrown = await both('vms.busy.workload.regions.data.size=2400KiB');
    expect(outgrown.saved).toBeLessThan(fits.saved / 4);
    expect(outgrown.tags.metrics.walks_capacity).toBeGreaterThan(
      5 * outgrown.tags.metrics.walks_interference!,
    );
  });

  describe('with 8 VMs of 50 pages', () => {
    const crowd = [
      'duration=34ms',
      'warmup=4ms',
      'vms.busy.count=8',
      'vms.busy.workload.regions.data.size=200KiB',
    ];
    const TURNS = 30 / 0.2;
    const SEEDS = process.env['VALIDATE'] === 'full' ? 8 : 3;

    /** Walks of all VMs, and those that the sets of the L2 TLB (128 of 4 ways) explain. */
    async function crowded(...set: string[]): Promise<{ walks: number; expected: number }> {
      const { scenario } = await openScenario(join(configs, 'asid-vs-flush.yaml'), {
        set: [...crowd, ...set],
      });
      const { hosts, members } = buildSimulation(scenario);
      const inSet = new Array<number>(128).fill(0);
      for (const { workload } of members) {
        const data = workload.processes[0]!.regions.find(({ name }) => name === 'data')!;
        for (let page = 0; page < data.pages; page++) inSet[(data.start + page) & 127]!++;
      }
      disposeOf({ hosts });
      // Taken in turns, more pages than ways push each other out before any is used again.
      const lost = inSet.reduce((sum, pages) => sum + (pages > 4 ? pages : 0), 0);
      const { vms } = await runScenario(scenario);
      const walks = vms.reduce((sum, { metrics }) => sum + metrics.walks!, 0);
      return { walks, expected: (lost * TURNS) / 8 };
    }

    it('tags keep what the sets of the TLB have room for, most of it with random layouts', async () => {
      const flushed = await crowded(flush);
      expect(flushed.walks).toBeGreaterThan(TURNS * 50);
      let total = 0;
      for (let seed = 1; seed <= SEEDS; seed++) {
        const { walks, expected } = await crowded(`seed=${seed}`);
        // Some are lost to the kernel and at the first turn.
        expect(walks, `seed ${seed}`).toBeGreaterThan(0.9 * expected);
        expect(walks, `seed ${seed}`).toBeLessThan(1.1 * expected + 0.06 * flushed.walks);
        total += walks;
      }
      // A page meets four others in its set with probability P(B(7, 50/128) >= 4) = 0.27.
      expect(total / SEEDS).toBeLessThan(0.4 * flushed.walks);
      expect(total / SEEDS).toBeGreaterThan(0.15 * flushed.walks);
    });

    it('tags keep nothing at all when every VM has the same addresses', async () => {
      const fixed = 'vms.busy.workload.aslr=false';
      const [tags, none] = [await crowded(fixed), await crowded(fixed, flush)];
      expect(tags.walks).toBeGreaterThan(0.95 * none.walks);
      expect(tags.expected).toBe(TURNS * 50);
    });

    it('tags keep nearly all when half the TLB is in use', async () => {
      const half = 'vms.busy.workload.regions.data.size=100KiB';
      const flushed = await crowded(half, flush);
      let total = 0;
      const seeds = SEEDS - 1;
      for (let seed = 1; seed <= seeds; seed++) {
        total += (await crowded(half, `seed=${seed}`)).walks;
      }
      // Some sets overflow, and the handlers of the hypervisor take entries too.
      expect(total / seeds).toBeLessThan(0.3 * flushed.walks);
    });
  });
});

it('shadow-vs-nested: the order crosses once as page-table writes grow', async () => {
  const winners: string[] = [];
  for (const calls of [0, 3, 30]) {
    const set = [
      'duration=14ms',
      'warmup=6ms',
      `vms.app.workload.per1M.mmap.calls=${calls}`,
    ] as const;
    const nested = overhead(await firstVm('shadow-vs-nested', ...set));
    const shadow = overhead(
      await firstVm('shadow-vs-nested', ...set, 'hypervisor.mmu.kind=shadow'),
    );
    winners.push(shadow < nested ? 'shadow' : 'nested');
  }
  expect(winners[0]).toBe('shadow');
  expect(winners.at(-1)).toBe('nested');
  const changes = winners.filter((winner, i) => i > 0 && winner !== winners[i - 1]);
  expect(changes).toHaveLength(1);
});

it('large-pages: 2 MiB nested pages take back most of what nested walks cost', async () => {
  const short = ['duration=16ms', 'warmup=6ms'];
  const large = 'hypervisor.mmu.pageSize=2MiB';
  const small4k = overhead(await firstVm('large-pages', ...short));
  const nested2m = overhead(await firstVm('large-pages', ...short, large));
  const guest = 'vms.db.workload.regions.pool.pageSize=2MiB';
  const both2m = overhead(await firstVm('large-pages', ...short, large, guest));
  expect(small4k).toBeGreaterThan(1.3);
  expect(nested2m - 1).toBeLessThan((small4k - 1) / 2);
  expect(both2m - 1).toBeLessThan(0.02);
});

it('large-pages: shadow tables are built of 4 KiB entries, and all are there', async () => {
  const short = ['duration=16ms', 'warmup=6ms', 'hypervisor.mmu.kind=shadow'];
  const guest = 'vms.db.workload.regions.pool.pageSize=2MiB';
  const small = await firstVm('large-pages', ...short);
  const large = await firstVm('large-pages', ...short, guest);
  expect(overhead(small)).toBeLessThan(1.02);
  // The native machine gains by large pages what this one does not.
  expect(overhead(large)).toBeGreaterThan(1.3);
  expect(large.metrics.work! / small.metrics.work!).toBeCloseTo(1, 3);
  expect(large.metrics.hidden_faults).toBe(small.metrics.hidden_faults);
  const perThousand = ({ metrics: m }: VmRow) => (1000 * m.walks!) / m.instructions!;
  expect(perThousand(large)).toBeCloseTo(perThousand(small), 0);
});

it('cache-refill: several per cent at 5 ms turns, next to nothing at 50 ms', async () => {
  const at = (slice: string, ...more: string[]) =>
    firstVm('cache-refill', `hypervisor.scheduler.timeslice=${slice}`, ...more);
  const often = overhead(await at('5ms', 'duration=30ms', 'warmup=10ms'));
  const rarely = overhead(await at('50ms', 'duration=120ms', 'warmup=20ms'));
  expect(often - 1).toBeGreaterThan(0.03);
  expect(often - 1).toBeLessThan(0.08);
  expect(rarely - 1).toBeLessThan(0.01);
});
