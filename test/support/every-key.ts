import { callClassNames } from '../../src/guest/system-call-classes.ts';
import {
  CHECKPOINT_BASES,
  CHECKPOINT_ENTRIES,
  CHECKPOINT_EXCEPTIONS,
} from './every-key-checkpoints.ts';
import { MOVE_BASES, MOVE_ENTRIES, MOVE_EXCEPTIONS } from './every-key-moves.ts';
import { PAIR_BASES, PAIR_ENTRIES, PAIR_EXCEPTIONS } from './every-key-pairs.ts';
import type { Overrides } from './scenarios.ts';

/**
 * For every key of a scenario a small scenario in which it matters: the name of a base below, the value that the key is
 * changed to, and what else is different from the base on both sides of the comparison.
 */
export type Entry = readonly [base: string, value: string, ...also: readonly string[]];

const REGIONS = [
  { name: 'text', kind: 'code', size: '128KiB', share: 3, pattern: { kind: 'zipf', exponent: 1 } },
  { name: 'heap', kind: 'anon', size: '600KiB', share: 2, stores: 0.3, pattern: { kind: 'zipf' } },
  { name: 'file', kind: 'file', size: '200KiB', share: 1, pattern: { kind: 'sequential' } },
  {
    name: 'steps',
    kind: 'anon',
    size: '400KiB',
    share: 1,
    pattern: { kind: 'strided', stride: 3 },
  },
  {
    name: 'window',
    kind: 'anon',
    size: '400KiB',
    share: 1,
    pattern: { kind: 'working-set', pages: 4, visits: 50 },
  },
  { name: 'large', kind: 'anon', size: '8MiB', share: 1, pageSize: '2MiB', stores: 0.5 },
  { name: 'new', kind: 'anon', size: '64KiB', share: 1, pattern: { kind: 'stream', bytes: 16 } },
];

const PROGRAM = {
  kind: 'synthetic',
  processes: 2,
  hz: 1000,
  regions: REGIONS,
  per1M: {
    syscalls: { other: 100 },
    blockingIo: 40,
    mmap: { calls: 40, pages: 3, live: 4 },
    munmap: 20,
    mprotect: 30,
    heapGrowth: { calls: 60, pages: 4, limit: '128KiB' },
    yields: 30,
  },
  ioLatency: '50us',
};

const SERVER = {
  ...PROGRAM,
  per1M: { mprotect: 10 },
  requests: {
    arrivals: { kind: 'open', rate: '8000/s' },
    instructions: 20_000,
    syscalls: { other: 3 },
    ioProbability: 0.5,
    responseBytes: 9000,
  },
};

const SAMPLED = { kind: 'learned', warm: '500us', detail: '1200us', target: 1 };

const RARELY = {
  ...SERVER,
  requests: { ...SERVER.requests, arrivals: { kind: 'open', rate: '1000/s' } },
};

const JOBS = {
  ...PROGRAM,
  processes: 1,
  regions: REGIONS.slice(0, 5),
  per1M: { blockingIo: 40 },
  jobs: { instructions: 30_000, freshPages: 6, cowPages: 5, parentInstructions: 5000 },
};

/** A program starts others, two of them with a pipe between them. */
const TREE = {
  kind: 'process-tree',
  hz: 1000,
  ioLatency: '50us',
  sizes: 'fixed',
  programs: [
    {
      name: 'first',
      instructions: 60_000,
      regions: REGIONS,
      per1M: PROGRAM.per1M,
      cowPages: 5,
      runs: [{ commands: ['shell'] }, { commands: ['short'], every: 2 }],
    },
    {
      name: 'shell',
      instructions: 5000,
      regions: REGIONS.slice(0, 2),
      runs: [{ commands: ['left', 'right'] }],
    },
    {
      name: 'left',
      instructions: 20_000,
      regions: REGIONS.slice(0, 2),
      output: '20KiB',
      scaled: true,
    },
    { name: 'right', instructions: 5000, regions: REGIONS.slice(0, 2), input: '19KiB' },
    { name: 'short', instructions: 5000, regions: REGIONS.slice(0, 2) },
  ],
};

const COLLECTOR = {
  ...PROGRAM,
  phases: [
    { name: 'run', instructions: 50_000 },
    { name: 'collect', instructions: 10_000, shares: [{ region: 'large', share: 1 }] },
  ],
};

const HOG = { kind: 'tlb-thrash', pages: 64, hz: 0 };
const RATES = { ...PROGRAM.per1M, syscalls: { other: 300 }, yields: 50 };

/** Code and data in four pages of 1 GiB each. */
const GIGANTIC = ['code', 'anon'].map((kind) => ({
  name: kind,
  kind,
  size: '4GiB',
  share: 1,
  pageSize: '1GiB',
  pattern: { kind: 'uniform' },
}));
/** `also`: what leaves look-ups to this array. */
const gigantic = (array: string, ...also: readonly string[]): Record<string, Entry> => ({
  [`host.cpu.tlb.${array}.1G.entries`]: ['gigantic', '3', ...also],
  [`host.cpu.tlb.${array}.1G.ways`]: [
    'gigantic',
    '1',
    ...also,
    `host.cpu.tlb.${array}.1G.entries=2`,
  ],
});
const two = (workload: Overrides, memory = '32MiB'): Overrides => ({
  vms: [{ name: 'vm', count: 2, memory, workload }],
});
const one = (workload: Overrides): Overrides => ({
  vms: [{ name: 'vm', memory: '32MiB', workload }],
});

