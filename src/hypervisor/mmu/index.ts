import { mmuRegistry } from './mmu.ts';
import { native } from './native.ts';
import { nested } from './nested.ts';
import { shadow } from './shadow.ts';

/** Every paging mode: a new one is one file and one line here. */
export const mmuModes = mmuRegistry([native, shadow, nested]);
