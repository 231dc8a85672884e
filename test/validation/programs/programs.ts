import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import type { RunResult } from '../../../src/stats/result.ts';
import { metric, type Overrides, run } from '../../support/scenarios.ts';
import { openShippedTrace } from '../../support/traces.ts';
import { latExec, latFork, latShell } from '../published/cases/lat-proc.ts';

/** The presets against counts of the programs they stand for: what is compared, with its source. */

/** How a program is run, alone on a core of an Opteron 1354. */
export type Way =
  /** Its visits only: no kernel, no requests, one process. What valgrind sees. */
  | 'user'
  /** On the bare machine, with its kernel. */
  | 'native'
  /** In a VM under KVM 2.6.33 with nested paging. */
  | 'nested';

export interface Count {
  readonly what: string;
  readonly way: Way;
  /** A number, or the range that sources give. */
  readonly real: number | readonly [low: number, high: number];
  readonly source: string;
  readonly ours: (result: RunResult) => number;
  /** The preset was fitted to it, or it is an input: then agreement says little. */
  readonly fitted?: boolean;
  /** Why they differ by more than 30 %. */
  readonly reason?: string;
}

export interface ProgramCase {
  readonly name: string;
  readonly counts: readonly Count[];
  /** A page trace to replay, or a program; else the preset of that name. */
  readonly trace?: string;
  readonly workload?: Overrides;
  /** Milliseconds, where one unit of work takes longer than the usual window. */
  readonly window?: number;
}

type Name = Parameters<typeof metric>[1];
const perKilo = (name: Name) => (result: RunResult) =>
  (1000 * metric(result, name)) / metric(result, 'instructions');
const perMega = (name: Name) => (result: RunResult) =>
  (1e6 * metric(result, name)) / metric(result, 'user_instructions');
const faultsPerMega = (result: RunResult) =>
  (1e6 * metric(result, 'guest_faults')) / metric(result, 'instructions');
/** Microseconds and page faults of a unit of work. */
const microseconds = (result: RunResult) =>
  metric(result, 'running_cycles') / metric(result, 'work') / 2200;
const faultsEach = (result: RunResult) => metric(result, 'guest_faults') / metric(result, 'work');
const perRequest = (name: Name) => (result: RunResult) =>
  metric(result, name) / metric(result, 'requests');
const perSecond = (name: Name) => (result: RunResult) =>
  (2.2e9 * metric(result, name)) / result.windowCycles;
const cpi = (result: RunResult) =>
  metric(result, 'running_cycles') / metric(result, 'instructions');
const kernelShare = (result: RunResult) =>
  100 * (1 - metric(result, 'user_instructions') / metric(result, 'instructions'));
const kernelTime = (result: RunResult) =>
  (100 * metric(result, 'kernel_cycles')) / metric(result, 'running_cycles');
const busy = (result: RunResult) => (100 * metric(result, 'running_cycles')) / result.windowCycles;

const CG = 'cachegrind';

/** Misses per 1000 instructions of a program in user mode. */
function misses(
  [l1i, l1d, l2, l3]: readonly [number, number, number, number?],
  source: string,
  reasons: { l1i?: string; l1d?: string; l2?: string; l3?: string } = {},
): Count[] {
  const count = (
    what: string,
    real: number,
    name: Name,
    fitted: boolean,
    reason?: string,
  ): Count => {
    const base = { what, way: 'user' as const, real, source, ours: perKilo(name), fitted };
    return reason === undefined ? base : { ...base, reason };
  };
  const rows = [
    count('L1I misses per 1000 instructions', l1i, 'l1i_line_misses', true, reasons.l1i),
    count('L1D misses per 1000 instructions', l1d, 'l1d_line_misses', true, reasons.l1d),
    count('L2 misses per 1000 instructions', l2, 'data_l2_misses', false, reasons.l2),
  ];
  if (l3 !== undefined) {
    rows.push(count('lines from memory per 1000 instructions', l3, 'data_dram', false, reasons.l3));
  }
  return rows;
}

const BHARGAVA = 'Bhargava et al., ASPLOS 2008, table 2';
const RECALLED = 'recalled';

const ONE_LAW = 'one law of lines for all programs, and a window of the run';
const ROUND = 'the trace goes round and round; what was measured starts once, in cold caches';
const TRACE_REASONS = {
  gcc: { l1i: ONE_LAW, l1d: ONE_LAW },
  redis: { l1i: ONE_LAW, l2: ROUND },
  sqlite: { l2: ROUND },
};
const WITH_KERNEL =
  'ours includes the kernel and the small programs; what was measured is cc1 alone';