const HOST = { processor: 'opteron-1354', pcpus: 1, memory: '256MiB' };
/** With a wire and a disk that its VMs share. */
const SHARED = {
  ...HOST,
  network: { bandwidth: '1Gb/s' },
  disk: { bandwidth: '1Gb/s', serviceTime: '20us' },
};
const NESTED = { profile: 'kvm-2.6.33' };
const SHADOW = { profile: 'kvm-2.6.33', mmu: { kind: 'shadow' } };
const TURNS = { kind: 'round-robin', timeslice: '100us' };
const TRACE = { kind: 'trace', file: 'gcc.pt.gz', limitReferences: 400_000 };

const COMMON: Overrides = {
  name: 'key',
  duration: '2ms',
  warmup: '0us',
  host: HOST,
  hypervisor: NESTED,
  output: { timeseries: '1ms' },
};

export const BASES: Readonly<Record<string, Overrides>> = Object.fromEntries(
  Object.entries({
    program: two(PROGRAM),
    collector: two(COLLECTOR),
    ...PAIR_BASES,
    ...CHECKPOINT_BASES,
    ...MOVE_BASES,
    server: two(SERVER),
    sampled: { ...two(SERVER), duration: '24ms', sampling: SAMPLED },
    tree: one(TREE),
    jobs: one(JOBS),
    'jobs in place': one({ ...JOBS, jobs: { instructions: 30_000, forks: false } }),
    turns: { ...two(PROGRAM), hypervisor: { ...NESTED, scheduler: TURNS } },
    shadow: { ...two(PROGRAM), hypervisor: { ...SHADOW, scheduler: TURNS } },
    'shadow jobs': { ...one(JOBS), hypervisor: SHADOW },
    'crowded tables': {
      ...one({ kind: 'context-switch-ring', processes: 60, pages: 3 }),
      hypervisor: SHADOW,
    },
    native: { ...one(PROGRAM), hypervisor: { ...NESTED, mmu: { kind: 'native' } } },
    large: {
      ...two(PROGRAM),
      hypervisor: { ...NESTED, mmu: { kind: 'nested', pageSize: '2MiB' }, scheduler: TURNS },
    },
    gigantic: {
      ...one({ kind: 'synthetic', regions: GIGANTIC }),
      vms: [{ name: 'vm', memory: '9GiB', workload: { kind: 'synthetic', regions: GIGANTIC } }],
      host: { ...HOST, memory: '16GiB' },
      hypervisor: { ...NESTED, mmu: { kind: 'native' } },
    },
    xen: { ...two(PROGRAM), hypervisor: { profile: 'xen-4.1', scheduler: TURNS } },
    assists: {
      ...two(PROGRAM),
      host: { ...HOST, processor: 'opteron-6276' },
      hypervisor: SHADOW,
    },
    cores: { ...two(PROGRAM), host: { ...HOST, pcpus: 2 } },
    crowd: {
      vms: [{ name: 'vm', count: 3, memory: '32MiB', workload: SERVER }],
      host: { ...HOST, pcpus: 2 },
    },
    numa: {
      vms: [{ name: 'vm', count: 4, memory: '48MiB', workload: PROGRAM }],
      host: { processor: 'opteron-2356', sockets: 2, pcpus: 8, memory: '256MiB' },
    },
    spill: {
      vms: [
        {
          name: 'vm',
          count: 2,
          memory: '90MiB',
          pin: [0],
          workload: { kind: 'tlb-thrash', pages: 20_000 },
        },
      ],
      host: { processor: 'opteron-2356', sockets: 2, pcpus: 8, memory: '256MiB' },
      hypervisor: { ...NESTED, scheduler: TURNS },
    },
    credit: {
      vms: [
        { name: 'vm', memory: '32MiB', workload: HOG },
        { name: 'other', count: 2, memory: '32MiB', workload: RARELY },
      ],
      duration: '8ms',
      hypervisor: { ...NESTED, scheduler: { kind: 'credit', timeslice: '2ms' } },
    },
    hogs: {
      vms: [
        { name: 'vm', count: 1, memory: '32MiB', workload: HOG },
        { name: 'other', count: 2, memory: '32MiB', workload: HOG },
      ],
      duration: '12ms',
      hypervisor: { ...NESTED, scheduler: { kind: 'credit', timeslice: '1ms' } },
    },
    'two hosts': {
      host: undefined,
      hosts: { a: HOST, b: HOST },
      vms: [
        { name: 'vm', host: 'a', memory: '32MiB', workload: HOG },
        { name: 'other', host: 'b', memory: '32MiB', workload: HOG },
        { name: 'third', host: 'b', memory: '32MiB', workload: HOG },
      ],
    },
    trace: { ...two(TRACE), hypervisor: { ...NESTED, scheduler: TURNS } },
    replay: one({ ...TRACE, file: 'sh.pt.gz', events: 'replay', populate: false }),
    rates: one({ ...TRACE, per1M: RATES, ioLatency: '20us' }),
    'page-fault-loop': one({ kind: 'page-fault-loop', pages: 30 }),
    'fork-loop': one({ kind: 'fork-loop', pages: 30, written: 4, files: 40, used: 3 }),
    'context-switch-ring': one({ kind: 'context-switch-ring', pages: 5 }),
    'mmap-loop': one({ kind: 'mmap-loop', pages: 100, touched: 3 }),
    'tlb-thrash': one({ kind: 'tlb-thrash', pages: 600 }),
    idle: one({ kind: 'idle', period: '200us' }),
    ticking: one({ ...SERVER, hz: undefined }),
    'net-stream': { ...one({ kind: 'net-stream', hz: 250 }), host: SHARED },
    'shared devices': { ...two({ ...SERVER, ioLatency: '5us' }), host: SHARED },
  }).map(([name, base]) => [name, { ...COMMON, ...base }]),
);

