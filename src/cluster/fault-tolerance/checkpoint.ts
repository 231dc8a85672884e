import { Checkpointing } from './checkpoint/checkpointing.ts';
import { epochPolicies } from './checkpoint/index.ts';
import { checkpointParams } from './checkpoint/params.ts';
import type { ProtectionDefinition } from './protection.ts';

export const checkpoint: ProtectionDefinition<typeof checkpointParams> = {
  name: 'checkpoint',
  summary: 'the second copy is brought up to date many times a second (Remus, vSphere 6)',
  params: checkpointParams,
  mmu: undefined,
  notNested: undefined,
  nestedOnly: ({ policy }) => epochPolicies.of(policy.kind).nestedOnly,
  maxVcpus: 4,
  whileRunning: true,
  renewable: false,
  alike: undefined,
  create: (params, deps) => new Checkpointing(params, deps),
};