/** Other times of the same, on processors of 2 to 3 GHz. */
const LMBENCH = {
  fork: 'linux-kernel, March 2005: 149',
  exec: 'Barham et al., SOSP 2003: 530, Linux 2.4.21 on a Xeon of 2.4 GHz',
  'shell (bash)': 'Barham et al., SOSP 2003: 4000',
} as const;

export const programs: readonly ProgramCase[] = [
  {
    name: 'java-server',
    counts: [
      ...misses([5.5, 8.3, 4.15, 3.22], `${CG}: warehouse program, Java 17`, {
        l2: 'it makes 0.16 bytes of new objects an instruction, the program that was measured 0.06: 1.6 misses; 2.1 are the price of its TLB misses, which are fitted to JavaServer',
        l3: 'for the same reasons',
      }),
      {
        what: 'walks per 1000 instructions',
        way: 'native',
        real: 2.57,
        source: `${BHARGAVA}, JavaServer`,
        ours: perKilo('walks'),
        fitted: true,
      },
      {
        what: 'lines from memory per 1000 instructions',
        way: 'native',
        real: [2, 6],
        source: `${RECALLED}: SPECjbb, caches of 1 to 4 MiB`,
        ours: perKilo('data_dram'),
        fitted: true,
      },
      {
        what: 'cycles per instruction',
        way: 'native',
        real: [1.2, 1.6],
        source: `${RECALLED}: SPECjbb2005 on family 10h`,
        ours: cpi,
        fitted: true,
      },
      {
        what: 'system calls per 1e6 user instructions',
        way: 'native',
        real: 1.81,
        source: 'perf, strace: Java 17',
        ours: perMega('syscalls'),
        fitted: true,
      },
      {
        what: 'page faults per 1e6 user instructions',
        way: 'native',
        real: 8.8,
        source: 'perf: Java 17, its start included',
        ours: perMega('guest_faults'),
        reason:
          'three quarters of the faults that were measured are first touches of the heap when the program starts; here it has long been running',
      },
    ],
  },
  {
    name: 'web-server',
    counts: [
      ...misses([4.99, 3.41, 2.2], `${CG}: 92 % PHP 8, 8 % nginx`),
      {
        what: 'share of the kernel in instructions, %',
        way: 'native',
        real: [20, 40],
        source: `${RECALLED}: scripts; static pages 75 to 80 of the time (Hu et al., IPCCC 1999)`,
        ours: kernelShare,
        fitted: true,
      },
      {
        what: 'L2 misses per 1000 instructions, kernel included',
        way: 'native',
        real: [0, 14],
        source: 'Bosque et al., MEDEA 2007: Apache, SPECweb2005, below 1.4 % (data)',
        ours: perKilo('data_l2_misses'),
      },
      {
        what: 'system calls per request',
        way: 'native',
        real: 12.2,
        source: 'strace: (137 of a PHP page + 24 x 7 of nginx) / 25',
        ours: perRequest('syscalls'),
        fitted: true,
      },
      {
        what: 'packets sent per request',
        way: 'native',
        real: 5,
        source: 'derived: 6400 bytes in packets of 1448',
        ours: perRequest('packets_sent'),
        fitted: true,
      },
      {
        what: 'exits per request',
        way: 'nested',
        real: 12,
        source: `${RECALLED}: 90,000 exits/s of Apache with an assigned card (Gordon et al., ASPLOS 2012)`,
        ours: perRequest('exits'),
        reason:
          'requests of ten packets and more on new connections, and a server that was saturated; here 5 packets go out with one notification',
      },
    ],
  },
  {
    name: 'oltp',
    counts: [
      ...misses([23.8, 9.05, 2.6, 0.73], `${CG}: PostgreSQL 15, pgbench, scale 10, one process`, {
        l3: 'a TLB miss in the buffers is a line from memory too, and TLB misses are fitted to MiscServer; pgbench at scale 10 has smaller tables',
      }),
      {
        what: 'walks per 1000 instructions',
        way: 'native',
        real: 2.94,
        source: `${BHARGAVA}, MiscServer`,
        ours: perKilo('walks'),
        fitted: true,
      },
      {
        what: 'lines from memory per 1000 instructions',
        way: 'native',
        real: [5, 10],
        source: `${RECALLED}: TPC-C, caches of 1 to 4 MiB`,
        ours: perKilo('data_dram'),
        reason: '128 MiB of buffers, not gigabytes; PostgreSQL on as many has 0.7',
      },
      {
        what: 'cycles per instruction',
        way: 'native',
        real: [2, 3],
        source: `${RECALLED}: TPC-C (Keeton et al., ISCA 1998, Pentium Pro)`,
        ours: cpi,
      },
      {
        what: 'share of the kernel in instructions, %',
        way: 'native',
        real: [15, 25],
        source: `${RECALLED}: TPC-C`,
        ours: kernelShare,
        fitted: true,
      },
      {
        what: 'process switches per statement',
        way: 'native',
        real: 1.51,
        source: 'perf: PostgreSQL, 10.6 a transaction of seven',
        ours: perRequest('guest_process_switches'),
      },
      {
        what: 'system calls per statement',
        way: 'native',
        real: 4.3,
        source: 'strace: PostgreSQL, 30 a transaction of seven',
        ours: perRequest('syscalls'),
        fitted: true,
      },
    ],
  },
  {
    name: 'idle-desktop',
    counts: [
      {
        what: 'share of a core, %',
        way: 'nested',
        real: [1, 5],
        source: `${RECALLED}: Windows XP under KVM and ESX`,
        ours: busy,
      },
      {
        what: 'exits per second',
        way: 'nested',
        real: [300, 2000],
        source: `${RECALLED}: kvm_stat of an idle Windows guest`,
        ours: perSecond('exits'),
      },
    ],
  },
  {
    name: 'kernel-compile',
    window: 1200,
    counts: [
      ...(
        [
          ['L1I misses', [7.8, 13.4], 'l1i_line_misses'],
          ['L1D misses', [6.5, 6.8], 'l1d_line_misses'],
          ['L2 misses', 3.1, 'data_l2_misses'],
        ] as const
      ).map(
        ([what, real, name]): Count => ({
          what: `${what} per 1000 instructions`,
          way: 'native',
          real,
          source: `${CG}: cc1 of gcc 12, 11 files of Lua and 4 of a kernel module`,
          ours: perKilo(name),
          fitted: name !== 'data_l2_misses',
          reason: WITH_KERNEL,
        }),
      ),
      {
        what: 'page faults per 1e6 user instructions',
        way: 'native',
        real: [6.7, 15],
        source: 'perf: builds with gcc 12, 13 files of a hundred lines and 13 of a kernel module',
        ours: perMega('guest_faults'),
        reason: 'Linux 6.18, which counted them, maps 16 pages of a file with a fault, 2.6.33 one',
      },
      {
        what: 'page faults per 1e6 instructions, kernel included',
        way: 'native',
        real: [12.6, 14.5],
        source:
          'manual page of perf stat (2009): make -j, 235,724 faults in 18.69e9 instructions; Linux 4.13 (perf.mvermeulen.com): 31.5e6 in about 3.0e12, times 1.38 for a kernel that maps one page a fault (Linux 8c6e50b0290c)',
        ours: faultsPerMega,
        reason: 'the window holds few files, in whole or in part; over 16 files it is 17.6',
      },
      {
        what: 'forks per 1e6 user instructions',
        way: 'native',
        real: [0.0067, 0.0215],
        source: 'perf: the same, and 33 files of Lua',
        ours: perMega('forks'),
      },
      {
        what: 'system calls per 1e6 user instructions',
        way: 'native',
        real: [3.6, 6.3],
        source: 'perf: Lua, kernel module',
        ours: perMega('syscalls'),
        reason: 'reads of 4 KiB are system calls here; gcc 12 reads files whole',
      },
      {
        what: 'share of the kernel in time, %',
        way: 'native',
        real: [8, 13],
        source:
          'kernbench on linux-kernel and linux-mm: 8.0 (2.6.7), 12.7 (2.6.16), 9.7 (2.6.32); 4.5 with Linux 4.13 (perf.mvermeulen.com)',
        ours: kernelTime,
        reason:
          'not known; of these machines one had eight processors, where locks and caches count, of the others nothing is known here',
      },
      {
        what: 'share of the kernel in time, one or two processors, %',
        way: 'native',
        real: [4.3, 7.7],
        source:
          'make bzImage on linux-kernel: Athlon, 2.4.7 and 2.4.8 (2001) 4.3 and 7.0; two Pentium III, 2.6.16 (2006) 7.7; Linux 4.13 on a Ryzen 4.5 (perf.mvermeulen.com)',
        ours: kernelTime,
      },
      {
        what: 'cycles per instruction',
        way: 'native',
        real: [1, 1.4],
        source: `${RECALLED}: gcc on family 10h; 1.4 on a Ryzen (perf.mvermeulen.com)`,
        ours: cpi,
      },
    ],
  },
  {
    name: 'shell-script',
    counts: [
      {
        what: 'page faults per 1e6 user instructions',
        way: 'native',
        real: 378,
        source: 'perf: a script of 30 commands under Linux 6.18',
        ours: perMega('guest_faults'),
        reason: '2.6.33 maps one page of a file with a fault, not 16; 345 with kernel: linux-6.1',
      },
      ...(
        [
          ['copy-on-write breaks', 99.7, 'cow_breaks', true],
          ['forks', 5.12, 'forks', true],
          ['execs', 4.15, 'execs', true],
          ['system calls', 291, 'syscalls', true],
          ['process switches', 10.5, 'guest_process_switches', false],
        ] as const
      ).map(
        ([what, real, name, fitted]): Count => ({
          what: `${what} per 1e6 user instructions`,
          way: 'native',
          real,
          source: 'perf: the same script',
          ours: perMega(name),
          fitted,
        }),
      ),
    ],
  },
  ...(
    [
      ['fork', latFork, 39, [127, 149]],
      ['exec', latExec, 76, [483, 530]],
      ['shell (bash)', latShell, 240, [2159, 4000]],
    ] as const
  ).map(
    ([name, program, faults, time]): ProgramCase => ({
      name: `lmbench ${name}`,
      workload: { work: 40, ...program },
      counts: [
        {
          what: 'page faults',
          way: 'native',
          real: faults,
          source: 'tracepoints: lmbench 3 on Debian 12, Linux 6.18',
          ours: faultsEach,
          fitted: true,
          reason: '2.6.33 maps one page of a file with a fault, not 16',
        },
        {
          what: 'microseconds',
          way: 'native',
          real: time,
          source: `linux-mm, January 2009: Linux 2.6.28 ${time[0]}; ${LMBENCH[name]}`,
          ours: microseconds,
        },
      ],
    }),
  ),
  {
    name: 'terminal-server',
    counts: [
      {
        what: 'page faults per 1e6 user instructions',
        way: 'native',
        real: 69,
        source: 'perf: LibreOffice Writer',
        ours: perMega('guest_faults'),
        fitted: true,
      },
      {
        what: 'system calls per 1e6 user instructions',
        way: 'native',
        real: 2.4,
        source: 'strace: LibreOffice Writer',
        ours: perMega('syscalls'),
        reason: 'many small mappings instead of a few large ones, and small programs that start',
      },
    ],
  },
  ...(
    [
      ['gcc', [5.29, 5.91, 1.96], `${CG}: the whole run`],
      ['redis', [10.4, 4.6, 1.18], `${CG}: a longer run`],
      ['sqlite', [6.32, 2.02, 1.1], `${CG}: the same run`],
    ] as const
  ).map(([name, [l1i, l1d, l2], source]) => ({
    name: `trace ${name}`,
    trace: `${name}.pt.gz`,
    counts: misses([l1i, l1d, l2], source, TRACE_REASONS[name]),
  })),
];

