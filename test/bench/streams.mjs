/** The page streams that are timed: scenarios of one VM on one core, with nothing in the way of the visits. */

export const modes = ['native', 'shadow', 'nested'];
export const dataLines = ['off', 'on'];

/** Workloads. `cycles`: about how many simulated cycles a visit takes, native, without and with data lines. */
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
};

/** Simulated cycles of a visit, roughly, so that a run can be given a length in visits. */
const cyclesPerVisit = {
  friendly: { off: [4, 4, 4], on: [4, 4, 4] },
  medium: { off: [5, 5, 5], on: [5, 5, 5] },
  half: { off: [17, 17, 28], on: [105, 105, 116] },
};
const CYCLES_PER_MS = 2.2e6;
/** Long enough for the compiler to be done with what is timed. */
const WARMUP_VISITS = 8e6;

/** `{ stream, mode, data }` of every combination. */
export function allCases() {
  return Object.keys(streams).flatMap((stream) =>
    modes.flatMap((mode) => dataLines.map((data) => ({ stream, mode, data }))),
  );
}

export const caseName = ({ stream, mode, data }) => `${stream}-${mode}-${data}`;

/** YAML of a case with about `visits` visits after the warm-up. */
export function streamScenario({ stream, mode, data }, visits) {
  const cycles = cyclesPerVisit[stream][data][modes.indexOf(mode)];
  const ms = (n) => Math.ceil((n * cycles) / CYCLES_PER_MS);
  const warmup = ms(WARMUP_VISITS);
  return singleVm({
    mode,
    data,
    warmup: `${warmup}ms`,
    duration: `${warmup + ms(visits)}ms`,
    workload: streams[stream].workload,
    quiet: true,
  });
}

/** One VM alone on one core of an Opteron 1354. `quiet`: no timer, no timeslice, no sample disturbs it. */
export function singleVm({ mode, data, warmup, duration, workload, quiet = false }) {
  const undisturbed = `
  scheduler: { kind: round-robin, timeslice: 1000s }
  costs: { hostHz: 0 }`;
  return `name: bench
duration: ${duration}
warmup: ${warmup}
host: { processor: opteron-1354, pcpus: 1, memory: 2GiB, caches: { data: ${data} } }
hypervisor:
  profile: kvm-2.6.33
  mmu: { kind: ${mode} }${quiet ? undisturbed : ''}
vms:
  - { name: load, memory: 512MiB, workload: ${workload} }
output: { timeseries: ${quiet ? '0ms' : '10ms'} }
`;
}

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
