/*
 * Counts what guest kernels execute: the only program of a machine whose time-stamp counter counts
 * instructions (QEMU -icount shift=0). kernel-paths.md says how to run it, and has its results.
 * x86-64; it asks the kernel directly, so that it needs no library and runs on kernels of any age.
 */
typedef unsigned long long u64;

__asm__(".globl sc\n"
        "sc: mov %rdi,%rax; mov %rsi,%rdi; mov %rdx,%rsi; mov %rcx,%rdx\n"
        "mov %r8,%r10; mov %r9,%r8; mov 8(%rsp),%r9; syscall; ret\n"
        ".globl _start\n"
        "_start: xor %ebp,%ebp; mov %rsp,%rdi; and $-16,%rsp; call begin\n");
long sc(long number, long a, long b, long c, long d, long e, long f);

enum {
  READ = 0, WRITE = 1, OPEN = 2, CLOSE = 3, STAT = 4, FSTAT = 5, POLL = 7, LSEEK = 8, MMAP = 9,
  MPROTECT = 10, MUNMAP = 11, IOCTL = 16, ACCESS = 21, PIPE = 22, YIELD = 24, SOCKET = 41,
  CONNECT = 42, ACCEPT = 43, BIND = 49, LISTEN = 50, SOCKETPAIR = 53, SETSOCKOPT = 54, FORK = 57,
  EXECVE = 59, EXIT = 60, WAIT4 = 61, KILL = 62, MKDIR = 83, GETTIMEOFDAY = 96, GETPPID = 110,
  REBOOT = 169, IOPL = 172, FUTEX = 202
};

