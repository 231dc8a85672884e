import type { Place } from '../base/errors.ts';
import { visible } from '../base/visible.ts';
import type { LoadedScenario } from '../scenario/load.ts';

/** Says on stderr which groups of VMs a file has and leaves empty: that may be a slip. */
export function sayEmptyGroups({ scenario, originOf }: LoadedScenario): void {
  for (const [i, { name, count }] of scenario.vms.entries()) {
    const place = originOf(['vms', i, 'count'])?.place;
    // Who writes vms.web.count=0 in an option means it.
    if (count > 0 || !place || place.file.startsWith('--')) continue;
    say(place, `there is no VM of the group "${name}": its count is 0`);
  }
}

/** Says on stderr what a file says in vain, because an option has taken its effect away. */
export function sayDeprived({ deprived, diagnose }: LoadedScenario): void {
  for (const { path, reason } of deprived) {
    say(diagnose(path, '').place, `"${path.at(-1)}" has no effect now, and is left out: ${reason}`);
  }
}

function say({ file, line, column }: Place, note: string): void {
  process.stderr.write(`${visible(`${file}:${line}:${column}: note: ${note}`)}\n`);
}
