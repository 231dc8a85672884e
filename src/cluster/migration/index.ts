import { migrationRegistry } from './policy.ts';
import { postCopy } from './post-copy-policy.ts';
import { qemu012 } from './qemu-0.12.ts';
import { vmotion4, vmotion5 } from './vmotion.ts';
import { xen3 } from './xen-3.ts';

/** Every way in which a VM moves: a new one is one file and one line here. */
export const migrationPolicies = migrationRegistry([xen3, qemu012, vmotion4, vmotion5, postCopy]);
