import { contextSwitchRing } from './context-switch-ring.ts';
import { forkLoop } from './fork-loop.ts';
import { idle } from './idle.ts';
import { mmapLoop } from './mmap-loop.ts';
import { netStream } from './net-stream.ts';
import { pageFaultLoop } from './page-fault-loop.ts';
import { processTree } from './process-tree.ts';
import { synthetic } from './synthetic.ts';
import { tlbThrash } from './tlb-thrash.ts';
import { trace } from './trace.ts';
import { workloadRegistry } from './workload.ts';

/** Every kind of workload. A new one is a file here and a line below. */
export const workloads = workloadRegistry([
  synthetic,
  processTree,
  trace,
  pageFaultLoop,
  forkLoop,
  contextSwitchRing,
  mmapLoop,
  tlbThrash,
  idle,
  netStream,
]);
