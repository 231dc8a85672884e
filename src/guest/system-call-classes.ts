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

const named: Readonly<Partial<Record<CallClass, readonly string[]>>> = {
  read: [
    'read pread64 readv preadv write pwrite64 writev pwritev getdents getdents64 sendfile',
    'copy_file_range splice',
  ],
  open: ['open openat openat2 creat'],
  stat: [
    'stat lstat fstatat newfstatat statx access faccessat faccessat2 readlink readlinkat',
    'statfs unlink unlinkat mkdir mkdirat rename renameat chdir chmod chown utimensat',
  ],
  poll: ['poll ppoll select pselect6 epoll_wait epoll_pwait'],
  futex: ['futex'],
  socket: ['sendto recvfrom sendmsg recvmsg send recv'],
  connect: ['socket accept accept4 connect'],
  simple: [
    'pipe pipe2 close lseek fstat brk dup dup2 dup3 fcntl ioctl getpid getppid gettid',
    'getuid geteuid getgid getegid umask gettimeofday clock_gettime time times getrusage',
    'arch_prctl set_robust_list set_tid_address prlimit64 getrlimit getrandom',
    'rt_sigaction rt_sigprocmask rt_sigreturn sigaltstack rseq sched_getaffinity sysinfo',
    'uname getcwd',
  ],
};

const classes = new Map(
  Object.entries(named).flatMap(([name, calls]) =>
    calls.flatMap((line) => line.split(' ')).map((call) => [call, name as CallClass] as const),
  ),
);

/** The class of a call by its name in Linux. The close of a file is in `open`. */
export const classOfCall = (call: string): CallClass => classes.get(call) ?? 'other';
