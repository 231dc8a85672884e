import { visible } from '../base/visible.ts';
import type { LoadedScenario } from '../scenario/load.ts';

/** Says on stderr which groups of VMs a file has and leaves empty: that may be a slip. */
export function sayEmptyGroups({ scenario, originOf }: LoadedScenario): void {
  for (const [i, { name, count }] of scenario.vms.entries()) {
    const place = originOf(['vms', i, 'count'])?.place;
    // Who writes vms.web.count=0 in an option means it.
    if (count > 0 || !place || place.file.startsWith('--')) continue;
    const { file, line, column } = place;
    const note = `there is no VM of the group "${name}": its count is 0`;
    process.stderr.write(`${visible(`${file}:${line}:${column}: note: ${note}`)}\n`);
  }
}
