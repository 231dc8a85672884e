import { describe, expect, test } from 'vitest';
import { DIRECT_MAP } from '../../src/hypervisor/guest-port.ts';
import { mmuModes } from '../../src/hypervisor/mmu/index.ts';
import { type Observer, silent } from '../../src/observe/observer.ts';
import { oracleText, runOracleYaml } from '../support/oracle.ts';
import {
  metric,
  modeName as nameOf,
  type Overrides,
  PAGING_MODES,
  run,
} from '../support/scenarios.ts';

/**
 * A program that has been running for long has its memory mapped, backed and, where there are shadows, shadowed: its
 * populated regions cause no fault, whatever the paging mode, its variant, the page size and the kind of region.
 */

const PAGE_SIZES = ['4KiB', '2MiB', '1GiB'] as const;
type PageSize = (typeof PAGE_SIZES)[number];
const KINDS = ['code', 'anon', 'file', 'shared'] as const;
const BYTES: Readonly<Record<PageSize, number>> = {
  '4KiB': 2 ** 12,
  '2MiB': 2 ** 21,
  '1GiB': 2 ** 30,
};

/** All but those that cannot keep what maps a GiB: then it is recycled, and faults are the rule. */
const MODES = PAGING_MODES.filter(({ pageBudget }) => pageBudget === undefined);
const BACKINGS = ['on-touch', 'up-front'] as const;
const FAULTS = ['guest_faults', 'hidden_faults', 'nested_faults', 'fault_walks'] as const;

test('the modes are those of the registry, with their variants', () => {
  const names = MODES.map(nameOf);
  expect(names).toEqual(
    expect.arrayContaining(['native', 'shadow kvm-2.6.33', 'shadow vmware-trace', 'nested 1GiB']),
  );
  expect(new Set(names).size).toBe(names.length);
});

test.each(mmuModes.definitions)(
  'every shadow profile or other list of $name has a variant',
  (mode) => {
    for (const [param, choices] of Object.entries(mode.lists ?? {})) {
      const tried = new Set((mode.variants ?? []).map((variant) => variant[param]));
      expect([...tried].toSorted()).toEqual(choices.map(({ name }) => name).toSorted());
    }
  },
);

/** Bytes of the largest page that the hypervisor's tables map under a mode, as its definition says. */
function largestPage({ kind, ...params }: (typeof MODES)[number]): number {
  const definition = mmuModes.of(kind);
  return definition.largestPage(definition.params.parse(params));
}

/** What a walk reads and an entry of the TLB holds: this follows from the page sizes, and from how the hardware walks. */
function walksOf(mmu: (typeof MODES)[number], page: PageSize): { reads: number; entry: PageSize } {
  const largest = largestPage(mmu);
  const levels = (bytes: number) => 4 - PAGE_SIZES.findLastIndex((size) => BYTES[size] <= bytes);
  const entry = PAGE_SIZES.findLast((size) => BYTES[size] <= Math.min(BYTES[page], largest))!;
  if (mmuModes.of(mmu.kind).walk === 'one') return { reads: levels(BYTES[entry]), entry };
  const [n, m] = [levels(BYTES[page]), levels(largest)];
  return { reads: n * m + n + m, entry };
}

/** Whether guest or hypervisor have pages of 1 GiB, which take a VM that has room for them. */
const hasGib = (mmu: (typeof MODES)[number], page: PageSize): boolean =>
  page === '1GiB' || largestPage(mmu) === BYTES['1GiB'];

/** One region, and nothing else that happens: no ticks, no system calls, no interrupts of the host. */
function program(
  mmu: (typeof MODES)[number],
  backing: string,
  page: PageSize,
  kind: string,
): Overrides {
  const stores = kind === 'code' ? 0 : 0.3;
  const region = { name: 'region', kind, size: '8MiB', share: 1, stores, pageSize: page };
  return {
    duration: 'work',
    host: {
      memory: '4GiB',
      caches: { data: 'off' },
      cpu: { walk: { pwcEntries: 0, nestedTlbEntries: 0 } },
    },
    hypervisor: { mmu, backing, costs: { hostHz: 0 } },
    vms: [
      {
        name: 'vm',
        memory: hasGib(mmu, page) ? '2GiB' : '64MiB',
        workload: {
          kind: 'synthetic',
          regions: [region],
          visit: { instructions: 20 },
          hz: 0,
          work: 1,
        },
      },
    ],
  };
}

const full = process.env['VALIDATE'] === 'full';

/** Large pages take long to make: two kinds stand for the others in a quick run, and one of them is backed up front. */
const kindsFor = (page: PageSize) =>
  page === '4KiB' || full ? KINDS : (['anon', 'file'] as const);

