import { epochPolicyRegistry } from './policy.ts';
import { remus } from './remus.ts';
import { vsphere6 } from './vsphere-6.ts';

/** Every rule of epochs: a new one is one file and one line here. */
export const epochPolicies = epochPolicyRegistry([remus, vsphere6]);