/** Keys that change no number, and why. */
export const EXCEPTIONS: Readonly<Record<string, string>> = {
  name: 'what the results are called',
  description: 'for people',
  ...PAIR_EXCEPTIONS,
  ...CHECKPOINT_EXCEPTIONS,
  ...MOVE_EXCEPTIONS,
  'host.iommu': 'decides what may be asked for: cards of their own are refused without it',
  'host.cpu.name': 'what the processor is called',
  'host.cpu.codename': 'for people',
  'host.cpu.family': 'for people',
  'host.cpu.svm.nestedPaging': 'decides what may be asked for: nested paging is refused without it',
  'host.cpu.svm.flushByAsid':
    'decides what may be asked for: tags of that kind are refused without it',
  'vms[].vcpus': 'more than one is refused',
  'vms[].preset': 'what the workload is called: `workload: { kind: … }` says it',
  'checks.translations': 'a check of the model: it changes nothing, or ends the run',
  'vms[].workload(process-tree).unit': 'what a unit of work is called: work is counted in it',
  'vms[].workload(tlb-thrash).stores':
    'its memory is mapped, writable and dirty from the start: a store costs what a load costs',
};

/** Parts of a scenario that are experiments on it: a run ignores them. */
export const EXPERIMENTS = /^(sweep|find)\./;

const costs = (base: string, ...keys: readonly string[]): Record<string, Entry> =>
  Object.fromEntries(keys.map((key) => [`hypervisor.costs.${key}`, [base, '9000']]));

const micro = (kind: string, keys: Readonly<Record<string, string>>): Record<string, Entry> =>
  Object.fromEntries(
    Object.entries({ cpi: '2', hz: '3000', work: '3', ...keys }).map(([key, value]) => [
      `vms[].workload(${kind}).${key}`,
      key === 'work'
        ? [kind, value, 'duration=work', `vms.0.workload.work=${kind === 'tlb-thrash' ? 1 : 2}`]
        : [kind, value],
    ]),
  );

/** System calls of each class, in place of none. */
function byClass(where: string, base: string, value: string): Record<string, Entry> {
  return Object.fromEntries(
    callClassNames.map((name) => [`${where}.syscalls.${name}`, [base, value] as const]),
  );
}

/** A server that is idle before the next tick gets none if it is tickless. */
const TICKS = ['vms.0.os.hz=3000', 'vms.0.os.tickless=false'];

/** Prices of the guest kernel, in a base where each is paid. */
const paths = (base: string, ...keys: readonly string[]): Record<string, Entry> =>
  Object.fromEntries(keys.map((key) => [`vms[].os.instructions.${key}`, [base, '9000']]));

/** The value of a pattern's key, in the region of the base that has the pattern. */
const SYNTHETIC: Readonly<Record<string, Entry>> = {
  processes: ['program', '3', 'vms.0.memory=64MiB'],
  threads: ['program', '3'],
  aslr: ['program', 'false'],
  'regions[].name': ['program', 'code'],
  'regions[].size': ['program', '64KiB'],
  'regions[1].kind': [
    'program',
    '{ name: heap, kind: shared, size: 600KiB, share: 2, stores: 0.3, pattern: { kind: zipf } }',
  ],
  'regions[].share': ['program', '1'],
  'regions[2].stores': ['program', '0.5'],
  'regions[].pattern.kind': ['program', 'uniform'],
  'regions[].pattern(zipf).exponent': ['program', '2'],
  'regions[].pattern(zipf).order': ['program', 'ranked'],
  'regions[3].pattern(strided).stride': ['program', '7'],
  'regions[4].pattern(working-set).pages': ['program', '9'],
  'regions[4].pattern(working-set).visits': ['program', '500'],
  'regions[6].pattern(stream).bytes': ['program', '640'],
  'regions[].pageSize': ['program', '2MiB'],
  'regions[].populated': ['program', 'false'],
  'regions[].lines': ['program', '3'],
  'regions[].hotLines': ['program', '2'],
  'regions[].lineSkew': ['program', '3'],
  'phases[].name': ['collector', 'sing'],
  'phases[].instructions': ['collector', '20000'],
  'phases[1].shares[].region': ['collector', 'heap'],
  'phases[1].shares[].share': [
    'collector',
    '9',
    'vms.0.workload.phases.1.shares=[{ region: large, share: 1 }, { region: heap, share: 1 }]',
  ],
  'visit.references': ['program', '9'],
  'visit.instructions': ['program', '20'],
  cpi: ['program', '2'],
  overlap: ['program', '0.9'],
  ...byClass('per1M', 'program', '300'),
  'per1M.blockingIo': ['program', '200'],
  'per1M.mmap.calls': ['program', '200'],
  'per1M.mmap.pages': ['program', '9'],
  'per1M.mmap.live': ['program', '1'],
  'per1M.munmap': ['program', '200'],
  'per1M.mprotect': ['program', '200'],
  'per1M.heapGrowth.calls': ['program', '200'],
  'per1M.heapGrowth.pages': ['program', '9'],
  'per1M.heapGrowth.limit': ['program', '16KiB'],
  'per1M.yields': ['program', '300'],
  ioLatency: ['program', '200us'],
  ioBytes: ['program', '40000'],
  'jobs.instructions': ['jobs', '60000'],
  'jobs.forks': ['jobs', 'false'],
  'jobs.exec': ['jobs', 'false'],
  'jobs.freshPages': ['jobs', '20'],
  'jobs.cowPages': ['jobs', '20'],
  'jobs.parentInstructions': ['jobs', '20000'],
  'jobs.parentCode': ['jobs', '1MiB'],
  'jobs.parentData': ['jobs', '2MiB'],
  'requests.arrivals.kind': ['server', '{ kind: closed, clients: 3, think: 100us }'],
  'requests.arrivals(open).rate': ['server', '3000/s'],
  'requests.arrivals(closed).clients': ['server', '5', CLOSED()],
  'requests.arrivals(closed).think': ['server', '20us', CLOSED()],
  'requests.instructions': ['server', '50000'],
  'requests.distribution': ['server', 'fixed'],
  ...byClass('requests', 'server', '9'),
  'requests.ioProbability': ['server', '0'],
  // What is written and what is read is told apart where the disk is shared.
  'requests.ioWrites': ['shared devices', '0.5'],
  'requests.requestBytes': ['server', '5000'],
  'requests.responseBytes': ['server', '20000'],
  work: ['jobs', '3', 'duration=work', 'vms.0.workload.work=2'],
  hz: ['program', '3000'],
  quantum: ['program', '30000'],
};

