/**
 * System calls by what the kernel does in them. Programs give rates by class, a guest kernel gives
 * each class its price. Calls that change mappings, create or end processes, wait, or move data of
 * requests are operations of their own (`Op`).
 */
export const callClasses = {
  simple: 'calls that only look at or set a value: getpid, lseek, clock, signal mask',
  read: 'reads and writes of some bytes of a file in the page cache',
  readPage: 'reads and writes of 4 KiB of a file in the page cache, which is copied',
  open: 'an open of a path, with the close that goes with it',
  stat: 'looks a path up: stat, access, readlink',
  poll: 'poll, select, epoll_wait that find something ready',
  futex: 'futex calls that do not wait',
  pipe: 'reads and writes of some bytes of a pipe, without the switch to the other end',
  socket: 'small messages through a local socket, sent or received',
  connect: 'a TCP connection accepted or made, with the close that goes with it',
  other: 'calls of which nothing is known: priced like a mixture of the others',
} as const;

export type CallClass = keyof typeof callClasses;

/** In the order of their numbers, the first argument of `Op.Syscall`. */
export const callClassNames = Object.keys(callClasses) as readonly CallClass[];

/** Calls by class: a rate or a number of each. */
export type Calls = Readonly<Record<CallClass, number>>;

/** Number of the class, the argument of `Op.Syscall`. */
export const callClass = (name: CallClass): number => callClassNames.indexOf(name);

/** All calls together. */
export const totalCalls = (calls: Calls): number =>
  callClassNames.reduce((sum, name) => sum + calls[name], 0);