describe.each(PAGE_SIZES)('a populated region of pages of %s', (page) => {
  test.each(kindsFor(page))(
    'of kind %s causes no fault in any paging mode',
    async (kind) => {
      const visits = new Set<number>();
      /** Walks, by what an entry of the TLB holds. */
      const walks = new Map<string, number>();
      for (const mmu of MODES) {
        const both = full || page === '4KiB' || kind === 'anon';
        for (const backing of both ? BACKINGS : (['on-touch'] as const)) {
          const result = await run(program(mmu, backing, page, kind));
          const where = `under ${nameOf(mmu)}, ${backing}`;
          for (const name of FAULTS) expect(metric(result, name), `${name} ${where}`).toBe(0);
          // The dirty bits of what the program stores to are set.
          expect(metric(result, 'dirty_walks'), where).toBe(0);
          visits.add(metric(result, 'visits'));
          const law = walksOf(mmu, page);
          const walked = metric(result, 'walks');
          const reads = metric(result, 'walk_reads_guest') + metric(result, 'walk_reads_nested');
          expect(reads, `reads ${where}`).toBe(walked * law.reads);
          expect(walked, `walks ${where}`).toBe(walks.get(law.entry) ?? walked);
          walks.set(law.entry, walked);
        }
      }
      expect(visits.size).toBe(1);
      expect(walks.get('4KiB')).toBeGreaterThan(1000);
    },
    180_000,
  );
});

describe.each(PAGE_SIZES)('with pages of %s', (page) => {
  test.each(MODES.map((mmu) => [nameOf(mmu), mmu] as const))(
    'two processes share what is shared and cause no fault under %s',
    async (_name, mmu) => {
      const region = (name: string, kind: string) => {
        return { name, kind, size: '4MiB', share: 1, stores: 0.3, pageSize: page };
      };
      const regions = [region('own', 'anon'), region('common', 'shared')];
      const base = program(mmu, 'on-touch', page, 'anon');
      const processes = { processes: 2, regions, quantum: 50_000, work: 2 };
      const workload = { kind: 'synthetic', hz: 0, ...processes };
      // A GiB for the kernel, one for each process and one for both.
      const memory = page === '1GiB' ? '4GiB' : hasGib(mmu, page) ? '2GiB' : '64MiB';
      const host = { ...(base['host'] as Overrides), memory: '8GiB' };
      const vms = [{ name: 'vm', memory, workload }];
      const faults: number[] = [];
      const observer: Observer = {
        ...silent,
        onFault: (_now, _pcpu, _vcpu, vpn) => faults.push(vpn),
      };
      const result = await run({ ...base, host, vms }, { observer });
      expect(metric(result, 'guest_process_switches')).toBeGreaterThan(5);
      // The kernel's direct map is shadowed as the kernel touches it, which it does to switch.
      expect(faults.filter((vpn) => vpn < DIRECT_MAP)).toEqual([]);
      expect(metric(result, 'fault_walks')).toBe(faults.length);
      for (const name of ['guest_faults', 'nested_faults'] as const) {
        expect(metric(result, name), name).toBe(0);
      }
    },
    180_000,
  );
});

describe.each(PAGE_SIZES)('a trace whose pages are mapped beforehand, by pages of %s', (page) => {
  const replay = (...set: readonly string[]) =>
    runOracleYaml(oracleText('one-trace.yaml'), [
      `vms.first.workload.limitReferences=${full ? 200_000 : 60_000}`,
      `vms.first.workload.pageSize=${page}`,
      'vms.first.memory=6GiB',
      'host.memory=10GiB',
      ...set,
    ]);
  let bare: ReturnType<typeof replay> | undefined;

  test.each(MODES.map((mmu) => [nameOf(mmu), mmu] as const))(
    'causes no fault of the hypervisor under %s and misses as on the bare machine',
    async (_name, mmu) => {
      const { kind, ...params } = mmu;
      const result = await replay(
        'hypervisor.costs.hostHz=0',
        `hypervisor.mmu.kind=${kind}`,
        ...Object.entries(params).map(([key, value]) => `hypervisor.mmu.${key}=${value}`),
      );
      for (const name of FAULTS.slice(0, 3)) expect(metric(result, name), name).toBe(0);
      expect(result.exits.filter(({ reason }) => reason === 'page-fault')).toEqual([]);
      expect(result.exits.filter(({ reason }) => reason === 'npf')).toEqual([]);
      // The first touch of a page ends one walk, and that is all.
      const touched = metric(result, 'fault_walks');
      expect(touched).toBeGreaterThan(0);
      bare ??= replay();
      const native = await bare;
      expect(touched).toBe(metric(native, 'fault_walks'));
      // Entries of the TLB are as large as the smaller page.
      const law = walksOf(mmu, page);
      if (law.entry === page) {
        for (const name of ['l1i_misses', 'l1d_misses', 'walks'] as const) {
          expect(metric(result, name), name).toBe(metric(native, name));
        }
      }
    },
    180_000,
  );
});
