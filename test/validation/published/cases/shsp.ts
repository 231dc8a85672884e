import type { RunResult } from '../../../../src/stats/result.ts';
import { metric, type Overrides } from '../../../support/scenarios.ts';
import type { Arms, Case } from '../case.ts';
import {
  cyclesPerExit,
  cyclesPerInstruction,
  cyclesPerWalk,
  exits,
  leafCycles,
  per,
} from '../ledger.ts';
import { DEARER_WALKS, nehalem } from '../machines.ts';
import { agileProgram, scenario as memoryScenario } from './large-footprints.ts';

/**
 * SPEC CPU2006 under Xen 3.3 on a Nehalem without tags (Wang et al. 2011): gcc, which faults, and mcf, which
 * misses the TLB. The source gives faults and TLB misses of the whole run, from which the rates are taken.
 */
type Mode = 'shadow' | 'nested';

/** `faultPath` of the profile xen-3.4. */
const XEN_FAULT_PATH = 400;

const MHZ = 2800;

interface Program {
  /** Of the misses per second of nested run time. */
  readonly missesPer1M: number;
  readonly faultsPer1M: number;
  readonly mib: number;
  /** Share of the visits that go to the large region. */
  readonly share: number;
  readonly pattern: Overrides;
}

const programs = {
  gcc: {
    missesPer1M: 996,
    faultsPer1M: 12.3,
    mib: 64,
    share: 0.0039,
    pattern: { kind: 'uniform' },
  },
  mcf: {
    missesPer1M: 12_110,
    faultsPer1M: 0.237,
    mib: 860,
    share: 0.064,
    pattern: { kind: 'working-set', pages: 2048, visits: 50_000 },
  },
} as const satisfies Record<string, Program>;

const mmuOf = (mode: Mode, pageBudget: number): Overrides =>
  mode === 'nested' ? { kind: 'nested', pageSize: '4KiB' } : { kind: 'shadow', pageBudget };

function scenario(program: Program, mode: Mode, costs: Overrides = {}): Overrides {
  const { faultsPer1M, mib, share, pattern } = program;
  return {
    duration: '50ms',
    warmup: '20ms',
    host: { ...nehalem, memory: '4GiB', caches: { data: 'off' } },
    hypervisor: {
      profile: 'xen-3.4',
      mmu: mmuOf(mode, 16_384),
      tags: { kind: 'none', flush: 'every-vmrun' },
      costs,
    },
    vms: [
      {
        name: 'vm',
        memory: '1280MiB',
        workload: {
          kind: 'synthetic',
          regions: [
            {
              name: 'text',
              kind: 'code',
              size: '1MiB',
              share: 0.42,
              pattern: { kind: 'zipf', exponent: 2 },
            },
            {
              name: 'hot',
              kind: 'anon',
              size: '512KiB',
              share: 0.58,
              stores: 0.3,
              pattern: { kind: 'zipf', exponent: 2 },
            },
            { name: 'large', kind: 'anon', size: `${mib}MiB`, share, stores: 0.2, pattern },
          ],
          visit: { references: 6, instructions: 4 },
          per1M: { heapGrowth: { calls: faultsPer1M / 4, pages: 4, limit: '64MiB' } },
        },
      },
    ],
  };
}

const runProgram = (arms: Arms, name: keyof typeof programs, mode: Mode) =>
  arms.run(`${name} ${mode}`, scenario(programs[name], mode));

const ratio = async (arms: Arms, name: keyof typeof programs) =>
  cyclesPerInstruction(await runProgram(arms, name, 'shadow')) /
  cyclesPerInstruction(await runProgram(arms, name, 'nested'));

const assumed = [
  'the Core i7-860 of the source (machines.ts) with the walk caches of an Opteron; one cycle per instruction besides translation, which turns rates per second into rates per instruction (so mcf misses 8.4 times in 1000 cycles with its nested walks here, 11.7 times in the source)',
  'the large region is 64 MiB (gcc) and 860 MiB (mcf), touched at random, by mcf 8 MiB of it at a time as in V6; its share of the visits is set to the published TLB misses, 2.69 and 32.7 million a second',
  'page faults come from heap that grows and is given back at 64 MiB, at the published rate, 33,100 and 640 a second',
  'xen-3.4 with 4 KiB nested pages; a 64-bit guest, where that of the source is a 32-bit one (V8)',
];

