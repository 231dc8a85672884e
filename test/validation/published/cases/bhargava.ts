import type { RunResult } from '../../../../src/stats/result.ts';
import { metric } from '../../../support/scenarios.ts';
import type { Case } from '../case.ts';
import { allWalks, cyclesPerInstruction, cyclesPerWalk } from '../ledger.ts';
import { assumed, type Mode, runSuite, SUITES, type suites, TITLES } from './bhargava-suites.ts';

/** What Bhargava et al. (2008) measured of two-dimensional walks; their suites are in bhargava-suites.ts. */

export const uncachedWalks: Case = {
  id: 'V1',
  title: 'Latency of two-dimensional walks without walk caches',
  scenario:
    'One VM on one core, 4 KiB pages in guest and nested tables, no page-walk cache, no nested TLB; entries come from an L2 of 11 cycles or from memory, 100 cycles. Nested walk over native walk, in cycles.',
  assumed,
  revised:
    'the programs changed with those of V2 (3.87, 3.87 and 4.12 at first; 4.05, 4.00 and 4.27 before their memory and cycles per instruction were fitted)',
  seeds: 2,
  explain: {
    arms: ['misc native none', 'misc 4KiB none'],
    per: 'user_instructions',
    unit: 'instruction',
  },
  figures: SUITES.map(([key, suite]) => ({
    key,
    row: `bhargava-uncached-${key}`,
    column: 'ratio_b_over_a',
    what: `nested / native walk latency, ${suite}`,
    neutral: 1,
    tolerance: { kind: 'relative', by: 0.1 },
  })),
  async measure(arms) {
    const values: Record<string, number> = {};
    for (const [key] of SUITES) {
      const nested = await runSuite(arms, key, '4KiB', 'none');
      const native = await runSuite(arms, key, 'native', 'none');
      values[key] = cyclesPerWalk(nested) / cyclesPerWalk(native);
    }
    return values;
  },
};

const SLOWDOWN_REASONS = {
  misc: 'not known: a walk through 2 MiB nested pages takes 1.36 native ones here, 1.54 in the paper (JavaServer: 1.47 and 1.49)',
  java: 'not known',
  fp: 'not known: a nested walk takes 2.7 native ones here (1.5 with 2 MiB nested pages), 2.3 (1.4) in the paper, whose mean loss and mean miss rate do not describe one program',
};

export const nestedSlowdown: Case = {
  id: 'V2',
  title: 'Slowdown by nested walks, 4 KiB and 2 MiB nested pages',
  scenario:
    'The programs of V1 with a page-walk cache of 24 entries and a nested TLB of 16, 2 cycles each. Time nested over time native.',
  assumed,
  revised:
    'the guests’ large pages, which the paper mentions, were left out at first (2 MiB nested pages: 1.074 and 1.067); the data region was at first visited at the miss rates plus a quarter, then plus a twentieth; the page-walk cache held no leaf entries of nested tables at first, and an entry of the nested TLB covered 4 KiB of a larger nested page (JavaServer, 2 MiB nested pages: 1.053); FpCpu at first missed as often as printed (1.020 and 1.007). With 128 MiB of far memory and one cycle per instruction native walks took 13.3, 10.1 and 3.2 % of the time with a perfect TLB once the L1 was modelled, 10.9, 8.4 and 3.6 in the paper: now both are fitted to the native walks of the paper (before: 1.23, 1.05, 1.20, 1.04, 1.05, 1.01)',
  seeds: 2,
  explain: {
    arms: ['misc native both', 'misc 4KiB both'],
    per: 'user_instructions',
    unit: 'instruction',
  },
  figures: SUITES.flatMap(([key, suite]) =>
    (['4K', '2M'] as const).map((size) => ({
      key: `${key} ${size}`,
      row: size === '4K' ? `bhargava-nested-${key}` : `bhargava-nested2m-${key}`,
      column: 'ratio_b_over_a' as const,
      what: `nested / native time, ${suite}, ${size === '4K' ? '4 KiB' : '2 MiB'} nested pages`,
      neutral: 1,
      tolerance: { kind: 'effect' as const, by: 0.25 },
      reason: SLOWDOWN_REASONS[key],
    })),
  ),
  async measure(arms) {
    const values: Record<string, number> = {};
    for (const [key] of SUITES) {
      const native = cyclesPerInstruction(await runSuite(arms, key, 'native', 'both'));
      for (const [size, mode] of [
        ['4K', '4KiB'],
        ['2M', '2MiB'],
      ] as const) {
        const nested = await runSuite(arms, key, mode, 'both');
        values[`${key} ${size}`] = cyclesPerInstruction(nested) / native;
      }
    }
    return values;
  },
};

const EXPOSED =
  'not known; an out-of-order core that hides a part of each walk cannot be the reason, since the share of native walks is fitted';

