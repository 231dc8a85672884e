import type { Processor } from '../../machine/processor.ts';

/** Quad-core parts that VMware counts as one group. */
const QUAD_CORE = ['Budapest', 'Barcelona', 'Shanghai'];

/** The group of processors that can replay each other; undefined: it cannot be replayed at all. */
export function groupOf({ codename, family }: Processor): string | undefined {
  if (family.startsWith('0Fh')) return undefined;
  return QUAD_CORE.includes(codename) ? '13xx/23xx/83xx' : codename;
}

/** Whether two processors can replay each other, with clocks apart by at most so much (Hz). */
export function areAlike(a: Processor, b: Processor, clocks: number): boolean {
  const group = groupOf(a);
  return group !== undefined && group === groupOf(b) && Math.abs(a.clock - b.clock) <= clocks;
}
