import type { Overrides } from '../../../support/scenarios.ts';

/**
 * lmbench's lat_proc, as it was counted: lmbench 3 on Debian 12 (glibc 2.36, Linux 6.18), page faults and forks by
 * tracepoints, resident pages by smaps, the pages that a child uses by valgrind's lackey. Nothing of it ran in a
 * hypervisor that shadows tables.
 */

/**
 * `lat_proc fork`: a process of 292 resident pages, 27 of them private, in 29 mappings (13 of which a fork copies) and 7
 * last-level tables. A child uses 34 pages of files and stores to 14 before it has exited; its parent stores to 3.
 */
export const latFork = {
  kind: 'fork-loop',
  pages: 27,
  written: 14,
  kept: 3,
  files: 265,
  used: 34,
  parts: 7,
  hz: 0,
} as const satisfies Overrides;

const region = (name: string, kind: string, size: string, more: Overrides): Overrides => ({
  name,
  kind,
  size,
  pattern: { kind: 'zipf', exponent: 1.3 },
  ...more,
});

interface Started {
  readonly instructions: number;
  readonly text: string;
  readonly symbols: string;
  /** Share of stores among references to symbols. */
  readonly stores: number;
  readonly heap: string;
}

/** A program that starts, loads its libraries and ends. */
const started = (
  name: string,
  { instructions, text, symbols, stores, heap }: Started,
  more: Overrides = {},
): Overrides => ({
  name,
  instructions,
  regions: [
    region(`${name}-text`, 'code', text, { share: 0.05, pattern: { kind: 'zipf', exponent: 1 } }),
    region('libc', 'code', '292KiB', { share: 0.15, pattern: { kind: 'zipf', exponent: 0.8 } }),
    region(`${name}-symbols`, 'file', symbols, {
      share: 0.25,
      stores,
      pattern: { kind: 'zipf', exponent: 0.8 },
    }),
    region('heap', 'anon', heap, { share: 0.35, stores: 0.35 }),
    region('stack', 'anon', '12KiB', { share: 0.2, stores: 0.4 }),
  ],
  visit: { references: 6, instructions: 4 },
  ...more,
});

/** 77 pages of code, 45 others of files, 7 private copies of them, 13 new pages. */
const hello = started('hello', {
  instructions: 126_000,
  text: '16KiB',
  symbols: '180KiB',
  stores: 0.0008,
  heap: '40KiB',
});

/** The process that forks: as `latFork`, of whose pages a child that executes a program uses 27 and stores to 8. */
const loop = (run: string): Overrides => ({
  name: 'lat',
  instructions: 2000,
  starts: 'fork',
  cowPages: 8,
  usedPages: 27,
  runs: [{ commands: [run] }],
  regions: [
    region('lat-text', 'code', '1060KiB', { share: 0.3 }),
    region('data', 'anon', '108KiB', {
      share: 0.7,
      stores: 0.3,
      pattern: { kind: 'zipf', exponent: 2.5 },
    }),
  ],
  visit: { references: 6, instructions: 4 },
});

/** `lat_proc exec`: fork, execute hello, wait. */
export const latExec: Overrides = {
  kind: 'process-tree',
  programs: [loop('hello'), hello],
};

/**
 * `lat_proc shell`, with bash as the shell: fork, execute bash, which executes hello in its place (here in a child that
 * borrows its memory). bash 5.2 executes 1.21e6 instructions; it takes 71 faults on files, which map around, 24 private
 * copies and 40 new pages.
 */
export const latShell: Overrides = {
  kind: 'process-tree',
  programs: [
    loop('sh'),
    started(
      'sh',
      { instructions: 1_210_000, text: '1MiB', symbols: '240KiB', stores: 0.0004, heap: '150KiB' },
      { starts: 'vfork', runs: [{ commands: ['hello'] }] },
    ),
    hello,
  ],
};
