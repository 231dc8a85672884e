import * as z from 'zod';
import { linkNamed } from '../cluster.ts';
import { type EventDefinition, linkName, unknown } from './event.ts';

const params = z.object({ link: linkName() });

export const cut: EventDefinition<typeof params> = {
  name: 'cut',
  summary: 'a link breaks: what is on it is lost, and so is what is sent until it is restored',
  params,
  plan({ link: name }, cluster) {
    const link = cluster.link(name);
    const names = cluster.links.map((one) => one.name);
    if (!link) return unknown('link', 'link', name, names);
    if (!link.up) return { key: 'link', message: `the link ${name} is cut already at that time` };
    link.up = false;
    // Whether a migration over it was over by then depends on the run, and which copy survives.
    for (const vm of cluster.vms) {
      if (vm.moving?.link === name || vm.via === name) vm.unsure = true;
    }
    return undefined;
  },
  create:
    ({ link }) =>
    (cluster, now) =>
      linkNamed(cluster, link).cut(now),
};