/** Entries a walk looked for, in the walk caches or beyond. */
const lookups = (result: RunResult) =>
  (metric(result, 'pwc_hits') + reads(result)) / allWalks(result);
const reads = (result: RunResult) =>
  metric(result, 'walk_reads_guest') + metric(result, 'walk_reads_nested');

export const walkCaches: Case = {
  id: 'V3',
  title: 'Page-walk cache and nested TLB at work',
  scenario: 'MiscServer of V2, 4 KiB nested pages: entries looked up and read per walk.',
  assumed,
  revised: 'as V2',
  seeds: 2,
  quick: true,
  figures: [
    {
      key: 'lookups',
      row: 'bhargava-lookups',
      column: 'value_b',
      what: 'entries looked up per walk',
      neutral: 24,
      tolerance: { kind: 'relative', by: 0.15 },
    },
    {
      key: 'references',
      row: 'bhargava-references',
      column: 'value_b',
      what: 'entries read from caches or memory per walk',
      neutral: 24,
      tolerance: { kind: 'relative', by: 0.15 },
    },
    {
      key: 'ntlb',
      row: 'bhargava-ntlb-gl1',
      column: 'value_b',
      // Rows gL4 to gL2 hit almost always, so the mean over the four rows says what row gL1 does.
      convert: (gl1) => (99.1 + 95.1 + 93.8 + gl1) / 4,
      what: 'nested-TLB hits, mean of the four rows of guest tables, %',
      neutral: 0,
      tolerance: { kind: 'absolute', by: 10 },
    },
    {
      key: 'fewer lookups',
      row: 'bhargava-fewer-lookups',
      column: 'ratio_b_over_a',
      what: 'look-ups (nested TLB included) with the nested TLB / without',
      neutral: 1,
      tolerance: { kind: 'absolute', by: 0.1 },
    },
    {
      key: 'fewer references',
      row: 'bhargava-fewer-references',
      column: 'ratio_b_over_a',
      what: 'references with the nested TLB / without',
      neutral: 1,
      tolerance: { kind: 'absolute', by: 0.1 },
      reason:
        'without a nested TLB the page-walk cache finds more of the last entries of nested tables than in the paper: 4.8 references are left here, 5.9 there. If it held none of them, 7.3 would be left and the ratio would be 0.55',
    },
    {
      key: 'pwc gain',
      row: 'bhargava-pwc-gain',
      column: 'ratio_b_over_a',
      what: 'speed with the page-walk cache / without walk caches',
      neutral: 1,
      tolerance: { kind: 'effect', by: 0.25 },
      reason: EXPOSED,
    },
    {
      key: 'both gain',
      row: 'bhargava-both-gain',
      column: 'ratio_b_over_a',
      what: 'speed with page-walk cache and nested TLB / without',
      neutral: 1,
      tolerance: { kind: 'effect', by: 0.25 },
      reason: EXPOSED,
    },
  ],
  async measure(arms) {
    const none = await runSuite(arms, 'misc', '4KiB', 'none');
    const both = await runSuite(arms, 'misc', '4KiB', 'both');
    const pwc = await runSuite(arms, 'misc', '4KiB', 'pwc');
    const hits = metric(both, 'nested_tlb_hits');
    const tried = hits + metric(both, 'nested_tlb_misses');
    const perWalk = (result: RunResult) => reads(result) / allWalks(result);
    return {
      lookups: lookups(both),
      references: perWalk(both),
      ntlb: (100 * hits) / tried,
      'fewer lookups': (lookups(both) + tried / allWalks(both)) / lookups(pwc),
      'pwc gain': cyclesPerInstruction(none) / cyclesPerInstruction(pwc),
      'both gain': cyclesPerInstruction(none) / cyclesPerInstruction(both),
      'fewer references': perWalk(both) / perWalk(pwc),
    };
  },
};

export const cachingGains: Case = {
  id: 'V2',
  title: 'What walk caches and large nested pages gain',
  scenario:
    'The programs of V1: speed with the page-walk cache, with nested TLB added, with 2 MiB nested pages added, over the speed without any. MiscServer’s first two are in V3.',
  assumed,
  revised:
    'as V2 (FpCpu at first 1.03, 1.04 and 1.05; before memory and cycles per instruction were fitted 1.29, 1.36, 1.09, 1.11, 1.62, 1.56 and 1.14)',
  seeds: 2,
  figures: [
    ...(['java', 'fp'] as const).flatMap((key) =>
      (['pwc', 'both'] as const).map((caches) => ({
        key: `${caches} ${key}`,
        row: `bhargava-${caches}-gain-${key}`,
        column: 'ratio_b_over_a' as const,
        what: `speed with ${caches === 'pwc' ? 'the page-walk cache' : 'page-walk cache and nested TLB'} / without, ${TITLES[key]}`,
        neutral: 1,
        tolerance: { kind: 'effect' as const, by: 0.25 },
        reason: EXPOSED,
      })),
    ),
    ...SUITES.map(([key, suite]) => ({
      key: `large ${key}`,
      row: `bhargava-large-gain-${key}`,
      column: 'ratio_b_over_a' as const,
      what: `speed with both and 2 MiB nested pages / without, ${suite}`,
      neutral: 1,
      tolerance: { kind: 'effect' as const, by: 0.25 },
      reason: EXPOSED,
    })),
  ],
  async measure(arms) {
    const cost = async (key: keyof typeof suites, mode: Mode, caches: 'none' | 'pwc' | 'both') =>
      cyclesPerInstruction(await runSuite(arms, key, mode, caches));
    const values: Record<string, number> = {};
    for (const [key] of SUITES) {
      const none = await cost(key, '4KiB', 'none');
      values[`large ${key}`] = none / (await cost(key, '2MiB', 'both'));
      if (key === 'misc') continue;
      values[`pwc ${key}`] = none / (await cost(key, '4KiB', 'pwc'));
      values[`both ${key}`] = none / (await cost(key, '4KiB', 'both'));
    }
    return values;
  },
};

