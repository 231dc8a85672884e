/** Operating-system events of a page trace: what their lines consist of. */

/** One `X` line. Fields that the event does not have are 0 or empty. */
export interface TraceEvent {
  readonly name: string;
  readonly page: number;
  readonly pages: number;
  /**
   * `rwxTK` of a mapping, `rwx` of a protection, `r` or `w` of a resident page, name of a system
   * call.
   */
  readonly rights: string;
  readonly toPage: number;
  readonly toPages: number;
  /** Address space that a fork or an exec makes. */
  readonly space: number;
}

/** Arguments of each event: p = page, n = count, q and m = new page and count, s = space. */
export const EVENTS: Readonly<Record<string, string>> = {
  resident: 'pnr',
  mmap: 'pnr',
  munmap: 'pn',
  mprotect: 'pnr',
  mremap: 'pnqm',
  dontneed: 'pn',
  'brk+': 'pn',
  'brk-': 'pn',
  fork: 's',
  exec: 's',
  exit: '',
  sys: 'r',
};
/** What the rights of an event look like. */
export const RIGHTS: Readonly<Record<string, RegExp>> = {
  resident: /^[rw]$/,
  mmap: /^[r-][w-][x-][ps][af]$/,
  mprotect: /^[r-][w-][x-]$/,
  sys: /^\S+$/,
};
