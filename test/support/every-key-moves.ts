import type { Overrides } from './scenarios.ts';

/** Keys of links and events: as in every-key.ts. */
type Entry = readonly [base: string, value: string, ...also: readonly string[]];

const HOST = { processor: 'opteron-1354', pcpus: 1, memory: '256MiB' };
const WRITER = { kind: 'tlb-thrash', pages: 1500, stores: 1, hz: 0 };
const CUT = { at: '8ms', kind: 'cut', link: 'wire' };

const moving = (policy: Overrides, more: Overrides = {}): Overrides => ({
  host: undefined,
  hosts: { a: HOST, b: HOST, c: HOST },
  links: [
    { name: 'wire', between: ['a', 'b'], bandwidth: '10Gb/s', latency: '50us' },
    { name: 'slow', between: ['a', 'b'], bandwidth: '1Gb/s', latency: '50us' },
    { name: 'third', between: ['a', 'c'], bandwidth: '10Gb/s', latency: '50us' },
  ],
  duration: '25ms',
  vms: [
    { name: 'vm', host: 'a', memory: '16MiB', workload: WRITER },
    { name: 'other', host: 'a', memory: '16MiB', workload: WRITER },
  ],
  events: [{ at: '2ms', kind: 'migrate', vm: 'vm-0', to: 'b', link: 'wire', policy }],
  ...more,
});

export const MOVE_BASES: Readonly<Record<string, Overrides>> = {
  'moved by xen': moving({ kind: 'xen-3' }),
  qemu: moving({ kind: 'qemu-0.12', tick: '1ms', rate: 2000, downtime: '2ms' }),
  'vmotion 4': moving({ kind: 'vmotion-4', goal: '1ms' }),
  'vmotion 5': moving({ kind: 'vmotion-5', goal: '1ms' }),
  'on demand': moving({ kind: 'post-copy' }),
  failing: moving({}, { events: [{ at: '5ms', kind: 'fail', host: 'a' }] }),
  // Where the VM is at the second attempt depends on how the first one ends.
  'moved again': moving(
    {},
    {
      duration: '6ms',
      events: [
        { at: '500us', kind: 'migrate', vm: 'vm-0', to: 'b', link: 'wire' },
        { at: '1ms', kind: 'cut', link: 'wire' },
        { at: '2ms', kind: 'migrate', vm: 'vm-0', to: 'b', link: 'slow' },
      ],
    },
  ),
  cut: moving(
    {},
    {
      events: [
        CUT,
        {
          at: '2ms',
          kind: 'migrate',
          vm: 'vm-0',
          to: 'b',
          link: 'wire',
          policy: { kind: 'xen-3' },
        },
      ],
    },
  ),
};

const M = 'events[](migrate)';
const XEN = `${M}.policy(xen-3)`;
const QEMU = `${M}.policy(qemu-0.12)`;
const FOUR = `${M}.policy(vmotion-4)`;
const FIVE = `${M}.policy(vmotion-5)`;
const costs = (key: string, base: string): Record<string, Entry> => ({
  [`${key}.pageCycles`]: [base, '9000'],
  [`${key}.lineCycles`]: [base, '900'],
});
const ADAPTIVE = 'events.0.policy.adaptive=true';

export const MOVE_ENTRIES: Readonly<Record<string, Entry>> = {
  'links[1].between': ['moved again', '[b, c]'],
  'links[].bandwidth': ['moved by xen', '1Gb/s'],
  'links[].latency': ['moved by xen', '3ms'],
  'events[].kind': ['lost pair', '{ at: 2ms, kind: cut, link: log }'],
  [`${M}.at`]: ['moved by xen', '4ms'],
  [`${M}.vm`]: ['moved by xen', 'other-0'],
  'events[2](migrate).to': ['moved again', 'a'],
  [`${M}.link`]: ['moved by xen', 'slow'],
  [`${M}.policy.kind`]: ['moved by xen', '{ kind: post-copy }'],
  [`${XEN}.rounds`]: ['moved by xen', '1'],
  [`${XEN}.factor`]: ['moved by xen', '0'],
  [`${XEN}.fewPages`]: ['moved by xen', '5000'],
  [`${XEN}.adaptive`]: ['moved by xen', 'true'],
  [`${XEN}.suspend`]: ['moved by xen', '1ms'],
  [`${XEN}.startRate`]: ['moved by xen', '5000', ADAPTIVE],
  [`${XEN}.maxRate`]: [
    'moved by xen',
    '5000',
    ADAPTIVE,
    'events.0.policy.startRate=3000',
    'duration=60ms',
  ],
  ...costs(XEN, 'moved by xen'),
  [`${QEMU}.downtime`]: ['qemu', '20ms'],
  [`${QEMU}.rate`]: ['qemu', '500'],
  [`${QEMU}.tick`]: ['qemu', '3ms'],
  ...costs(QEMU, 'qemu'),
  [`${FOUR}.goal`]: ['vmotion 4', '20ms'],
  [`${FOUR}.progress`]: ['vmotion 4', '1000'],
  [`${FOUR}.quickResume`]: ['vmotion 4', 'true', 'events.0.policy.progress=1000'],
  ...costs(FOUR, 'vmotion 4'),
  [`${FIVE}.goal`]: ['vmotion 5', '20ms'],
  [`${FIVE}.progress`]: ['vmotion 5', '1000'],
  [`${FIVE}.sendOverDirty`]: ['vmotion 5', '50', 'events.0.policy.progress=1000'],
  [`${FIVE}.mostStun`]: ['vmotion 5', '0.2', 'events.0.policy.progress=1000'],
  ...costs(FIVE, 'vmotion 5'),
  [`${M}.policy(post-copy).prePaging`]: ['on demand', 'false'],
  ...costs(`${M}.policy(post-copy)`, 'on demand'),
  'events[](fail).at': ['failing', '9ms'],
  'events[](fail).host': ['failing', 'b'],
  'events[](cut).at': ['cut', '3ms'],
  'events[](cut).link': ['cut', 'third'],
  'events[](restore).at': ['mended pair', '4ms'],
  'events[](restore).link': ['mended pair', 'slow'],
  'events[](failover).at': ['given up', '3ms'],
  'events[](failover).vm': ['given up', 'vm-1', 'vms.0.count=2'],
};

export const MOVE_EXCEPTIONS: Readonly<Record<string, string>> = {
  'links[].name': 'what takes the link names it; nothing else depends on the name',
};
