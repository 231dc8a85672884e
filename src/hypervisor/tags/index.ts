import { flushByAsid, kvm32 } from './flush-by-asid.ts';
import { kvm } from './kvm.ts';
import { none } from './none.ts';
import { tagRegistry } from './tag-policy.ts';
import { xen3, xen41 } from './xen.ts';

/** Every way of using ASIDs: a new one is one file and one line here. */
export const tagPolicies = tagRegistry([none, kvm, xen3, xen41, flushByAsid, kvm32]);