/** All cycles of page-fault and table-write exits and of lost translations, for each fault of the guest. */
function microsecondsPerFault(shadow: RunResult): number {
  const reasons = ['page-fault', 'pte-write', 'invlpg', 'cr3-write'];
  const cycles = reasons.reduce((sum, reason) => {
    const count = exits(shadow, reason);
    return count === 0 ? sum : sum + count * cyclesPerExit(shadow, reason);
  }, 0);
  return cycles / metric(shadow, 'guest_faults') / MHZ;
}

/** The estimate of the source: the time that shadow paging costs gcc, what nested walks cost added, by fault, in µs. */
function asTheSource(nested: RunResult, shadow: RunResult): number {
  const instructions = metric(shadow, 'user_instructions');
  const lost = cyclesPerInstruction(shadow) - cyclesPerInstruction(nested);
  const nestedWalks = leafCycles(nested, 'walk.nested') / metric(nested, 'user_instructions');
  return ((lost + nestedWalks) * instructions) / metric(shadow, 'guest_faults') / MHZ;
}

export const crossover: Case = {
  id: 'V8',
  title: 'The two ends of the crossover: gcc and mcf',
  scenario:
    'gcc with 33,100 page faults and 2.69 million TLB misses a second of nested run time, mcf with 640 and 32.7 million, on Xen without tags. Shadow over nested time, gcc with the 10 µs a fault that the source derives set; and what a fault and a miss cost by themselves.',
  assumed,
  revised: `mcf touched 860 MiB uniformly at first (0.57); gcc was first compared with the cost of faults left to the model (1.07), which the figure of V10 still does; both ran on an Opteron 8384 at first (1.29, 0.823, 5.64 µs, 8.66 ns); ${DEARER_WALKS} (1.30, 0.884, 3.24 µs, 4.55 ns)`,
  seeds: 2,
  explain: { arms: ['gcc nested', 'gcc shadow'], per: 'user_instructions', unit: 'instruction' },
  figures: [
    {
      key: 'gcc',
      row: 'shsp-gcc',
      column: 'ratio_b_over_a',
      what: 'shadow / nested time, gcc, with a fault of 10 µs',
      neutral: 1,
      tolerance: { kind: 'relative', by: 0.05 },
      input: 'the faults and the 10 µs of each were derived from this figure in the source',
    },
    {
      key: 'mcf',
      row: 'shsp-mcf',
      column: 'ratio_b_over_a',
      what: 'shadow / nested time, mcf',
      neutral: 1,
      tolerance: { kind: 'effect', by: 0.3 },
      reason:
        'a nested walk of a 64-bit guest has four guest levels, of the 32-bit guest of the source two or three; see V10',
    },
    {
      key: 'fault',
      row: 'shsp-fault',
      column: 'value_b',
      what: 'extra time of a page fault under shadow paging, gcc, µs',
      neutral: 0,
      tolerance: { kind: 'relative', by: 0.3 },
      reason:
        'a fault takes two exits of some 3800 cycles here, TLB refills apart; what Xen 3.3 did beyond that for a 32-bit guest in PAE mode is not known',
    },
    {
      key: 'miss',
      row: 'shsp-miss',
      column: 'value_b',
      what: 'extra time of a TLB miss under nested paging, mcf, ns',
      neutral: 0,
      tolerance: { kind: 'relative', by: 0.3 },
      reason: 'a guest of two or three levels in the source, of four here',
    },
    ...(['gcc', 'mcf'] as const).map((name) => ({
      key: `misses ${name}`,
      row: `shsp-misses-${name}`,
      column: 'ratio_b_over_a' as const,
      what: `TLB misses, shadow / nested, ${name}`,
      neutral: 1,
      tolerance: { kind: 'relative' as const, by: name === 'gcc' ? 0.3 : 0.05 },
    })),
  ],
  async measure(arms) {
    const misses = async (name: keyof typeof programs, mode: Mode) =>
      per(await runProgram(arms, name, mode), 'walks', 'user_instructions');
    const nested = cyclesPerWalk(await runProgram(arms, 'mcf', 'nested'));
    const shadow = cyclesPerWalk(await runProgram(arms, 'mcf', 'shadow'));
    const shadowGcc = await runProgram(arms, 'gcc', 'shadow');
    const faults = metric(shadowGcc, 'guest_faults');
    const perFault = microsecondsPerFault(shadowGcc);
    // The rest of 10 µs, spread over the exits that fill shadow entries.
    const missing = ((10 - perFault) * MHZ * faults) / exits(shadowGcc, 'page-fault', 'pte-write');
    const faultPath = XEN_FAULT_PATH + Math.round(missing);
    const dear = await arms.run('gcc 10 µs', scenario(programs.gcc, 'shadow', { faultPath }));
    return {
      gcc:
        cyclesPerInstruction(dear) / cyclesPerInstruction(await runProgram(arms, 'gcc', 'nested')),
      mcf: await ratio(arms, 'mcf'),
      fault: asTheSource(await runProgram(arms, 'gcc', 'nested'), shadowGcc),
      miss: ((nested - shadow) * 1000) / MHZ,
      'misses gcc': (await misses('gcc', 'shadow')) / (await misses('gcc', 'nested')),
      'misses mcf': (await misses('mcf', 'shadow')) / (await misses('mcf', 'nested')),
    };
  },
};