function CLOSED(): string {
  return 'vms.0.workload.requests.arrivals={ kind: closed, clients: 2, think: 200us }';
}

/** Of the first program of a tree. */
const TREE_PROGRAM = Object.entries(SYNTHETIC).filter(([key]) =>
  /^(regions|visit|per1M)/.test(key),
);
const TREE_KEYS: Readonly<Record<string, Entry>> = {
  ...Object.fromEntries(
    TREE_PROGRAM.map(([key, [, value]]) => [`programs[].${key}`, ['tree', value] as const]),
  ),
  'programs[].name': ['tree', 'other'],
  'programs[].per1M.mmap.live': ['tree', '1', 'vms.0.workload.programs.0.per1M.mmap.calls=900'],
  'programs[].instructions': ['tree', '90000'],
  'programs[].scaled': ['tree', 'true', 'vms.0.workload.size=2'],
  'programs[2].output': ['tree', '70KiB'],
  'programs[3].input': ['tree', '6000B'],
  'programs[1].runs[].commands': ['tree', '[left, right, short]'],
  'programs[].runs[].every': ['tree', '3'],
  'programs[].starts': ['tree', 'vfork'],
  'programs[].cowPages': ['tree', '40'],
  'programs[].usedPages': ['tree', '7'],
  processes: ['tree', '2'],
  jobs: ['tree', '3'],
  size: ['tree', '3'],
  sizes: ['tree', 'exponential'],
  aslr: ['tree', 'false'],
  cpi: ['tree', '2'],
  overlap: ['tree', '0.9'],
  ioLatency: ['tree', '200us'],
  ioBytes: ['tree', '40000'],
  work: ['tree', '3', 'duration=work', 'vms.0.workload.work=2'],
  hz: ['tree', '3000'],
  quantum: ['tree', '3000'],
};

const RATE_KEYS = Object.entries(SYNTHETIC).filter(([key]) => key.startsWith('per1M.'));

