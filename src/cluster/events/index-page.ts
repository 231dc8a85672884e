import { leftOut } from '../left-out.ts';
import type { EventRegistry } from './event.ts';

/** In place of index.ts in a page. */
export const eventKinds: EventRegistry = leftOut('events of hosts and VMs');