const MEMORY = '768MiB';

/** Milliseconds of the window; the warm-up comes before it. */
export interface Length {
  readonly warmup: number;
  readonly window: number;
}

/** Runs a program in one way. */
export function measure(which: ProgramCase, way: Way, length: Length): Promise<RunResult> {
  const { trace, workload: program } = which;
  const window = which.window ?? length.window;
  const workload =
    program ??
    (trace
      ? { kind: 'trace', file: trace, loop: true, overlap: 0.4 }
      : way === 'user'
        ? userPart(which.name)
        : { kind: which.name });
  return run(
    {
      ...(program
        ? { duration: 'work' }
        : { warmup: `${length.warmup}ms`, duration: `${length.warmup + window}ms` }),
      host: { memory: '2GiB' },
      hypervisor: {
        mmu: { kind: way === 'nested' ? 'nested' : 'native' },
      },
      vms: [{ name: 'vm', memory: MEMORY, workload }],
      output: { timeseries: '0ms' },
      checks: { translations: false },
    },
    { openTrace: openShippedTrace },
  );
}

/** What a preset does in user mode: its visits in one process, and no kernel. */
function userPart(name: string): Overrides {
  const file = new URL(`../../../configs/workloads/${name}.yaml`, import.meta.url);
  const { regions, visit, phases, cpi, overlap } = parse(readFileSync(file, 'utf8'));
  const given = { regions, visit, phases, cpi, overlap };
  const present = Object.entries(given).filter(([, value]) => value !== undefined);
  return { kind: 'synthetic', hz: 0, ...Object.fromEntries(present) };
}

export type Verdict = 'within 30 %' | 'differs';

/** Whether a count lies within 30 % of the real one, or of its range. */
export function verdictOf({ real }: Count, ours: number): Verdict {
  const [low, high] = typeof real === 'number' ? [real, real] : real;
  return ours >= 0.7 * low && ours <= 1.3 * high ? 'within 30 %' : 'differs';
}
