import type { RunResult } from '../../../../src/stats/result.ts';
import { metric, type Overrides } from '../../../support/scenarios.ts';
import type { Case } from '../case.ts';

/**
 * VMware Fault Tolerance as vSphere 4 shipped it: its authors' measurements (Scales et al. 2010) and the
 * white paper's traffic of idle guests. Whether the unprotected VMs used EPT is not said, so both arms here
 * have shadow paging; what leaving nested paging costs is reported apart.
 */
const host: Overrides = {
  processor: 'opteron-1354',
  pcpus: 2,
  memory: '2GiB',
  cpu: { clock: '2.8GHz' },
};

interface Pair {
  readonly workload: Overrides;
  /** Of the protection; undefined: not protected. */
  readonly protection?: Overrides | undefined;
  readonly duration?: string;
}

function scenario({ workload, protection, duration = '220ms' }: Pair): Overrides {
  const faultTolerance = { kind: 'record-replay', secondary: 'b', link: 'log', ...protection };
  return {
    duration,
    warmup: '20ms',
    host: undefined,
    hosts: { a: host, b: host },
    links: [{ name: 'log', between: ['a', 'b'], bandwidth: '10Gb/s', latency: '45us' }],
    hypervisor: { profile: 'esx-4' },
    vms: [
      {
        name: 'vm',
        host: 'a',
        memory: '512MiB',
        workload,
        ...(protection ? { faultTolerance } : { mmu: { kind: 'shadow', profile: 'vmware-trace' } }),
      },
    ],
  };
}

/** Mbit/s of the log over the whole run. */
function logRate({ faultTolerance = [], mhz }: RunResult): number {
  const bytes = faultTolerance.reduce((sum, row) => sum + row.logBytes, 0);
  return (8 * bytes * mhz) / faultTolerance.at(-1)!.cycle;
}

const speed = (result: RunResult): number => metric(result, 'user_instructions', 'vm-0');

/**
 * Nine sessions of Swingbench that ask again at once. A transaction of its Order Entry is one call
 * of a stored procedure (its class BrowseAndUpdateOrders and others): one message each way for what
 * the preset measured for the seven statements of a transaction.
 */
export const transactions: Overrides = {
  arrivals: { kind: 'closed', clients: 9, think: '2ms' },
  instructions: 735_000,
  syscalls: { simple: 14 },
  ioProbability: 0.63,
};
const database: Overrides = { kind: 'oltp', hz: 250, requests: transactions };

export const recordAndReplay: Case = {
  id: 'V40',
  revised:
    'what a database waits for counted as read at first, and is the write of its log, which is held (database 0.993; its log with reads by the second copy 0.12 of that without, which is V43 now); the guest with Java had 250 ticks a second (log 0.44), before the page of the white paper was found that names it; a request of the database was a single statement for some days (0.969)',
  title: 'What record and replay costs a Java server and a database',
  scenario:
    'Two hosts at 2.8 GHz with a 10 Gbit/s link of 90 us round trip, shadow paging with traces in both arms; 200 ms of a Java server with 1000 ticks a second, and of a database with 250 that nine sessions keep busy.',
  assumed: [
    'the Opteron 1354 at the clock of the Xeons that were measured',
    'the presets java-server and oltp in the place of SPECjbb2005 and Swingbench',
    'the guest with Java is that of the white paper of 2009 by the same company: RHEL 5 of 64 bits (its figure 4), which ticks 1000 times a second (its section 2.9)',
    'a request of the database is a transaction, as clients of Swingbench call one procedure for each',
    'what transactions of oltp wait for is the write of their log, which is held',
  ],
  seeds: 2,
  figures: [
    {
      key: 'java',
      row: 'ft-specjbb',
      column: 'ratio_b_over_a',
      what: 'throughput of a Java server, protected / not',
      neutral: 1.001,
      tolerance: { kind: 'range', low: 0.96, high: 1 },
    },
    {
      key: 'java log',
      row: 'ft-specjbb-log',
      column: 'value_a',
      what: 'log of a Java server, Mbit/s',
      neutral: 0,
      tolerance: { kind: 'relative', by: 0.3 },
    },
    {
      key: 'database',
      row: 'ft-swingbench',
      column: 'ratio_b_over_a',
      what: 'throughput of a database, protected / not',
      reason:
        'the sessions wait for the write of the log and for the answer, both of which are held; how many transactions the guest of the source made is not published',
      neutral: 1.001,
      tolerance: { kind: 'range', low: 0.97, high: 1 },
    },
  ],
  async measure(arms) {
    const java = { kind: 'java-server', hz: 1000 };
    const plainJava = await arms.run('java', scenario({ workload: java }));
    const javaFt = await arms.run('java protected', scenario({ workload: java, protection: {} }));
    const plain = await arms.run('database', scenario({ workload: database }));
    const shared = await arms.run(
      'database protected',
      scenario({ workload: database, protection: {} }),
    );
    return {
      java: speed(javaFt) / speed(plainJava),
      'java log': logRate(javaFt),
      database: speed(shared) / speed(plain),
    };
  },
};

const IDLE = [
  [1000, 1.43],
  [250, 0.68],
  [82, 0.15],
] as const;

export const idleLog: Case = {
  id: 'V41',
  title: 'The log of guests that do nothing but tick',
  scenario:
    'An idle guest with 1000, 250 and 82 ticks a second, protected over a 10 Gbit/s link, one second each.',
  assumed: [
    'a tick takes 220 bytes with its framing and the two clock reads of its handler: between the 180, 340 and 230 that the three figures give; it was set from them, so these are no predictions',
  ],
  revised: 'the clock reads came on top of the 220 bytes at first (2.13, 0.53 and 0.17 Mbit/s)',
  seeds: 1,
  figures: IDLE.map(([hz, published]) => ({
    key: `${hz}`,
    row: `ft-idle-${hz}`,
    column: 'value_a',
    what: `log of an idle guest with ${hz} ticks a second, Mbit/s (published ${published})`,
    input: 'the bytes of a tick were set from the three figures',
    neutral: 0,
    tolerance: { kind: 'relative', by: 0.4 },
  })),
  async measure(arms) {
    const rates: Record<string, number> = {};
    for (const [hz] of IDLE) {
      const workload = {
        kind: 'idle-desktop',
        hz,
        requests: { arrivals: { kind: 'open', rate: '0.01/s' } },
      };
      const result = await arms.run(
        `idle ${hz}`,
        scenario({ workload, protection: {}, duration: '1020ms' }),
      );
      rates[hz] = logRate(result);
    }
    return rates;
  },
};
