import { credit } from './credit.ts';
import { roundRobin } from './round-robin.ts';
import { schedulerRegistry } from './scheduler.ts';

/** Every vCPU scheduler: a new one is one file and one line here. */
export const schedulers = schedulerRegistry([roundRobin, credit]);
