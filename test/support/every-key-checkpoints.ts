import { pair } from './every-key-pairs.ts';
import type { Overrides } from './scenarios.ts';

/** Keys of VMs that are protected by checkpoints: as in every-key.ts. */
type Entry = readonly [base: string, value: string, ...also: readonly string[]];

const remus = { kind: 'remus', interval: '1ms' };
const vsphere = { kind: 'vsphere-6' };
const checkpoints = (protection: Overrides, more: Overrides = {}) =>
  pair({ kind: 'checkpoint', ...protection }, more);
const lost = { duration: '12ms', events: [{ at: '3ms', kind: 'fail', host: 'a' }] };

export const CHECKPOINT_BASES: Readonly<Record<string, Overrides>> = {
  checkpoints: checkpoints({ policy: remus }),
  'checkpoints of vSphere': checkpoints({ policy: vsphere }),
  'lost checkpoints': checkpoints({ policy: remus, timeScale: 0.2, goLive: '1ms' }, lost),
  'lost checkpoints of vSphere': checkpoints(
    { policy: vsphere, timeScale: 0.0005, goLive: '1ms' },
    lost,
  ),
  'cut checkpoints': checkpoints(
    { policy: { ...remus, missed: 1000 }, timeScale: 0.005 },
    {
      duration: '9ms',
      events: [
        { at: '2ms', kind: 'cut', link: 'log' },
        { at: '3ms', kind: 'restore', link: 'log' },
      ],
    },
  ),
};

const F = 'vms[].faultTolerance(checkpoint)';
const P = 'vms.0.faultTolerance.';
const REMUS = `${F}.policy(remus)`;
const VSPHERE = `${F}.policy(vsphere-6)`;

/** Pauses of half a millisecond. */
const LONG = [`${P}costs.stopCycles=1000000`, `${P}compression=0.01`, 'duration=20ms'] as const;

export const CHECKPOINT_ENTRIES: Readonly<Record<string, Entry>> = {
  'vms[].faultTolerance.kind': ['pair', '{ kind: checkpoint, secondary: b, link: log }'],
  [`${F}.link`]: ['checkpoints', 'slow'],
  [`${F}.policy.kind`]: ['checkpoints', '{ kind: vsphere-6 }', ...LONG],
  [`${REMUS}.interval`]: ['checkpoints', '2ms'],
  [`${REMUS}.suspend`]: ['checkpoints', '3ms'],
  [`${REMUS}.missed`]: ['lost checkpoints', '10'],
  [`${VSPHERE}.interval`]: ['checkpoints of vSphere', '4ms'],
  [`${VSPHERE}.shortest`]: ['checkpoints of vSphere', '5ms'],
  [`${VSPHERE}.longest`]: ['checkpoints of vSphere', '1ms', ...LONG],
  [`${VSPHERE}.pauseShare`]: ['checkpoints of vSphere', '0.5', ...LONG],
  [`${VSPHERE}.hostTimeout`]: ['lost checkpoints of vSphere', '1s'],
  [`${F}.costs.stopCycles`]: ['checkpoints', '9000'],
  [`${F}.costs.pageCycles`]: ['checkpoints', '9000'],
  [`${F}.costs.lineCycles`]: ['checkpoints', '200'],
  [`${F}.costs.messageCycles`]: ['checkpoints', '9000'],
  [`${F}.costs.bytesPerCycle`]: ['checkpoints', '0.2'],
  [`${F}.costs.stateBytes`]: ['checkpoints', '99000'],
  [`${F}.costs.pageBytes`]: ['checkpoints', '900'],
  [`${F}.costs.writeBytes`]: ['checkpoints', '90000', 'vms.0.workload.ioBytes=0'],
  [`${F}.costs.ackBytes`]: ['checkpoints', '9000'],
  [`${F}.costs.window`]: ['checkpoints', '2KiB'],
  [`${F}.compression`]: ['checkpoints', '0.2'],
  [`${F}.heartbeats`]: ['lost checkpoints', '2', `${P}policy.interval=4ms`, `${P}policy.missed=2`],
  [`${F}.retransmit`]: ['cut checkpoints', '1s'],
  [`${F}.clientRetransmit`]: ['lost checkpoints', '5ms'],
  [`${F}.goLive`]: ['lost checkpoints', '3ms'],
  [`${F}.timeScale`]: ['lost checkpoints', '0.4'],
};

export const CHECKPOINT_EXCEPTIONS: Readonly<Record<string, string>> = {
  [`${F}.secondary`]: 'names a host; another one takes another link as well',
  [`${F}.arbiterRetry`]: 'no event cuts the way to the shared disk',
};
