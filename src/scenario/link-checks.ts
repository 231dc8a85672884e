import type { CheckContext } from './check-context.ts';
import { didYouMean, listed } from './findings.ts';
import { hostsOf } from './hosts.ts';
import type { Path } from './located.ts';

/** Links connect two hosts that there are. */
export function checkLinks({ scenario, sound, fault }: CheckContext): void {
  if (!sound(['host'], ['hosts'])) return;
  const hosts = hostsOf(scenario).map(({ name }) => name);
  const seen: string[] = [];
  for (const [i, { between, name }] of (scenario.links ?? []).entries()) {
    const at = (...keys: Path): Path => ['links', i, ...keys];
    if (sound(at('name')) && seen.includes(name)) {
      fault(at('name'), `two links are called "${name}"`);
    }
    seen.push(name);
    if (!sound(at('between'))) continue;
    if (scenario.host) {
      fault(
        at('between'),
        'a link takes two hosts, and the scenario has one',
        'write hosts: { … }',
      );
      continue;
    }
    for (const [end, host] of between.entries()) {
      if (hosts.includes(host)) continue;
      const which = `the hosts are ${listed(hosts)}`;
      const hint = didYouMean(host, hosts);
      fault(at('between', end), `there is no host "${host}"`, hint ? `${hint} ${which}` : which);
    }
    if (between[0] === between[1]) {
      fault(at('between', 1), `a link is between two hosts, and both ends are ${between[0]}`);
    }
  }
}