const ENTRIES: Readonly<Record<string, Entry>> = {
  seed: ['program', '2'],
  duration: ['program', '1ms'],
  warmup: ['program', '1ms'],
  'host.processor': ['program', 'opteron-2356'],
  'host.sockets': ['numa', '1', 'host.pcpus=4'],
  'host.memory': ['spill', '192MiB'],
  'host.pcpus': ['program', '2'],
  'host.caches.data': ['program', 'off'],
  'host.network.bandwidth': ['shared devices', '100Mb/s'],
  'host.disk.bandwidth': ['shared devices', '100Mb/s'],
  'host.disk.serviceTime': ['shared devices', '80us'],
  'host.disk.spindles': ['shared devices', '4'],
  'host.disk.writeCache': [
    'shared devices',
    '64MiB',
    'vms.0.workload.requests.ioWrites=1',
    'host.disk.serviceTime=800us',
  ],
  'host.dom0.vcpus': ['xen', '2'],
  'host.dom0.pin': ['xen', '[1]', 'host.pcpus=2'],
  'host.dom0.weight': [
    'credit',
    '4096',
    'hypervisor.profile=xen-4.1',
    KIND('cfs'),
    'hypervisor.devices.network.receivePacket=300000',
  ],
  'host.lookahead': ['cores', '200us'],
  'host.cpu.clock': ['program', '3GHz'],
  'host.cpu.diesPerSocket': ['numa', '2', 'host.pcpus=4', 'host.sockets=1'],
  'host.cpu.coresPerDie': ['numa', '2', 'host.pcpus=4'],
  'host.cpu.tlb.l1i.4K.entries': ['program', '8'],
  'host.cpu.tlb.l1i.4K.ways': ['program', '2'],
  'host.cpu.tlb.l1i.2M.entries': ['large', '0'],
  'host.cpu.tlb.l1i.2M.ways': ['large', '1'],
  ...gigantic('l1i'),
  ...gigantic('l1d', 'host.cpu.tlb.l1d.shared=false'),
  ...gigantic('l2i', 'host.cpu.tlb.l1i.1G.entries=1'),
  ...gigantic('l2d', 'host.cpu.tlb.l1d.shared=false', 'host.cpu.tlb.l1d.1G.entries=1'),
  'host.cpu.tlb.l1i.shared': ['large', 'true'],
  'host.cpu.tlb.l1d.4K.entries': ['program', '16'],
  'host.cpu.tlb.l1d.4K.ways': ['program', '3'],
  'host.cpu.tlb.l1d.2M.entries': ['large', '2', 'host.cpu.tlb.l1d.shared=false'],
  'host.cpu.tlb.l1d.2M.ways': [
    'large',
    '1',
    'host.cpu.tlb.l1d.shared=false',
    'host.cpu.tlb.l1d.2M.entries=4',
  ],
  'host.cpu.tlb.l1d.shared': ['large', 'false'],
  'host.cpu.tlb.l2i.4K.entries': ['program', '16'],
  'host.cpu.tlb.l2i.4K.ways': ['program', '1', 'vms.0.workload.regions.0.size=4MiB'],
  'host.cpu.tlb.l2i.2M.entries': ['large', '16', 'host.cpu.tlb.l1i.2M.entries=1'],
  'host.cpu.tlb.l2i.2M.ways': [
    'large',
    '1',
    'host.cpu.tlb.l1i.2M.entries=1',
    'host.cpu.tlb.l2i.2M.entries=16',
  ],
  'host.cpu.tlb.l2i.shared': [
    'large',
    'true',
    'host.cpu.tlb.l1i.2M.entries=1',
    'host.cpu.tlb.l2i.2M.entries=1',
  ],
  'host.cpu.tlb.l2d.4K.entries': ['program', '64'],
  'host.cpu.tlb.l2d.4K.ways': ['program', '1'],
  'host.cpu.tlb.l2d.2M.entries': [
    'large',
    '4',
    'host.cpu.tlb.l1d.shared=false',
    'host.cpu.tlb.l1d.2M.entries=2',
  ],
  'host.cpu.tlb.l2d.2M.ways': [
    'large',
    '1',
    'host.cpu.tlb.l1d.shared=false',
    'host.cpu.tlb.l1d.2M.entries=2',
  ],
  'host.cpu.tlb.l2d.shared': [
    'large',
    'true',
    'host.cpu.tlb.l1d.shared=false',
    'host.cpu.tlb.l1d.2M.entries=2',
  ],
  'host.cpu.tlb.fill': ['program', 'victim'],
  'host.cpu.tlb.l2HitCycles': ['program', '9'],
  'host.cpu.walk.overheadCycles': ['program', '50'],
  'host.cpu.walk.pwcEntries': ['program', '2'],
  'host.cpu.walk.pwcHitCycles': ['program', '9'],
  'host.cpu.walk.pwcNestedLeaves': ['program', 'true'],
  'host.cpu.walk.nestedTlbEntries': ['program', '2'],
  'host.cpu.walk.nestedTlbHitCycles': ['program', '9'],
  'host.cpu.walk.reads': ['program', 'l1'],
  'host.cpu.caches.l1i.size': ['program', '16KiB'],
  'host.cpu.caches.l1i.ways': ['program', '1'],
  'host.cpu.caches.l1i.sharedByCores': ['cores', '2'],
  'host.cpu.caches.l1d.size': ['program', '16KiB'],
  'host.cpu.caches.l1d.ways': ['program', '1'],
  'host.cpu.caches.l1d.hitCycles': ['program', '9'],
  'host.cpu.caches.l2.exclusive': ['program', 'false'],
  'host.cpu.caches.prefetch.sequential': ['program', '0'],
  'host.cpu.memory.lineCycles': ['program', '900'],
  'host.cpu.caches.l2.size': ['program', '64KiB'],
  'host.cpu.caches.l2.ways': ['program', '2'],
  'host.cpu.caches.l2.hitCycles': ['program', '40'],
  'host.cpu.caches.l2.sharedByCores': ['cores', '2'],
  'host.cpu.caches.l3.size': ['program', '0'],
  'host.cpu.caches.l3.ways': [
    'program',
    '1',
    'host.cpu.caches.l3.size=128KiB',
    'host.cpu.caches.l2.size=64KiB',
  ],
  'host.cpu.caches.l3.hitCycles': ['program', '90'],
  'host.cpu.memory.localCycles': ['program', '400'],
  'host.cpu.memory.hopPermille': ['spill', '[3000]'],
  'host.cpu.svm.asids': ['turns', '2'],
  'host.cpu.svm.decodeAssists': ['assists', 'false', 'hypervisor.costs.decodeAssists=true'],
  'host.cpu.svm.erratum170': ['xen', 'true'],
  'host.cpu.svm.vmrunCycles': ['program', '2000'],
  'host.cpu.svm.vmexitCycles': ['program', '2000'],
  'host.cpu.svm.vmcbReloadCycles': ['program', '2000'],
  'host.cpu.svm.vmsaveCycles': ['program', '2000'],
  'host.cpu.svm.vmloadCycles': ['program', '2000'],
  'host.cpu.svm.stgiCycles': ['program', '2000'],
  'host.cpu.svm.clgiCycles': ['program', '2000'],
  'host.cpu.instructions.invlpg': ['native', '2000'],
  'host.cpu.instructions.movCr3': ['native', '2000'],
  'host.cpu.instructions.syscall': ['program', '2000'],
  'host.cpu.instructions.sysret': ['program', '2000'],
  'host.cpu.instructions.exception': ['program', '2000'],
  'host.cpu.instructions.iret': ['program', '2000'],
  'host.cpu.instructions.rdmsr': ['program', '2000'],
  'host.cpu.instructions.wrmsr': ['program', '2000'],
  'host.cpu.instructions.io': ['native', '2000'],
  'host.cpu.instructions.fpuSwitch': ['program', '2000'],
  'host.cpu.instructions.ipiDeliver': ['program', '9000'],
  'hypervisor.profile': ['program', 'esx-4'],
  'hypervisor.shadowProfile': ['shadow', 'write-protect', 'hypervisor.mmu={ kind: shadow }'],
  'hypervisor.mmu.kind': ['program', 'shadow'],
  'hypervisor.mmu(shadow).profile': ['shadow', 'write-protect'],
  'hypervisor.mmu(shadow).pageBudget': ['crowded tables', '64'],
  'hypervisor.mmu(shadow).floodLimit': [
    'mmap-loop',
    '0',
    'hypervisor.mmu.kind=shadow',
    'vms.0.workload={ kind: mmap-loop, pages: 4096, touched: 8, stride: 512 }',
  ],
  'hypervisor.mmu(nested).pageSize': ['program', '2MiB'],
  'hypervisor.tags.kind': ['turns', 'none'],
  'hypervisor.tags(none).flush': ['turns', 'every-vmrun', 'hypervisor.tags.kind=none'],
  'hypervisor.tags(kvm).asids': ['turns', '2'],
  'hypervisor.tags(kvm-3.2).asids': ['turns', '2', 'hypervisor.tags.kind=kvm-3.2'],
  'hypervisor.tags(xen-3).asids': ['shadow', '2', 'hypervisor.tags.kind=xen-3'],
  'hypervisor.tags(xen-4.1).asids': ['turns', '2', 'hypervisor.tags.kind=xen-4.1'],
  'hypervisor.tags(flush-by-asid).asids': [
    'turns',
    '2',
    'host.processor=opteron-6276',
    'hypervisor.tags.kind=flush-by-asid',
  ],
  'hypervisor.scheduler.kind': ['credit', 'round-robin'],
  'hypervisor.scheduler(round-robin).timeslice': ['turns', '50us'],
  'hypervisor.scheduler(round-robin).references': ['trace', '3000'],
  'hypervisor.scheduler(round-robin).steal': [
    'crowd',
    'false',
    'hypervisor.scheduler={ kind: round-robin, timeslice: 300us }',
  ],
  'hypervisor.scheduler(credit).timeslice': ['credit', '1ms'],
  'hypervisor.scheduler(credit).tick': [
    'credit',
    '50us',
    'vms.other.workload.requests.instructions=400000',
  ],
  'hypervisor.scheduler(credit).ratelimit': ['credit', '1ms'],
  'hypervisor.scheduler(credit).boost': ['credit', 'false'],
  'hypervisor.scheduler(credit).boostPreempted': [
    'credit',
    'true',
    'host.pcpus=2',
    'vms.vm.pin=[0]',
    'vms.other.pin=[0]',
  ],
  'hypervisor.scheduler(credit).accounting': [
    'credit',
    'tick',
    'vms.other.workload.requests.instructions=400000',
    'hypervisor.scheduler.boost=false',
    'duration=16ms',
  ],
  'hypervisor.scheduler(credit2).version': ['hogs', 'xen-4.1', KIND('credit2')],
  'hypervisor.scheduler(credit2).runqueue': ['crowd', 'core', KIND('credit2')],
  'hypervisor.scheduler(credit2).ratelimit': ['hogs', '3ms', KIND('credit2')],
  'hypervisor.scheduler(credit2).migrateResist': [
    'crowd',
    '0us',
    KIND('credit2'),
    'hypervisor.scheduler.ratelimit=0us',
    'duration=6ms',
  ],
  'hypervisor.scheduler(cfs).version': ['hogs', '2.6.31', KIND('cfs')],
  'hypervisor.scheduler(cfs).hz': ['hogs', '1000', KIND('cfs')],
  'hypervisor.scheduler(esx).quantum': ['hogs', '5ms', KIND('esx')],
  'hypervisor.scheduler(bvt).allowance': ['hogs', '1ms', KIND('bvt')],
  'hypervisor.scheduler(bvt).turns': ['hogs', 'gap', KIND('bvt'), 'duration=20ms'],
  'hypervisor.backing': ['jobs', 'up-front'],
  ...costs('program', 'exitPath', 'injectEvent', 'apicAccess'),
  ...costs('idle', 'halt', 'wake', 'timer'),
  ...costs('program', 'deviceKernel', 'deviceUser', 'hostInterrupt', 'vcpuSwitch', 'decode'),
  ...costs('jobs', 'hostFault', 'nestedFill'),
  ...costs('shadow', 'emulateWrite', 'faultPath', 'shadowFill', 'syncEntry', 'rmapEntry'),
  ...costs('shadow jobs', 'shadowPageAlloc', 'shadowLookup', 'zapEntry'),
  'hypervisor.costs.vmsaveEveryExit': ['program', 'false'],
  'hypervisor.costs.guestInterruptFlag': ['program', 'false'],
  'hypervisor.costs.decodeAssists': ['assists', 'true'],
  'hypervisor.costs.switchMsrs': ['program', '40'],
  'hypervisor.costs.eoiExits': ['program', 'false'],
  'hypervisor.costs.timerExits': ['program', 'false'],
  'hypervisor.costs.x2apic': ['program', 'true'],
  'hypervisor.costs.cleanBits': ['assists', 'true'],
  'hypervisor.costs.hostHz': ['program', '5000'],
  'hypervisor.footprint.touches': ['program', 'false'],
  'hypervisor.footprint.hypervisor.size': ['program', '4KiB'],
  'hypervisor.footprint.hypervisor.page': ['program', '2MiB'],
  'hypervisor.footprint.kernel.size': ['program', '4KiB'],
  'hypervisor.footprint.kernel.page': ['program', '4KiB'],
  'hypervisor.footprint.user.size': ['program', '4KiB'],
  'hypervisor.footprint.user.page': ['program', '2MiB'],
  'hypervisor.footprint.instructionsPerLine': ['program', '3'],
  'hypervisor.footprint.overlap': ['program', '1'],
  'hypervisor.footprint.stackLines': ['program', '100'],
  'hypervisor.footprint.stackPerCpu': ['crowd', 'true'],
  'hypervisor.footprint.vcpuLines': ['program', '200'],
  'hypervisor.footprint.vmLines': ['jobs', '200'],
  'hypervisor.footprint.frameLines': ['jobs', '0'],
  'hypervisor.footprint.framePage': ['jobs', '2MiB'],
  'hypervisor.footprint.guestPage': ['shadow', '2MiB'],
  'hypervisor.footprint.userLines': ['program', '500'],
  'hypervisor.footprint.switchFlush': ['crowd', 'all'],
  'hypervisor.devices.network.kind': ['server', 'emulated'],
  'hypervisor.devices.disk.kind': ['program', 'emulated'],
  ...card(''),
  ...card('emulated.'),
  ...card('vhost.'),
  ...card('passthrough.', 'host.iommu=true'),
  ...ownDisk(''),
  ...ownDisk('emulated.'),
  'vms[].network': ['server', 'emulated'],
  'vms[].disk': ['program', 'emulated'],
  'vms[].name': ['program', 'other'],
  'vms[].count': ['program', '1'],
  'vms[].host': ['two hosts', 'b'],
  'vms[].mmu.kind': ['program', 'shadow'],
  'vms[].mmu(shadow).profile': ['shadow', 'write-protect', 'vms.0.mmu.kind=shadow'],
  'vms[].mmu(shadow).pageBudget': ['crowded tables', '64', 'vms.0.mmu.kind=shadow'],
  'vms[].mmu(shadow).floodLimit': ['shadow', '1', 'vms.0.mmu.kind=shadow'],
  'vms[].mmu(nested).pageSize': ['program', '2MiB', 'vms.0.mmu.kind=nested'],
  hosts: [
    'two hosts',
    '{ a: { processor: opteron-1354, pcpus: 1 }, b: { processor: opteron-1354 } }',
  ],
  'vms[].memory': ['crowded tables', '64MiB'],
  'vms[].weight': ['hogs', '1024'],
  'vms[].cap': ['credit', '10'],
  'vms[].pin': ['cores', '[0]'],
  'vms[].scheduler.warp': ['credit', '10ms', KIND('bvt')],
  'vms[].scheduler.warpLimit': ['credit', '2ms', KIND('bvt'), 'vms.0.scheduler.warp=10ms'],
  'vms[1].scheduler.unwarp': [
    'credit',
    '1us',
    KIND('bvt'),
    'vms.1.weight=16',
    'vms.1.scheduler={ warp: 100ms, warpLimit: 1us }',
  ],
  'vms[].scheduler.slice': ['credit', '1ms', KIND('sedf')],
  'vms[].scheduler.period': ['credit', '5ms', KIND('sedf'), 'vms.0.scheduler.slice=1ms'],
  'vms[].scheduler.extratime': ['credit', 'false', KIND('sedf'), 'vms.0.scheduler.slice=1ms'],
  'vms[].scheduler.budget': ['credit', '1ms', KIND('rtds')],
  'vms[].scheduler.reservation': ['hogs', '80', KIND('esx'), 'hypervisor.scheduler.quantum=2ms'],
  'vms[].kernel': ['jobs', 'linux-6.1'],
  'vms[].os.cpi': ['jobs', '3'],
  'vms[].os.hz': ['ticking', '3000'],
  'vms[].os.tickless': ['ticking', 'false'],
  'vms[].os.tickPorts': ['ticking', '5', ...TICKS],
  'vms[].os.faultAround': ['jobs', '16'],
  'vms[].os.flushPages': ['program', '64'],
  'vms[].os.pageTableIsolation': ['jobs', 'true'],
  ...paths('program', 'systemCall', 'mmap', 'munmap', 'contextSwitch', 'wait', 'blockIo'),
  ...paths('program', 'interrupt', 'diskRequest', 'scanEntry', 'exception'),
  'vms[].os.instructions.timerTick': ['ticking', '9000', ...TICKS],
  ...paths('jobs', 'pageFault', 'takePage', 'chargePage', 'filePage', 'cowBreak', 'freePage'),
  ...paths('jobs', 'changeEntry', 'fork', 'copyEntry', 'exec', 'exit'),
  ...paths('server', 'networkInterrupt', 'send', 'sendPiece', 'acknowledgement', 'receive'),
  ...paths('net-stream', 'sendAcknowledgement'),
  'vms[].os.instructions.mapAround': ['jobs', '9000', 'vms.0.os.faultAround=16'],
  ...Object.fromEntries(
    callClassNames.map((name) => [
      `vms[].os.instructions.calls.${name}`,
      ['jobs', '9000', `vms.0.workload.per1M.syscalls.${name}=90`],
    ]),
  ),
  'vms[].workload.kind': ['tlb-thrash', '{ kind: page-fault-loop }'],
  ...Object.fromEntries(
    Object.entries(SYNTHETIC).map(([key, entry]) => [`vms[].workload(synthetic).${key}`, entry]),
  ),
  ...Object.fromEntries(
    Object.entries(TREE_KEYS).map(([key, entry]) => [`vms[].workload(process-tree).${key}`, entry]),
  ),
  'vms[].workload(trace).file': ['trace', 'sh.pt.gz'],
  'vms[].workload(trace).loop': ['trace', 'true', 'vms.0.workload.limitReferences=20000'],
  'vms[].workload(trace).limitReferences': ['trace', '1000'],
  'vms[].workload(trace).populate': ['trace', 'false'],
  'vms[].workload(trace).kernel': ['replay', 'false'],
  'vms[].workload(trace).pageSize': ['trace', '2MiB', 'vms.0.memory=128MiB', 'host.memory=512MiB'],
  'vms[].workload(trace).events': ['replay', 'ignore'],
  ...Object.fromEntries(
    RATE_KEYS.map(([key, [, value]]) => [
      `vms[].workload(trace).${key}`,
      ['rates', value, 'vms.0.workload.per1M.syscalls.other=10'],
    ]),
  ),
  'vms[].workload(trace).ioLatency': ['rates', '200us'],
  'vms[].workload(trace).ioBytes': ['rates', '40000'],
  'vms[].workload(trace).cpi': ['trace', '2'],
  'vms[].workload(trace).overlap': ['trace', '0.9'],
  'vms[].workload(trace).hz': ['trace', '10000'],
  ...micro('page-fault-loop', { pages: '60', aslr: 'false' }),
  ...micro('fork-loop', {
    pages: '60',
    written: '9',
    kept: '3',
    files: '90',
    used: '9',
    parts: '3',
    aslr: 'false',
  }),
  ...micro('context-switch-ring', {
    processes: '3',
    pages: '9',
    aslr: 'false',
  }),
  ...micro('mmap-loop', { touched: '9', stride: '40', aslr: 'false' }),
  // Where the mapping begins a table, so that the table has as many slots.
  'vms[].workload(mmap-loop).pages': ['mmap-loop', '400', 'vms.0.workload.aslr=false'],
  ...micro('net-stream', {
    direction: 'send',
    connections: '2',
    message: '4000B',
    window: '20kB',
    roundTrip: '400us',
    // A tickless kernel that sleeps this often is rarely busy for a whole third of a millisecond.
    hz: '10000',
  }),
  ...micro('tlb-thrash', {
    pages: '900',
    'pattern.kind': 'sequential',
    instructions: '9',
    pageSize: '2MiB',
    aslr: 'false',
  }),
  'vms[].workload(tlb-thrash).pageSize': ['tlb-thrash', '2MiB', 'vms.0.workload.pages=8'],
  'vms[].workload(tlb-thrash).pattern(zipf).exponent': [
    'tlb-thrash',
    '2',
    'vms.0.workload.pattern={ kind: zipf }',
  ],
  'vms[].workload(tlb-thrash).pattern(zipf).order': [
    'tlb-thrash',
    'ranked',
    'vms.0.workload.pattern={ kind: zipf }',
  ],
  'vms[].workload(tlb-thrash).pattern(strided).stride': [
    'tlb-thrash',
    '7',
    'vms.0.workload.pattern={ kind: strided, stride: 64 }',
  ],
  'vms[].workload(tlb-thrash).pattern(stream).bytes': [
    'tlb-thrash',
    '640',
    'vms.0.workload.pattern={ kind: stream, bytes: 16 }',
  ],
  'vms[].workload(tlb-thrash).pattern(working-set).pages': ['tlb-thrash', '90', WINDOW()],
  'vms[].workload(tlb-thrash).pattern(working-set).visits': ['tlb-thrash', '900', WINDOW()],
  ...micro('idle', { period: '700us', instructions: '9000' }),
  'vms[].workload(idle).hz': [
    'idle',
    '10000',
    'vms.0.workload.cpi=16',
    'vms.0.workload.instructions=60000',
  ],
  'output.timeseries': ['program', '500us'],
  'output.evictions': ['program', 'true'],
  free: ['program', '[exit]'],
  'sampling.kind': ['sampled', '{ kind: off }'],
  'sampling(learned).warm': ['sampled', '900us'],
  'sampling(learned).detail': ['sampled', '1ms'],
  'sampling(learned).target': ['sampled', '0.0001'],
  ...PAIR_ENTRIES,
  ...CHECKPOINT_ENTRIES,
  ...MOVE_ENTRIES,
};

