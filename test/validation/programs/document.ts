import { type Count, programs, type Verdict, verdictOf } from './programs.ts';

/** A count, and what the simulator has for it. */
export interface Measured {
  readonly program: string;
  readonly count: Count;
  readonly ours: number;
}

const number = (value: number): string =>
  value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);

const real = ({ real: value }: Count): string =>
  typeof value === 'number' ? number(value) : `${value[0]} to ${value[1]}`;

const WAYS = { user: 'user mode', native: 'bare machine', nested: 'VM' } as const;

/** Writes docs/programs.md. */
export function document(measured: readonly Measured[]): string {
  const verdicts = measured.map(({ count, ours }): Verdict => verdictOf(count, ours));
  const within = verdicts.filter((verdict) => verdict === 'within 30 %').length;
  // A range wider than a factor of two can hardly be missed.
  const wide = ({ real: value }: Count) => typeof value !== 'number' && value[1] > 2 * value[0];
  const free = measured.filter(({ count }) => !count.fitted && !wide(count));
  const freeWithin = free.filter(({ count, ours }) => verdictOf(count, ours) === 'within 30 %');
  const sections = programs.map(({ name }) => {
    const rows = measured
      .filter(({ program }) => program === name)
      .map(({ count, ours }) => {
        const verdict = verdictOf(count, ours);
        const note = verdict === 'differs' ? (count.reason ?? '') : count.fitted ? 'fitted' : '';
        const cells = [count.what, WAYS[count.way], real(count), number(ours), verdict, note];
        return `| ${[...cells, count.source].join(' | ')} |`;
      });
    const head = '| count | where | real | ours | | note | source |\n|---|---|---|---|---|---|---|';
    return `## ${name}\n\n${head}\n${rows.join('\n')}`;
  });
  const tally = `Of ${measured.length} counts, ${within} lie within 30 %; of the ${free.length} that no preset was fitted to and whose range is no wider than a factor of two, ${freeWithin.length} do.`;
  return [HEAD, tally, LINES, ...sections].join('\n\n').concat('\n');
}

const HEAD = `# Programs

What the workload presets do, against what real programs do. \`npm run validate\` runs each preset on one core of an Opteron 1354 and writes this
page. *User mode* is one process of the program without a kernel, which is what valgrind sees; *bare machine* includes the kernel;
*VM* is KVM 2.6.33 with nested paging. *Fitted*: the preset was made to have this count, or it is an input. Nothing is
fitted to what virtualization costs. *Recalled*: from general knowledge of the literature, not read for this table.

*cachegrind* is \`valgrind --tool=cachegrind --I1=65536,2,64 --D1=65536,2,64\` with \`--LL=524288,16,64\` for the L2 and \`--LL=2621440,20,64\` for all caches together. Its
L2 holds what the L1s hold; that of an Opteron holds what they do not, and so has a quarter more. Whole runs, on Debian 12: PHP 8.2 makes a page of 20 KB from 30 included files and ten rows of SQLite, 100 times;
nginx 1.22 serves 120 files of 0.4 to 16 KB over connections that stay open; PostgreSQL 15 (\`--single\`, 128 MB of buffers) runs 3000 transactions of pgbench at scale 10; redis 7.0 serves
redis-benchmark; Java 17 runs \`test/bench/Warehouse.java\`. System calls were counted by strace, with four clients for PostgreSQL.`;

const LINES = `## Lines of a page

A run is a stretch of references to one page, of fetches or of data. \`test/bench/lines.c\` counts, in the log of valgrind's lackey, runs, the lines that
each touches, and in windows of a million instructions how often each line of a page is used; then it fits Zipf's law by entropy and the share of the first line.

| program | code: runs per 1000 instructions | lines a run | share of the most used lines | exponent, lines | data: runs | lines a run | share | exponent, lines |
|---|---|---|---|---|---|---|---|---|
| cc1 (gcc 12), 40e6 instructions | 45 | 2.29 | 26, 20, 14, 11 % | 0.78, 12 | 156 | 1.22 | 36, 16, 10, 6 % | 1.29, 31 |
| sqlite3, 14e6 | 100 | 1.82 | 27, 19, 14, 8 % | 0.87, 13 | 266 | 1.18 | 38, 19, 12, 7 % | 1.25, 18 |
| nginx, 8e6 | 41 | 2.76 | 23, 17, 11, 8 % | 0.82, 19 | 188 | 1.23 | 27, 13, 8, 7 % | 1.06, 30 |
| xz, 30e6 | 18 | 3.28 | 25, 16, 11, 8 % | 0.91, 19 | 174 | 1.29 | 37, 19, 11, 9 % | 1.23, 18 |
| Java 17, 12e6 | 60 | 2.65 | 19, 15, 12, 10 % | 0.69, 16 | 358 | 1.12 | 25, 12, 8, 6 % | 1.03, 37 |

The presets take 50 visits to code and 200 to data in 1000 instructions, 2.4 and 1.2 lines a visit, exponents 0.8 over 16 lines and 1.1 over 30. A region whose pages
are rarely touched twice (buffers, old objects) has exponent 0: the law of a page in constant use says nothing about it.`;
