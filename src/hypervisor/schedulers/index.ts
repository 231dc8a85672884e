import { bvt } from './bvt.ts';
import { cfs } from './cfs.ts';
import { credit } from './credit.ts';
import { credit2 } from './credit2.ts';
import { esx } from './esx.ts';
import { roundRobin } from './round-robin.ts';
import { rtds } from './rtds.ts';
import { schedulerRegistry } from './scheduler.ts';
import { sedf } from './sedf.ts';

/** Every vCPU scheduler: a new one is one file and one line here. */
export const schedulers = schedulerRegistry([
  roundRobin,
  credit,
  credit2,
  cfs,
  esx,
  bvt,
  sedf,
  rtds,
]);
