import type { RunResult } from '../../../../src/stats/result.ts';
import type { Overrides } from '../../../support/scenarios.ts';
import type { Arms } from '../case.ts';
import { fittedInstructions } from '../ledger.ts';

/**
 * Two-dimensional walks on a simulated quad-core Opteron (Bhargava, Serebrin, Spadini and Manne 2008). The
 * paper gives the geometry, the latencies and each suite's TLB misses per instruction; there is no
 * hypervisor in it.
 */

/** Section 3 and table 2: latencies of the walk caches, of the L2 and, on average, of what misses it. */
export function hostOf(caches: 'none' | 'pwc' | 'both'): Overrides {
  const level = (entries: number, ways: number | 'full') => ({ entries, ways });
  return {
    processor: 'opteron-8356',
    memory: '2GiB',
    cpu: {
      tlb: {
        l1d: { '4K': level(64, 'full'), '2M': level(64, 'full'), shared: true },
        l2d: { '4K': level(512, 4) },
      },
      walk: {
        overheadCycles: 0,
        pwcEntries: caches === 'none' ? 0 : 24,
        pwcHitCycles: 2,
        // Figure 8 has hits of the last nested entries, and none of the last guest entries.
        pwcNestedLeaves: true,
        nestedTlbEntries: caches === 'both' ? 16 : 0,
        nestedTlbHitCycles: 2,
      },
      caches: {
        l2: { hitCycles: 11 },
        l3: { size: '0B' },
      },
      memory: { localCycles: 100 },
    },
  };
}

interface Suite {
  readonly text: string;
  /** Regions besides text, private data and stack, with the share of visits that makes the published miss rate. */
  readonly far: readonly Overrides[];
  /** Of a visit: shares are multiples of 1/2048, so this sets the miss rate. */
  readonly instructions: number;
  /** Memory of the guest. */
  readonly memory: string;
  /** Native walks, with the page-walk cache, in parts of the time with a perfect TLB (table 1, figure 6). */
  readonly nativeWalks: number;
  /** What is fitted to that: cycles per instruction, or the miss rate. */
  readonly fitted: 'cpi' | 'instructions';
}

const region = (name: string, size: string, share: number, more: Overrides): Overrides => ({
  name,
  kind: 'anon',
  size,
  share,
  ...more,
});

const near = (text: string): Overrides[] => [
  region('text', text, 0.42, {
    kind: 'code',
    pattern: { kind: 'zipf', exponent: 1.75 },
    lines: 2,
    hotLines: 24,
  }),
  region('private', '2MiB', 0.44, {
    stores: 0.3,
    pattern: { kind: 'zipf', exponent: 1.85 },
    hotLines: 24,
  }),
  region('stack', '64KiB', 0.14, {
    stores: 0.4,
    pattern: { kind: 'zipf', exponent: 2, order: 'ranked' },
  }),
];

/**
 * Far memory. Its size is what makes native walks without a page-walk cache take as much longer than with it as in the
 * paper (table 1 and figure 6: 1.28 (1.22-1.35), 1.61 and 1.58 times): it says how many of the last entries the L2 has.
 * Of it
 * so much of the visits goes to 2 MiB pages of the guest (table 5: misses that 2 MiB nested pages remove).
 */
const mixed = (
  [name, size]: readonly [string, string],
  share: number,
  large: number,
  pattern: Overrides,
): Overrides[] => [
  region(name, size, share * (1 - large), pattern),
  region(`${name}-large`, '32MiB', share * large, { ...pattern, pageSize: '2MiB' }),
];

export const suites: Readonly<Record<'misc' | 'java' | 'fp', Suite>> = {
  misc: {
    text: '4MiB',
    far: mixed(['buffers', '512MiB'], 0.00812, 0.254, zipf(0.8, 0.2)),
    instructions: 3.985,
    memory: '640MiB',
    nativeWalks: 0.109,
    fitted: 'cpi',
  },
  java: {
    text: '4MiB',
    far: mixed(['heap', '48MiB'], 0.00623, 0.4, zipf(0.7, 0.3)),
    instructions: 3.935,
    memory: '256MiB',
    nativeWalks: 0.084,
    fitted: 'cpi',
  },
  fp: {
    text: '256KiB',
    far: [region('arrays', '64MiB', 0.00147, { pattern: { kind: 'uniform' }, stores: 0.3 })],
    instructions: 3,
    memory: '256MiB',
    nativeWalks: 0.036,
    fitted: 'instructions',
  },
};

function zipf(exponent: number, stores: number): Overrides {
  return { pattern: { kind: 'zipf', exponent }, stores, lines: 2 };
}

export type Mode = 'native' | '4KiB' | '2MiB';

function scenario(
  suite: Suite,
  cpi: number,
  mode: Mode,
  caches: 'none' | 'pwc' | 'both',
): Overrides {
  return {
    duration: '30ms',
    warmup: '10ms',
    host: hostOf(caches),
    hypervisor: {
      mmu: mode === 'native' ? { kind: 'native' } : { kind: 'nested', pageSize: mode },
      backing: 'up-front',
      costs: { hostHz: 0 },
    },
    vms: [
      {
        name: 'vm',
        memory: suite.memory,
        workload: {
          kind: 'synthetic',
          regions: [...near(suite.text), ...suite.far],
          visit: { references: 6, instructions: suite.instructions },
          cpi,
          overlap: 1,
          hz: 0,
        },
      },
    ],
  };
}

export const assumed = [
  'cycles per instruction with a perfect TLB such that native walks take the published part of that time (10.9, 8.4 and 3.6 %: table 1, figure 6); data lines compete for the L2 but stall nothing (their cost is in that figure)',
  'text (4 MiB; FpCpu: 256 KiB), private data and stack as in the workload preset oltp; the TLB misses come from one region, visited as in oltp (MiscServer), java-server (JavaServer), or uniformly (FpCpu); its share of the visits and the instructions of a visit are set to the published miss rate, its size (512, 48 and 64 MiB) to how much longer native walks take without a page-walk cache (1.28, 1.61 and 1.58 times, read off a figure; 1.33, 1.55 and 1.57 here)',
  'at the miss rate that is printed for FpCpu native walks would take less than 1 % of the time, not the 3.6 % of the paper: its programs differ, so the mean miss rate and the mean loss do not describe one program; its walks are set to the published time at one cycle per instruction (86 in 100,000 instructions instead of 18)',
  'of these visits a quarter (MiscServer) and two fifths (JavaServer) go to a region of 32 MiB that the guest maps with 2 MiB pages, since 2 MiB nested pages remove 21 and 32 % of the misses (table 5)',
  'one process and no kernel events; guest frames are host frames one to one',
  'no fixed cost of a walk besides its look-ups and reads',
];

export async function runSuite(
  arms: Arms,
  name: keyof typeof suites,
  mode: Mode,
  caches: 'none' | 'pwc' | 'both',
): Promise<RunResult> {
  const suite = suites[name];
  const written = await arms.run(`${name} as written`, scenario(suite, 1, 'native', 'both'));
  const cycles = fittedInstructions(written, suite.instructions, suite.nativeWalks);
  const own =
    suite.fitted === 'cpi'
      ? scenario(suite, Number((cycles / suite.instructions).toFixed(3)), mode, caches)
      : scenario({ ...suite, instructions: cycles }, 1, mode, caches);
  return arms.run(`${name} ${mode} ${caches}`, own);
}

export const SUITES = [
  ['misc', 'MiscServer'],
  ['java', 'JavaServer'],
  ['fp', 'FpCpu'],
] as const;

export const TITLES = Object.fromEntries(SUITES) as Record<keyof typeof suites, string>;
