import * as z from 'zod';
import { duration } from '../../../base/units.ts';
import type { EpochPolicyDefinition } from './policy.ts';

const params = z.object({
  interval: duration()
    .meta({ usual: 'as long as the pauses ask for, from `shortest` to `longest`' })
    .optional()
    .describe('epochs of one length (ftcpt.cptIntervalUS)'),
  shortest: duration().prefault('1ms').describe('least length of an epoch; assumed (0.5-5 ms)'),
  longest: duration().prefault('100ms').describe('greatest length of an epoch'),
  pauseShare: z
    .number()
    .min(0.001)
    .max(1)
    .prefault(0.1)
    .meta({ unit: 'of the time' })
    .describe('share of the time in which the VM may be stopped; assumed (0.02-0.5)'),
  hostTimeout: duration()
    .prefault('2s')
    .describe('silence after which the other side counts as lost: that of ESXi 5'),
});

/**
 * VMware FT of vSphere 6. Epochs of under 1 to about 100 ms that adapt are documented (KB 406486),
 * the rule is not. Assumed: as short as it can be, since outputs wait for it, without stopping the
 * VM for more than a tenth of the time. Disk writes wait as packets do: both disks change together.
 */
export const vsphere6: EpochPolicyDefinition<typeof params> = {
  name: 'vsphere-6',
  summary: 'VMware FT of vSphere 6: epochs of 1 to 100 ms that adapt, packets and writes wait',
  params,
  hostTimeout: ({ hostTimeout }) => hostTimeout,
  holdsWrites: true,
  nestedOnly: 'FT of vSphere 6 needs hardware MMU virtualization',
  create({ interval, longest, pauseShare, shortest }, { cycles }) {
    if (interval !== undefined) {
      const length = cycles(interval);
      return { first: length, next: () => length };
    }
    const [least, most] = [cycles(shortest), cycles(longest)];
    return {
      first: least,
      next: ({ pause }) => Math.min(most, Math.max(least, Math.round(pause / pauseShare))),
    };
  },
};
