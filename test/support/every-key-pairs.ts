import type { Overrides } from './scenarios.ts';

/** Keys of protected VMs: as in every-key.ts. */
type Entry = readonly [base: string, value: string, ...also: readonly string[]];

const HOST = { processor: 'opteron-1354', pcpus: 1, memory: '256MiB' };
const SERVER = {
  kind: 'synthetic',
  hz: 1000,
  regions: [
    { name: 'text', kind: 'code', size: '128KiB', share: 1 },
    { name: 'heap', kind: 'anon', size: '600KiB', share: 1, stores: 0.3 },
  ],
  ioLatency: '50us',
  requests: {
    arrivals: { kind: 'open', rate: '3000/s' },
    instructions: 20_000,
    syscalls: { other: 3 },
    ioProbability: 0.5,
    responseBytes: 9000,
  },
};
const HOG = { kind: 'tlb-thrash', pages: 64, hz: 0 };

export const pair = (protection: Overrides, more: Overrides = {}): Overrides => {
  const { vms = [], ...rest } = more as { vms?: readonly Overrides[] };
  return {
    host: undefined,
    hosts: { a: HOST, b: HOST },
    links: [
      { name: 'log', between: ['a', 'b'], bandwidth: '1Gb/s', latency: '50us' },
      { name: 'slow', between: ['a', 'b'], bandwidth: '10Mb/s', latency: '50us' },
    ],
    duration: '6ms',
    hypervisor: { profile: 'esx-4', scheduler: { kind: 'credit', timeslice: '2ms' } },
    vms: [
      {
        name: 'vm',
        host: 'a',
        memory: '32MiB',
        workload: SERVER,
        os: { tickless: false },
        faultTolerance: { kind: 'record-replay', secondary: 'b', link: 'log', ...protection },
      },
      ...vms,
    ],
    ...rest,
  };
};
const crowd = { vms: [{ name: 'hog', host: 'b', count: 3, memory: '16MiB', workload: HOG }] };

export const PAIR_BASES: Readonly<Record<string, Overrides>> = {
  pair: pair({}),
  'lagging pair': pair(
    { timeScale: 0.0001, logTimeout: '4000s', lagControl: { kind: 'product' } },
    { ...crowd, duration: '30ms' },
  ),
  'lost pair': pair(
    { timeScale: 0.001, goLive: '1ms' },
    { duration: '9ms', events: [{ at: '2ms', kind: 'fail', host: 'a' }] },
  ),
  'mended pair': pair(
    { timeScale: 0.002 },
    {
      events: [
        { at: '3ms', kind: 'restore', link: 'log' },
        { at: '2ms', kind: 'cut', link: 'log' },
        { at: '2ms', kind: 'cut', link: 'slow' },
      ],
    },
  ),
  'given up': pair(
    { timeScale: 0.001, goLive: '1ms' },
    { events: [{ at: '2ms', kind: 'failover', vm: 'vm-0' }] },
  ),
  'renewed pair': pair(
    { timeScale: 0.0005 },
    {
      hosts: { a: HOST, b: HOST, c: HOST },
      links: [
        { name: 'log', between: ['a', 'b'], bandwidth: '1Gb/s', latency: '50us' },
        { name: 'third', between: ['a', 'c'], bandwidth: '10Gb/s', latency: '50us' },
        { name: 'slow', between: ['a', 'c'], bandwidth: '1Gb/s', latency: '50us' },
      ],
      events: [
        { at: '5ms', kind: 'protect', vm: 'vm-0', secondary: 'c', link: 'third' },
        { at: '2ms', kind: 'fail', host: 'b' },
      ],
    },
  ),
  'lonely pair': pair(
    { timeScale: 0.0005 },
    {
      hosts: { a: HOST, b: HOST, c: HOST },
      links: [
        { name: 'log', between: ['a', 'b'], bandwidth: '1Gb/s', latency: '50us' },
        { name: 'third', between: ['a', 'c'], bandwidth: '10Gb/s', latency: '50us' },
      ],
      events: [{ at: '2ms', kind: 'fail', host: 'b' }],
    },
  ),
  'cut pair': pair(
    { timeScale: 0.002 },
    {
      events: [
        { at: '2ms', kind: 'cut', link: 'log' },
        { at: '3ms', kind: 'restore', link: 'log' },
      ],
    },
  ),
};

