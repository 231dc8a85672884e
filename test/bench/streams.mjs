/** The page streams that are timed: scenarios of one VM on one core, with nothing in the way of the visits. */

export const modes = ['native', 'shadow', 'nested'];
export const dataLines = ['off', 'on'];

/** Workloads; `data`: with and without data lines, or only so. */
export const streams = {
  friendly: {
    title: 'friendly (1 % L1 misses)',
    workload:
      '{ kind: tlb-thrash, hz: 0, pages: 96, pattern: { kind: working-set, pages: 40, visits: 2000 } }',
  },
  medium: {
    title: 'medium (20 % L1 misses)',
    workload: '{ kind: tlb-thrash, hz: 0, pages: 60 }',
  },
  half: {
    title: 'half of the visits walk',
    workload: '{ kind: tlb-thrash, hz: 0, pages: 1024 }',
  },
  resident: {
    title: 'lines that the L1 has',
    data: ['on'],
    workload: '{ kind: tlb-thrash, hz: 0, pages: 8 }',
  },
  streamed: {
    title: 'line after line',
    data: ['on'],
    workload:
      '{ kind: tlb-thrash, hz: 0, pages: 16384, stores: 0.3, pattern: { kind: stream, bytes: 96 } }',
  },
  stored: {
    title: 'stores that are written back',
    data: ['on'],
    workload: '{ kind: tlb-thrash, hz: 0, pages: 1024, stores: 0.5 }',
  },
};

/** Those that are about pages. */
export const pageStreams = ['friendly', 'medium', 'half'];

/** Simulated cycles of a visit, roughly, so that a run can be given a length in visits. */
const cyclesPerVisit = {
  friendly: { off: [4, 4, 4], on: [13, 13, 13] },
  medium: { off: [5, 5, 5], on: [14, 14, 14] },
  half: { off: [17, 17, 29], on: [102, 102, 114] },
  resident: { on: [4, 4, 4] },
  streamed: { on: [70, 70, 70] },
  stored: { on: [102, 102, 114] },
};
const CYCLES_PER_MS = 2.2e6;
/** Long enough for the compiler to be done with what is timed. */
const WARMUP_VISITS = 8e6;

/** `{ stream, mode, data }` of every combination. */
export function allCases() {
  return Object.entries(streams).flatMap(([stream, { data }]) =>
    modes.flatMap((mode) => (data ?? dataLines).map((data) => ({ stream, mode, data }))),
  );
}

export const caseName = ({ stream, mode, data }) => `${stream}-${mode}-${data}`;

/** YAML of a case with about `visits` visits after the warm-up, of which there are as many as asked for. */
export function streamScenario(
  { stream, mode, data, processor, cpu },
  visits,
  warm = WARMUP_VISITS,
) {
  const cycles = cyclesPerVisit[stream][data][modes.indexOf(mode)];
  const ms = (n) => Math.ceil((n * cycles) / CYCLES_PER_MS);
  const warmup = ms(warm);
  return singleVm({
    mode,
    data,
    warmup: `${warmup}ms`,
    duration: `${warmup + ms(visits)}ms`,
    workload: streams[stream].workload,
    processor,
    cpu,
    quiet: true,
  });
}

/**
 * One VM alone on one core, of an Opteron 1354 unless another is named, with what `cpu` changes. `quiet`: no timer, no timeslice, no sample
 * disturbs it.
 */
export function singleVm({ mode, data, warmup, duration, workload, ...more }) {
  const { processor = 'opteron-1354', cpu = '{}', quiet = false } = more;
  const undisturbed = `
  scheduler: { kind: round-robin, timeslice: 1000s }
  costs: { hostHz: 0 }`;
  return `name: bench
duration: ${duration}
warmup: ${warmup}
host: { processor: ${processor}, cpu: ${cpu}, pcpus: 1, memory: 2GiB, caches: { data: ${data} } }
hypervisor:
  profile: kvm-2.6.33
  mmu: { kind: ${mode} }${quiet ? undisturbed : ''}
vms:
  - { name: load, memory: 512MiB, workload: ${workload} }
output: { timeseries: ${quiet ? '0ms' : '10ms'} }
`;
}

/** Processors that take other paths through the caches and the walks, by what they have that a 1354 has not. */
export const otherProcessors = {
  'an L2 that is not exclusive': '{ caches: { l2: { exclusive: false } } }',
  'no L3': '{ caches: { l3: { size: 0 } } }',
  'an L1 of four ways, an L2 of two': '{ caches: { l1d: { ways: 4 }, l2: { ways: 2 } } }',
  'an L1 of one way, an L2 that is not exclusive, no L3':
    '{ caches: { l1d: { ways: 1 }, l2: { exclusive: false }, l3: { size: 0 } } }',
  'walks that look in the L1': '{ walk: { reads: l1 } }',
  'walks that look in the L1, an L2 that is not exclusive':
    '{ walk: { reads: l1 }, caches: { l2: { exclusive: false } } }',
  'no nested leaves in the page-walk cache': '{ walk: { pwcNestedLeaves: false } }',
  'narrow memory': '{ memory: { lineCycles: 150 } }',
};

/** 64 VMs of 512 MiB that touch all of their memory once: what a host full of VMs takes. */
export const fullHost = {
  vms: 64,
  /** All that the kernel and the page tables leave of 131 072 pages. */
  pages: 129_536,
  // A unit of work is a million instructions: 142 857 visits of seven.
  yaml: (data) => `name: full-host
duration: work
host: { processor: opteron-1354, memory: 40GiB, caches: { data: ${data} } }
hypervisor: { profile: kvm-2.6.33, mmu: { kind: nested } }
vms:
  - name: vm
    count: ${fullHost.vms}
    memory: 512MiB
    workload: { kind: tlb-thrash, work: 1, pages: ${fullHost.pages}, instructions: 7, pattern: { kind: sequential } }
`,
};
