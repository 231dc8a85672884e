import { checkpoint } from './checkpoint.ts';
import { protectionRegistry } from './protection.ts';
import { recordReplay } from './record-replay.ts';

/** Every way of protecting a VM: a new one is one file and one line here. */
export const protections = protectionRegistry([recordReplay, checkpoint]);
