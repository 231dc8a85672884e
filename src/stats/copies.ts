/** A protected VM and its second copies: VMs of their own in every table, told by their names. */

const SECOND = '/secondary';

/**
 * Name of the second copy of a VM, or of a group of them. `n`: the first one, or the n-th, which
 * replaces one that was lost.
 */
export const secondCopy = (name: string, n = 1): string =>
  `${name}${SECOND}${n === 1 ? '' : `-${n}`}`;

/** The VM, or the group, that this is a second copy of; undefined: it is none. */
export const firstOf = (name: string): string | undefined =>
  /^(.*)\/secondary(?:-\d+)?$/.exec(name)?.[1];
