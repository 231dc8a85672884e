import type { Host } from '../cluster/host.ts';
import type { Timebase } from '../engine/timebase.ts';
import { Runstate } from '../hypervisor/vm.ts';
import type { RunSlices } from '../observe/run-slices.ts';
import { firstPcpus } from './hosts.ts';
import type { Lanes } from './lanes.ts';

export interface ThreadWatchers {
  readonly slices: RunSlices | undefined;
  readonly lanes: Lanes | undefined;
  /** What they count time in. */
  readonly reference: Timebase;
}

/**
 * Has those who look told of the threads of all hosts and of Dom0, which run on pCPUs as vCPUs do.
 * When all of them are there.
 */
export function watchThreads(
  hosts: readonly Host[],
  { lanes, reference, slices }: ThreadWatchers,
): void {
  if (!slices && !lanes) return;
  const firsts = firstPcpus(hosts.map(({ machine }) => ({ pcpus: machine.cores.length })));
  let next = 0;
  for (const [h, { hypervisor }] of hosts.entries()) {
    const { timebase } = hypervisor.engine;
    for (const task of hypervisor.tasks.all) {
      const number = next++;
      const runner = slices?.addThread() ?? -1;
      let since = -1;
      task.observer = {
        onRunstate: (cycle, pcpu, _id, from, to) => {
          if (from === to) return;
          const now = reference.passed(timebase.engine(cycle));
          slices?.note(now, firsts[h]! + pcpu, runner, from, to);
          if (from === Runstate.Running && now > since) lanes?.thread(number, pcpu, since, now);
          if (to === Runstate.Running) since = now;
        },
      };
    }
  }
}