/** Page-table entries that a walk's read did not find in the L2, for each instruction. */
const l2Misses = (result: RunResult) =>
  (metric(result, 'walk_dram') + metric(result, 'walk_l3_hits')) /
  metric(result, 'user_instructions');

const L2_REASONS = {
  misc: 'native walks miss the L2 0.51 times here, 0.37 times in the paper (table 4 and figure 8), nested ones 1.03 and 1.14 times: the entries of its native tables lie closer together, or less data shares the L2',
  java: 'not known',
  fp: 'native walks miss the L2 0.28 times here, nested ones 0.65 times; with 128 MiB of far memory, where every second native walk misses, the ratio is 2.17. Which data share the L2 with the tables is not published',
};
const LEFT_REASON =
  '2 MiB nested pages leave 81 % (MiscServer) and 73 % (JavaServer) of the TLB misses here, 79 and 68 % in the paper: shares of visits are multiples of 1/2048';

export const entriesInL2: Case = {
  id: 'V3',
  title: 'Page-table entries in the L2 cache',
  scenario:
    'The programs of V2: entries that miss the L2, nested over native and as a share of those read (table 4); entries looked up and entries that miss the L2 with 2 MiB nested pages over those with 4 KiB (table 5).',
  assumed,
  revised: 'as V2 (look-ups with 2 MiB nested pages at first 0.733 and 0.711)',
  seeds: 2,
  figures: [
    ...SUITES.flatMap(([key, suite]) => [
      {
        key: `misses ${key}`,
        row: `bhargava-l2-misses-${key}`,
        column: 'ratio_b_over_a' as const,
        what: `L2 misses of page-table entries, nested / native, ${suite}`,
        neutral: 1,
        tolerance: { kind: 'relative' as const, by: 0.15 },
        reason: L2_REASONS[key],
      },
      {
        key: `ratio ${key}`,
        row: `bhargava-l2-ratio-${key}`,
        column: 'value_b' as const,
        what: `entries read that miss the L2, nested, %, ${suite}`,
        neutral: 0,
        tolerance: { kind: 'absolute' as const, by: 10 },
        reason: L2_REASONS[key],
      },
    ]),
    ...(['misc', 'java'] as const).flatMap((key) => [
      {
        key: `lookups ${key}`,
        row: `bhargava-large-lookups-${key}`,
        column: 'ratio_b_over_a' as const,
        what: `walk-cache look-ups, 2 MiB / 4 KiB nested pages, ${TITLES[key]}`,
        neutral: 1,
        tolerance: { kind: 'absolute' as const, by: 0.1 },
        reason: LEFT_REASON,
      },
      {
        key: `large misses ${key}`,
        row: `bhargava-large-l2-${key}`,
        column: 'ratio_b_over_a' as const,
        what: `L2 misses of page-table entries, 2 MiB / 4 KiB nested pages, ${TITLES[key]}`,
        neutral: 1,
        tolerance: { kind: 'absolute' as const, by: 0.1 },
        reason: LEFT_REASON,
      },
    ]),
  ],
  async measure(arms) {
    const values: Record<string, number> = {};
    for (const [key] of SUITES) {
      const native = await runSuite(arms, key, 'native', 'both');
      const small = await runSuite(arms, key, '4KiB', 'both');
      const large = await runSuite(arms, key, '2MiB', 'both');
      const looked = (result: RunResult) =>
        (metric(result, 'pwc_hits') + reads(result)) / metric(result, 'user_instructions');
      values[`misses ${key}`] = l2Misses(small) / l2Misses(native);
      values[`ratio ${key}`] =
        (100 * l2Misses(small) * metric(small, 'user_instructions')) / reads(small);
      values[`lookups ${key}`] = looked(large) / looked(small);
      values[`large misses ${key}`] = l2Misses(large) / l2Misses(small);
    }
    return values;
  },
};
