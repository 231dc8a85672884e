import { recordReplayParams } from './params.ts';
import type { ProtectionDefinition } from './protection.ts';
import { RecordReplay } from './record-replay-pair.ts';

export const recordReplay: ProtectionDefinition<typeof recordReplayParams> = {
  name: 'record-replay',
  summary: 'the second copy executes the same, from a log of all that is undetermined (vSphere 4)',
  params: recordReplayParams,
  mmu: { kind: 'shadow', profile: 'vmware-trace' },
  // US 9,928,180.
  notNested:
    'with nested paging the hardware may go on using a translation that the guest has changed in ' +
    'its tables, until the TLB replaces it: such a run cannot be replayed',
  maxVcpus: 1,
  whileRunning: false,
  renewable: true,
  alike: { clocks: 400e6 },
  create: (params, deps) => new RecordReplay(params, deps),
};
