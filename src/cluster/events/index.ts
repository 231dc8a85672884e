import { cut } from './cut.ts';
import { eventRegistry } from './event.ts';
import { fail } from './fail.ts';
import { failover } from './failover.ts';
import { migrate } from './migrate.ts';
import { protect } from './protect.ts';
import { restore } from './restore.ts';

/** Everything that can happen at a given time: a new kind is one file and one line here. */
export const eventKinds = eventRegistry([migrate, fail, cut, restore, protect, failover]);
