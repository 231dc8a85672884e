import * as z from 'zod';
import { linkNamed } from '../cluster.ts';
import { type EventDefinition, linkName, unknown } from './event.ts';

const params = z.object({ link: linkName() });

export const restore: EventDefinition<typeof params> = {
  name: 'restore',
  summary: 'a link that was cut works again',
  params,
  plan({ link: name }, cluster) {
    const link = cluster.link(name);
    const names = cluster.links.map((one) => one.name);
    if (!link) return unknown('link', 'link', name, names);
    if (link.up) return { key: 'link', message: `the link ${name} is not cut at that time` };
    link.up = true;
    return undefined;
  },
  create:
    ({ link }) =>
    (cluster) =>
      linkNamed(cluster, link).restore(),
};
