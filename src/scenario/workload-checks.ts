import { workloads } from '../guest/workloads/index.ts';
import { ParameterFault } from '../guest/workloads/parameter-fault.ts';
import type { TraceFeed, Workload } from '../guest/workloads/workload.ts';
import type { CheckContext } from './check-context.ts';
import { checkHugePages } from './page-size-checks.ts';

/**
 * Workloads know rules of their own that tie several parameters together; they are asked by making
 * each once. Traces are not read here.
 */
export function checkWorkloads(context: CheckContext): void {
  const { scenario, sound, fault } = context;
  let finite = false;
  const byReferences = Number(scenario.hypervisor.scheduler['references'] ?? 0) > 0;
  for (const [i, group] of scenario.vms.entries()) {
    const at = ['vms', i, 'workload'];
    if (!sound(at, ['vms', i, 'memory'], ['vms', i, 'name'])) {
      finite = true;
      continue;
    }
    let workload: Workload;
    try {
      workload = workloads.create(group.workload, {
        seed: scenario.seed,
        vm: `${group.name}-0`,
        memoryPages: Math.floor(group.memory / 4096),
        openTrace: unread,
        checking: true,
      });
    } catch (error) {
      const { message } = error as Error;
      if (error instanceof ParameterFault) fault([...at, ...error.path], message, error.suggestion);
      else fault(at, message);
      finite = true;
      continue;
    }
    if (scenario.sampling?.kind === 'learned' && group.count > 0 && !workload.skips) {
      fault(
        ['vms', i, 'workload'],
        `${group.name} cannot be sampled: ${whyNot(group.workload.kind)}`,
        'write sampling: { kind: off }, and a shorter duration',
      );
    }
    checkHugePages(context, i, workload.processes);
    if (workload.work !== undefined && group.count > 0) finite = true;
    if (group.workload.kind === 'trace' && 'per1M' in group.workload && byReferences) {
      fault(
        ['vms', i, 'workload', 'per1M'],
        'turns of so many references are for programs that never wait: kernel events at ' +
          'rates need turns of time',
        'write scheduler: { kind: round-robin, timeslice: 30ms }, or leave per1M out',
      );
    }
  }
  if (scenario.duration === 'work' && !finite && sound(['duration'], ['vms'])) {
    fault(
      ['duration'],
      'duration: work, but no VM has an amount of work to finish',
      'write a time, for example 200ms, or give a workload its amount of work',
    );
  }
}

/** Why visits of a workload cannot be skipped. */
function whyNot(kind: string): string {
  switch (kind) {
    case 'trace':
      return 'the order of its visits is what a trace is for';
    case 'synthetic':
    case 'process-tree':
      return 'when a working-set or pointer-chase comes to new pages cannot be told';
    default:
      return `the visits of ${kind} are written one by one`;
  }
}

const unread = (name: string): TraceFeed => ({
  name,
  ended: true,
  take: () => undefined,
  rewind: () => {},
});