/** mcf as a 64-bit program, fitted to its native walks on a Sandy Bridge, whose TLBs are the same. */
async function wideMcf(arms: Arms, mode: Mode): Promise<RunResult> {
  const program = await agileProgram(arms, 'mcf');
  const { warmup, duration, vms } = memoryScenario(nehalem, program, mode, '4KiB');
  const { host, hypervisor } = scenario(programs.mcf, mode);
  const caches = { data: 'on' };
  return arms.run(`mcf ${mode}`, {
    ...{ warmup, duration, vms },
    host: { ...(host as Overrides), caches },
    hypervisor: { ...(hypervisor as Overrides), mmu: mmuOf(mode, 65_536) },
  });
}

export const winners: Case = {
  id: 'V10',
  title: 'Which mode wins in a 64-bit guest',
  scenario: 'gcc and mcf of V8 against what the source measured in a 64-bit guest.',
  assumed: [
    'as V8; the rates of gcc are those of the 32-bit guest',
    'mcf of a 64-bit guest needs twice the memory of V8: it is the program of V12, 1.7 GB, with as many instructions between touches as make native walks take the published 50.3 % of the rest on the Sandy Bridge of that source, whose TLBs are as large',
  ],
  revised: `as V8; mcf was that of the 32-bit guest at first (0.823, and 0.884 on the Core i7); ${DEARER_WALKS}`,
  seeds: 5,
  explain: { arms: ['mcf nested', 'mcf shadow'], per: 'user_instructions', unit: 'instruction' },
  figures: [
    {
      key: 'gcc',
      row: 'shsp64-gcc',
      column: 'ratio_b_over_a',
      what: 'shadow / nested time, gcc',
      neutral: 1,
      // The sign counts where the difference exceeds 3 %; it does not here.
      tolerance: { kind: 'absolute', by: 0.03 },
      reason:
        'the fault rate is that of the 32-bit guest, of which shadow paging lost 33 %; with a quarter of its faults the ratio is 1.00. How often the 64-bit guest faulted was not published',
    },
    {
      key: 'mcf',
      row: 'shsp64-mcf',
      column: 'ratio_b_over_a',
      what: 'shadow / nested time, mcf',
      neutral: 1,
      tolerance: { kind: 'effect', by: 0.3 },
      reason: 'not known',
    },
  ],
  async measure(arms) {
    const mcf = async (mode: Mode) => cyclesPerInstruction(await wideMcf(arms, mode));
    return { gcc: await ratio(arms, 'gcc'), mcf: (await mcf('shadow')) / (await mcf('nested')) };
  },
};
