/** A protected VM and its second copy: two VMs in every table, told apart by their names. */

const SECOND = '/secondary';

/** Name of the second copy of a VM, or of a group of them. */
export const secondCopy = (name: string): string => `${name}${SECOND}`;

/** The VM, or the group, that this is the second copy of; undefined: it is none. */
export const firstOf = (name: string): string | undefined =>
  name.endsWith(SECOND) ? name.slice(0, -SECOND.length) : undefined;
