import type { Overrides } from '../../support/scenarios.ts';

/**
 * The Intel processors of the sources, as numbers to put over those of the preset opteron-8384: TLBs, walks, caches,
 * memory, entry and exit. Sizes of the walk caches stay those of the preset; Intel publishes none.
 */

/**
 * A walk of 4 KiB pages with all but the last entry in the walk caches, and that one in the L1, takes 23 cycles, of
 * which three hits in the walk caches and a load from the L1 are 7. 23 is the penalty of a TLB miss on a Westmere with
 * tables of one level besides a cached one (7-cpu.com, Xeon X5650, pages of 1 GB); how many levels a walk skips does not
 * matter, since the caches are searched by linear address (Intel's manual, volume 3, 4.10.3.2). Assumed to be the same
 * on the other parts.
 */
const WALK_OVERHEAD = 16;

/** For cases that were measured before that was known. */
export const DEARER_WALKS =
  'walks had the fixed cost of an Opteron’s (5 cycles, not 16) until the penalty of a TLB miss on an Intel processor had been looked up';

interface Intel {
  readonly clock: string;
  /**
   * Entry and exit together; the state that VMSAVE and VMLOAD move is part of it. Nehalem and Sandy Bridge: Agesen et al.,
   * USENIX ATC 2012 (recalled). Later parts: assumed as the latter (700-900); exits alone take 507 to 531 cycles from it to Broadwell.
   */
  readonly roundTrip: number;
  /** Second-level TLB: entries, ways, penalty in cycles; whether it holds 2 MiB pages too. */
  readonly stlb: readonly [entries: number, ways: number, cycles: number, large: boolean];
  readonly l2: Overrides;
  /** Its ways are chosen so that the number of sets is a power of two. */
  readonly l3: Overrides;
  readonly localCycles: number;
  /** A line on the channels of a socket, at a STREAM-like bandwidth. */
  readonly lineCycles: number;
}

const level = (entries: number, ways: number | 'full') => ({ entries, ways });

/** `host` of a scenario with one of these processors. */
const intel = (machine: Intel): Overrides => {
  const { clock, roundTrip, stlb, l2, l3, localCycles, lineCycles } = machine;
  const [entries, ways, l2HitCycles, large] = stlb;
  const second = (small: boolean) => ({
    '4K': level(small ? entries : 0, small ? ways : 'full'),
    '2M': large && small ? level(entries, ways) : level(0, 'full'),
    '1G': level(0, 'full'),
  });
  return {
    processor: 'opteron-8384',
    cpu: {
      clock,
      tlb: {
        // The same from Nehalem to Cascade Lake but for the ways of the code TLB: Intel's optimization reference manual.
        l1i: { '4K': level(128, 4), '2M': level(8, 'full'), '1G': level(0, 'full') },
        l1d: { '4K': level(64, 4), '2M': level(32, 4), '1G': level(4, 'full'), shared: false },
        l2i: second(true),
        l2d: second(true),
        l2HitCycles,
      },
      // First-level caches and walks that look there first: Intel's optimization reference manual.
      walk: { overheadCycles: WALK_OVERHEAD, reads: 'l1', pwcNestedLeaves: false },
      caches: {
        l1i: { size: '32KiB', ways: 8 },
        l1d: { size: '32KiB', ways: 8, hitCycles: 4 },
        l2: { ...l2, sharedByCores: 1, exclusive: false },
        l3,
      },
      memory: { localCycles, lineCycles },
      svm: {
        vmrunCycles: Math.floor(roundTrip / 2),
        vmexitCycles: Math.ceil(roundTrip / 2),
        vmsaveCycles: 0,
        vmloadCycles: 0,
        stgiCycles: 0,
        clgiCycles: 0,
      },
    },
  };
};

/**
 * Core i7-860. Latencies: Intel's performance analysis guide for the Core i7 and Xeon 5500 (L2 10 cycles, L3 40, local
 * memory 60 ns).
 */
export const nehalem = intel({
  clock: '2800MHz',
  roundTrip: 1009,
  stlb: [512, 4, 7, false],
  l2: { size: '256KiB', ways: 8, hitCycles: 10 },
  l3: { size: '8MiB', ways: 16, hitCycles: 40 },
  localCycles: 168,
  lineCycles: 11, // assumed: 16 GB/s
});

/**
 * Xeon E5-2430. L2 and L3: Tech Report 21987, measured on the desktop part of the same die (12 and 30 cycles); memory
 * 75 ns, assumed (60-90).
 */
export const sandyBridge = intel({
  clock: '2200MHz',
  roundTrip: 784,
  stlb: [512, 4, 7, false],
  l2: { size: '256KiB', ways: 8, hitCycles: 12 },
  l3: { size: '15MiB', ways: 30, hitCycles: 30 },
  localCycles: 165,
  lineCycles: 6, // assumed: 24 GB/s
});

/** Of the Xeon E5-2690 v3: 40 cycles (34-60) and 85 ns (75-95). */
export const haswellAssumed = { 'caches.l3.hitCycles': 40, 'memory.localCycles': 196 } as const;

/** Xeon E5-2690 v3. */
export const haswell = intel({
  clock: '2300MHz',
  roundTrip: 784,
  stlb: [1024, 8, 7, true],
  l2: { size: '256KiB', ways: 8, hitCycles: 12 },
  l3: { size: '30MiB', ways: 30, hitCycles: haswellAssumed['caches.l3.hitCycles'] },
  localCycles: haswellAssumed['memory.localCycles'],
  lineCycles: 3, // assumed: 55 GB/s
});

/** Xeon Gold 6252. L3 of 35.75 MiB taken as 36, 60 cycles, and memory 81 ns, assumed (44-70, 75-95). */
export const cascadeLake = intel({
  clock: '2100MHz',
  roundTrip: 784,
  stlb: [1536, 12, 9, true],
  l2: { size: '1MiB', ways: 16, hitCycles: 14 },
  l3: { size: '36MiB', ways: 36, hitCycles: 60 },
  localCycles: 170,
  lineCycles: 2, // assumed: 100 GB/s
});
