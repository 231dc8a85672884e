import { migrationPolicies } from './index.ts';
import type { MigrationPolicy } from './policy.ts';

/** What results call it. */
export const FT_VMOTION = 'ft-vmotion';

/**
 * How VMware makes a new secondary of a running VM: VMotion of ESX 4, whose source goes on
 * (ACM OSR 44(4) 2010, 2.1). It fails for a VM that dirties too much, as VMotion does.
 */
export const ftVmotion = (): MigrationPolicy =>
  migrationPolicies.create(migrationPolicies.schema.parse({ kind: 'vmotion-4' }), undefined);