/** A network card: of the kind that `prefix` names. */
function card(prefix: string, ...also: readonly string[]): Record<string, Entry> {
  const at = `hypervisor.devices.network.${prefix}`;
  const chosen = [...also, ...(prefix ? [`vms.0.network=${prefix.slice(0, -1)}`] : [])];
  // What other keys keep from mattering.
  const set = (key: string, value: string) => `${at}${key}=${value}`;
  const entry = (value: string, ...more: readonly string[]): Entry => [
    'server',
    value,
    ...chosen,
    ...more,
  ];
  return {
    [`${at}sendBytes`]: entry('1448', set('sendBytes', '14480')),
    [`${at}kickPieces`]: entry('7', set('sendBytes', '1448'), set('kickPieces', '2')),
    [`${at}kickAccesses`]: entry('5'),
    [`${at}registers`]: entry(prefix === 'passthrough.' ? 'user' : 'direct'),
    [`${at}decoded`]: entry('true', set('decoded', 'false'), set('registers', 'user')),
    [`${at}interruptAccesses`]: entry('9'),
    [`${at}receivePackets`]: entry('2', set('receivePackets', '8')),
    [`${at}receiveWait`]: entry('1us', set('receivePackets', '8'), set('receiveWait', '200us')),
    [`${at}ring`]: entry('1'),
    [`${at}sendPiece`]: entry('20000'),
    [`${at}sendLine`]: entry('200'),
    [`${at}receivePacket`]: entry('20000'),
    [`${at}receiveLine`]: entry('200'),
    [`${at}worker`]: entry('vcpu', set('worker', 'thread'), set('receivePacket', '900')),
  };
}

