import { leftOut } from '../left-out.ts';
import type { ProtectionRegistry } from './protection.ts';

/** In place of index.ts in a page. */
export const protections: ProtectionRegistry = leftOut('fault tolerance');
