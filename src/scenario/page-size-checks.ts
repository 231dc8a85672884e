import { showBytes } from '../base/units.ts';
import { hugePagesIn, hugePagesOf } from '../guest/workloads/page-size.ts';
import type { ProcessImage } from '../guest/workloads/workload.ts';
import type { CheckContext } from './check-context.ts';
import { hostOfGroup, hostsOf } from './hosts.ts';
import type { Path } from './located.ts';

/**
 * Page sizes of guests: the processor must have them, and large pages take room that is in one
 * piece.
 */

const GIB = 2 ** 30;

/** Refuses guest pages of 1 GiB on a processor without TLB entries for them. */
export function checkPageSizes({ scenario, sound, fault }: CheckContext): void {
  const hosts = hostsOf(scenario);
  for (const [i, group] of scenario.vms.entries()) {
    const { workload } = group;
    const on = hostOfGroup(hosts, group);
    if (!on || !sound(on.path) || on.host.cpu.tlb.l1d['1G'].entries > 0) continue;
    const { processor } = on.host;
    for (const path of pageSizes(workload, ['vms', i, 'workload'])) {
      fault(
        path,
        `guest pages of 1GiB need TLB entries for them, and ${processor} has none`,
        'use 2MiB',
      );
    }
  }
}

/** Where 1 GiB is asked for in the parameters of a workload, whatever its kind. */
function pageSizes(value: unknown, path: Path): Path[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => {
    const at = [...path, Array.isArray(value) ? Number(key) : key];
    return key === 'pageSize' && inner === GIB ? [at] : pageSizes(inner, at);
  });
}

/**
 * Refuses a VM without room for the pages of 1 GiB of its populated regions, or for a single one
 * where any region has them.
 */
export function checkHugePages(
  { scenario, fault }: CheckContext,
  index: number,
  processes: readonly ProcessImage[],
): void {
  const { name, memory } = scenario.vms[index]!;
  const populated = hugePagesOf(processes);
  const any = processes.some(({ regions }) => regions.some(({ pageShift }) => pageShift === 30));
  const needed = any ? Math.max(populated, 1) : 0;
  const room = hugePagesIn(Math.floor(memory / 4096));
  if (needed <= room) return;
  const asked = populated > 0 ? `the populated regions take ${needed} pages` : 'a region has pages';
  const has = `VM ${name} of ${showBytes(memory)} has room for ${room === 0 ? 'none' : room}`;
  fault(
    ['vms', index, 'memory'],
    `${asked} of 1GiB, and ${has}: its first GiB holds the kernel`,
    `write memory: ${needed + 1}GiB or more`,
  );
}