#define ARGUMENTS(n, a, b, c, d, e, f, ...) \
  sc(n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
#define CALL(n, ...) ARGUMENTS(n, ##__VA_ARGS__, 0, 0, 0, 0, 0, 0)

static inline u64 counter(void) {
  unsigned low, high;
  __asm__ volatile("rdtsc" : "=a"(low), "=d"(high)::"memory");
  return ((u64)high << 32) | low;
}

/* Port 0xe9 is QEMU's debug console: it needs no driver. */
static void put(const char *text) {
  while (*text) {
    __asm__ volatile("outb %0,%1" ::"a"(*text), "Nd"((unsigned short)0xe9));
    text++;
  }
}

static void result(const char *name, u64 instructions) {
  char digits[24];
  int i = 23;
  digits[i] = 0;
  do digits[--i] = '0' + instructions % 10;
  while (instructions /= 10);
  put(name), put(" "), put(digits + i), put("\n");
}

void *memset(void *to, int byte, unsigned long n) {
  char *at = to;
  while (n--) *at++ = byte;
  return to;
}

/* Instructions of one `body`, the loop around it included: the least of three rounds. */
#define COUNT(name, n, body)                        \
  do {                                              \
    u64 least = ~0ULL;                              \
    for (int round = 0; round < 3; round++) {       \
      u64 start = counter();                        \
      for (long i = 0; i < (n); i++) { body; }      \
      u64 passed = counter() - start;               \
      if (passed < least) least = passed;           \
    }                                               \
    result(name, least / (n));                      \
  } while (0)

enum { PAGE = 4096, PAGES = 1024, FILE_PAGES = 256 };
static char buffer[65536] __attribute__((aligned(4096)));

static char *map(long pages, int protection, int flags, long file) {
  return (char *)CALL(MMAP, 0, pages * PAGE, protection, flags, file, 0);
}

static char *anonymous(long pages) { return map(pages, 3, 0x22, -1); }

static u64 store(char *at, long pages) {
  u64 start = counter();
  for (long i = 0; i < pages; i++) at[i * PAGE] = 1;
  return counter() - start;
}

static u64 load(char *at, long pages, long step) {
  u64 start = counter();
  for (long i = 0; i < pages; i += step) *(volatile char *)(at + i * PAGE);
  return counter() - start;
}

static void files(void) {
  long status[64];
  long file = CALL(OPEN, "/f", 0102, 0644);
  for (int i = 0; i < FILE_PAGES; i++) CALL(WRITE, file, buffer, PAGE);
  COUNT("lseek", 2000, CALL(LSEEK, file, 0, 0));
  COUNT("lseek-write-1", 2000, CALL(LSEEK, file, 0, 0); CALL(WRITE, file, buffer, 1));
  COUNT("lseek-read-1", 2000, CALL(LSEEK, file, 0, 0); CALL(READ, file, buffer, 1));
  COUNT("lseek-write-4k", 2000, CALL(LSEEK, file, 0, 0); CALL(WRITE, file, buffer, PAGE));
  COUNT("lseek-read-4k", 2000, CALL(LSEEK, file, 0, 0); CALL(READ, file, buffer, PAGE));
  COUNT("stat", 2000, CALL(STAT, "/f", status));
  COUNT("fstat", 2000, CALL(FSTAT, file, status));
  COUNT("access", 2000, CALL(ACCESS, "/f", 4));
  COUNT("open-close", 2000, long opened = CALL(OPEN, "/f", 0); CALL(CLOSE, opened));
  CALL(MKDIR, "/d", 0755), CALL(MKDIR, "/d/e", 0755), CALL(MKDIR, "/d/e/f", 0755);
  long made = CALL(OPEN, "/d/e/f/g", 0102, 0644);
  CALL(CLOSE, made);
  COUNT("stat-four-names", 2000, CALL(STAT, "/d/e/f/g", status));
  COUNT("stat-in-vain", 2000, CALL(STAT, "/d/e/f/h", status));
  COUNT("open-close-four-names", 2000, long opened = CALL(OPEN, "/d/e/f/g", 0);
        CALL(CLOSE, opened));
  char *at = map(FILE_PAGES, 3, 2, file);
  result("fault-file-load", load(at, FILE_PAGES, 1) / FILE_PAGES);
  result("fault-file-store-after-load", store(at, FILE_PAGES) / FILE_PAGES);
  CALL(MUNMAP, at, FILE_PAGES * PAGE);
  at = map(FILE_PAGES, 1, 2, file);
  result("fault-file-load-one-in-16", load(at, FILE_PAGES, 16) / (FILE_PAGES / 16));
  CALL(MUNMAP, at, FILE_PAGES * PAGE);
}

static void memory(void) {
  COUNT("mmap-munmap", 2000, char *at = anonymous(8); CALL(MUNMAP, at, 8 * PAGE));
  char *at = anonymous(16);
  at[0] = 1;
  COUNT("mprotect-twice", 2000, CALL(MPROTECT, at, PAGE, 1); CALL(MPROTECT, at, PAGE, 3));
  at = anonymous(PAGES);
  result("fault-store", store(at, PAGES) / PAGES);
  u64 start = counter();
  CALL(MUNMAP, at, PAGES * PAGE);
  result("munmap-page", (counter() - start) / PAGES);
  at = anonymous(PAGES);
  result("fault-load", load(at, PAGES, 1) / PAGES);
  result("fault-store-after-load", store(at, PAGES) / PAGES);
  CALL(MUNMAP, at, PAGES * PAGE);
}

static void processes(char **arguments) {
  long child;
  COUNT("fork-exit-wait", 50, child = CALL(FORK); if (!child) CALL(EXIT, 0);
        CALL(WAIT4, child, 0, 0, 0));
  COUNT("fork-exec-exit-wait", 30, child = CALL(FORK);
        if (!child) CALL(EXECVE, "/init", arguments, 0); CALL(WAIT4, child, 0, 0, 0));
  char *at = anonymous(PAGES);
  u64 *shared = (u64 *)map(1, 3, 0x21, -1);
  store(at, PAGES);
  COUNT("fork-1024-pages-exit-wait", 20, child = CALL(FORK); if (!child) CALL(EXIT, 0);
        CALL(WAIT4, child, 0, 0, 0));
  child = CALL(FORK);
  if (!child) {
    *shared = store(at, PAGES);
    CALL(EXIT, 0);
  }
  CALL(WAIT4, child, 0, 0, 0);
  result("fault-copy", *shared / PAGES);
  result("fault-last-user", store(at, PAGES) / PAGES);
  CALL(MUNMAP, at, PAGES * PAGE);
}

static void pipes(void) {
  int there[2], back[2];
  CALL(PIPE, there), CALL(PIPE, back);
  COUNT("pipe-write-read", 2000, CALL(WRITE, there[1], buffer, 1);
        CALL(READ, there[0], buffer, 1));
  struct { int file; short wanted, found; } set[10];
  for (int i = 0; i < 10; i++) set[i].file = there[0], set[i].wanted = 1;
  COUNT("poll-1", 2000, CALL(POLL, set, 1, 0));
  COUNT("poll-10", 2000, CALL(POLL, set, 10, 0));
  long child = CALL(FORK);
  if (!child) {
    do CALL(READ, there[0], buffer, 1), CALL(WRITE, back[1], buffer, 1);
    while (buffer[0] != 'q');
    CALL(EXIT, 0);
  }
  COUNT("pipe-there-and-back", 500, CALL(WRITE, there[1], buffer, 1);
        CALL(READ, back[0], buffer, 1));
  buffer[0] = 'q';
  CALL(WRITE, there[1], buffer, 1), CALL(WAIT4, child, 0, 0, 0);
  COUNT("yield", 2000, CALL(YIELD));
  child = CALL(FORK);
  if (!child)
    for (;;) CALL(YIELD);
  COUNT("yield-two-processes", 500, CALL(YIELD));
  CALL(KILL, child, 9), CALL(WAIT4, child, 0, 0, 0);
}

struct address { unsigned short family, port; unsigned ip; char rest[8]; };

static void network(void) {
  int pair[2], on = 1;
  CALL(SOCKETPAIR, 1, 1, 0, pair);
  COUNT("unix-1", 1000, CALL(WRITE, pair[0], buffer, 1); CALL(READ, pair[1], buffer, 1));
  struct { char name[16]; short flags; char rest[30]; } loopback = {"lo", 0x41, {0}};
  long any = CALL(SOCKET, 2, 2, 0);
  CALL(IOCTL, any, 0x8914, &loopback);
  struct address at = {2, 0x3905, 0x0100007f, {0}}, other = {2, 0x3a05, 0x0100007f, {0}};
  long listener = CALL(SOCKET, 2, 1, 0), client = CALL(SOCKET, 2, 1, 0);
  CALL(BIND, listener, &at, 16), CALL(LISTEN, listener, 8), CALL(CONNECT, client, &at, 16);
  long server = CALL(ACCEPT, listener, 0, 0);
  CALL(SETSOCKOPT, client, 6, 1, &on, 4), CALL(SETSOCKOPT, server, 6, 1, &on, 4);
  COUNT("tcp-1-there-and-back", 500, CALL(WRITE, client, buffer, 1);
        CALL(READ, server, buffer, 1); CALL(WRITE, server, buffer, 1);
        CALL(READ, client, buffer, 1));
  COUNT("tcp-64k", 100, CALL(WRITE, client, buffer, 65536);
        for (long n = 0; n < 65536;) n += CALL(READ, server, buffer, 65536));
  long from = CALL(SOCKET, 2, 2, 0), to = CALL(SOCKET, 2, 2, 0);
  CALL(BIND, to, &other, 16), CALL(CONNECT, from, &other, 16);
  COUNT("udp-1", 1000, CALL(WRITE, from, buffer, 1); CALL(READ, to, buffer, 1));
  COUNT("connect-accept-close-close", 100, long made = CALL(SOCKET, 2, 1, 0);
        CALL(CONNECT, made, &at, 16); long taken = CALL(ACCEPT, listener, 0, 0);
        CALL(CLOSE, made); CALL(CLOSE, taken));
}

/* Loops of known length, some of which a tick interrupts. */
static void ticks(void) {
  u64 least = ~0ULL, more = 0, found = 0;
  for (long round = 0; round < 402000; round++) {
    u64 start = counter();
    for (long i = 0; i < 1000; i++) __asm__ volatile("");
    u64 passed = counter() - start;
    if (round < 2000) least = passed < least ? passed : least;
    else if (passed > least + 200) more += passed - least, found++;
  }
  result("timer-tick", found ? more / found : 0);
}

void begin(long *stack) {
  if (stack[0] > 1 && ((char **)stack)[2][0] == 'x') CALL(EXIT, 0);
  CALL(IOPL, 3);
  long time[2];
  int word = 0;
  char *arguments[] = {"/init", "x", 0};
  COUNT("nothing", 10000, __asm__ volatile(""));
  COUNT("getppid", 10000, CALL(GETPPID));
  COUNT("gettimeofday", 2000, CALL(GETTIMEOFDAY, time, 0));
  COUNT("futex-wake", 2000, CALL(FUTEX, &word, 1, 1));
  COUNT("futex-wait-in-vain", 2000, CALL(FUTEX, &word, 0, 1));
  files();
  memory();
  processes(arguments);
  pipes();
  network();
  ticks();
  CALL(REBOOT, 0xfee1dead, 672274793, 0x1234567, 0);
  for (;;) continue;
}