function ownDisk(prefix: string): Record<string, Entry> {
  const at = `hypervisor.devices.disk.${prefix}`;
  const chosen = prefix ? [`vms.0.disk=${prefix.slice(0, -1)}`] : [];
  const entry = (value: string, ...more: readonly string[]): Entry => [
    'program',
    value,
    ...chosen,
    ...more,
  ];
  return {
    [`${at}requestBytes`]: entry('1024'),
    [`${at}requestAccesses`]: entry('5'),
    [`${at}registers`]: entry('direct'),
    [`${at}decoded`]: entry('true'),
    [`${at}interruptAccesses`]: entry('2'),
    [`${at}request`]: entry('20000'),
    [`${at}answer`]: entry('20000'),
    [`${at}requestLine`]: entry('200'),
    [`${at}worker`]: entry('vcpu'),
  };
}

function KIND(kind: string): string {
  return `hypervisor.scheduler.kind=${kind}`;
}

function WINDOW(): string {
  return 'vms.0.workload.pattern={ kind: working-set, pages: 4, visits: 50 }';
}

/** By key; `regions[3]` in the table above names the region that has what the key is about. */
export const EVERY_KEY: ReadonlyMap<string, { readonly entry: Entry; readonly path: string }> =
  new Map(
    Object.entries(ENTRIES).map(([key, entry]) => [
      key.replaceAll(/\[\d+\]/g, '[]'),
      {
        entry,
        path: key
          .replaceAll(/\([^)]*\)/g, '')
          .replaceAll('[]', '.0')
          .replaceAll(/\[(\d+)\]/g, '.$1'),
      },
    ]),
  );