const F = 'vms[].faultTolerance(record-replay)';
const P = 'vms.0.faultTolerance.';
const PRODUCT = `${F}.lagControl(product)`;
const PROPORTIONAL = `${F}.lagControl(proportional)`;
/** Either too long or short enough: the limit falls and rises. */
const BOTH = [`${P}lagControl.badLag=1s`, `${P}lagControl.goodLag=1s`] as const;
const KIND = `${P}lagControl={ kind: proportional }`;

export const PAIR_ENTRIES: Readonly<Record<string, Entry>> = {
  [`${F}.link`]: ['pair', 'slow'],
  [`${F}.disk`]: ['pair', 'backup-reads'],
  [`${F}.log.timerBytes`]: ['pair', '9000'],
  [`${F}.log.deviceBytes`]: ['pair', '9000', 'vms.0.workload.ioBytes=0'],
  [`${F}.log.packetBytes`]: ['pair', '9000'],
  [`${F}.log.diskRequestBytes`]: ['pair', '9000'],
  [`${F}.log.clockBytes`]: ['pair', '9000'],
  [`${F}.log.outputBytes`]: ['pair', '9000'],
  [`${F}.log.ackBytes`]: ['pair', '9000'],
  [`${F}.log.entryCycles`]: ['pair', '9000'],
  [`${F}.log.bytesPerCycle`]: ['pair', '1'],
  [`${F}.log.messageCycles`]: ['pair', '9000'],
  [`${F}.log.singleSteps`]: ['pair', '50'],
  [`${F}.log.buffer`]: ['pair', '4KiB', `${P}link=slow`, `${P}log.window=2KiB`],
  [`${F}.log.window`]: ['pair', '2KiB', `${P}link=slow`],
  [`${F}.lagControl.kind`]: ['lagging pair', '{ kind: proportional }'],
  [`${PRODUCT}.goodLag`]: ['lagging pair', '1s', `${P}lagControl.badLag=1s`],
  [`${PRODUCT}.badLag`]: ['lagging pair', '100s'],
  [`${PRODUCT}.downEvery`]: ['lagging pair', '1s'],
  [`${PRODUCT}.downBy`]: ['lagging pair', '0.5'],
  [`${PRODUCT}.upEvery`]: ['lagging pair', '1s', ...BOTH],
  [`${PRODUCT}.upBy`]: [
    'lagging pair',
    '0.5',
    ...BOTH,
    `${P}lagControl.upEvery=1s`,
    'hypervisor.footprint.touches=false',
  ],
  [`${PRODUCT}.floor`]: ['lagging pair', '0.95'],
  [`${PROPORTIONAL}.goodLag`]: ['lagging pair', '2s', KIND],
  [`${PROPORTIONAL}.badLag`]: ['lagging pair', '100s', KIND],
  [`${PROPORTIONAL}.window`]: ['lagging pair', '1s', KIND],
  [`${PROPORTIONAL}.drain`]: ['lagging pair', '1s', KIND],
  [`${PROPORTIONAL}.floor`]: ['lagging pair', '0.9', KIND],
  [`${F}.controlInterval`]: ['lagging pair', '3s'],
  [`${F}.hostTimeout`]: ['lost pair', '1s'],
  [`${F}.heartbeats`]: [
    'lost pair',
    '2',
    'vms.0.workload.hz=100',
    'vms.0.workload.requests.arrivals.rate=10/s',
  ],
  [`${F}.logTimeout`]: ['lagging pair', '4s'],
  [`${F}.retransmit`]: ['cut pair', '1s'],
  [`${F}.goLive`]: ['lost pair', '3ms'],
  [`${F}.timeScale`]: ['lost pair', '0.002'],
  [`${F}.renew`]: ['lonely pair', 'false'],
  'events[](protect).at': ['renewed pair', '5500us'],
  'events[](protect).vm': ['renewed pair', 'vm-1', 'vms.0.count=2'],
  'events[](protect).link': ['renewed pair', 'slow'],
};

export const PAIR_EXCEPTIONS: Readonly<Record<string, string>> = {
  [`${F}.secondary`]: 'names a host; another one takes another link as well',
  'events[](protect).secondary': 'names a host; another one takes another link as well',
  [`${F}.arbiterRetry`]: 'no event cuts the way to the shared disk',
};
