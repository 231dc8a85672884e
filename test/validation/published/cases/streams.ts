import type { RunResult } from '../../../../src/stats/result.ts';
import { metric, type Overrides } from '../../../support/scenarios.ts';
import type { Case, Tolerance } from '../case.ts';
import { transactions } from './fault-tolerance.ts';

/** VMs that are protected, and the world outside: netperf, ping and a database (Scales et al. 2010). */

const GIGABIT = { bandwidth: '1Gb/s', latency: '75us' } as const;
const TEN_GIGABIT = { bandwidth: '10Gb/s', latency: '45us' } as const;

interface Pair {
  readonly workload: Overrides;
  readonly link: Overrides;
  readonly host?: Overrides;
  /** Undefined: not protected. */
  readonly protection?: Overrides | undefined;
  readonly duration: string;
}

/** As in V40, with a wire to the clients. */
function scenario({ workload, link, host, protection, duration }: Pair): Overrides {
  const faultTolerance = { kind: 'record-replay', secondary: 'b', link: 'log', ...protection };
  const machine = {
    processor: 'opteron-1354',
    memory: '2GiB',
    cpu: { clock: '2.8GHz' },
    network: { bandwidth: '1Gb/s' },
    ...host,
  };
  return {
    duration,
    warmup: '20ms',
    host: undefined,
    hosts: { a: machine, b: machine },
    links: [{ name: 'log', between: ['a', 'b'], ...link }],
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

/** Mbit/s of the log in the measured window. */
function logRate({ faultTolerance = [], mhz, windowCycles }: RunResult): number {
  const end = faultTolerance.at(-1)!.cycle;
  const rows = faultTolerance.filter(({ cycle, cycles }) => cycle - cycles >= end - windowCycles);
  const bytes = rows.reduce((sum, row) => sum + row.logBytes, 0);
  const time = rows.reduce((sum, row) => sum + row.cycles, 0);
  return (8 * bytes * mhz) / time;
}

const MESSAGE = 16_384;
/** Mbit/s that the program has received or sent. */
const throughput = (result: RunResult): number =>
  (8 * MESSAGE * metric(result, 'work', 'vm-0') * result.mhz) / result.windowCycles;

const stream = (direction: 'receive' | 'send'): Overrides => ({
  kind: 'net-stream',
  direction,
  connections: 1,
  message: `${MESSAGE}B`,
  window: '256KiB',
  hz: 250,
});

const within = (by: number): Tolerance => ({ kind: 'relative', by });
const range = (low: number, high: number): Tolerance => ({ kind: 'range', low, high });

export const protectedStreams: Case = {
  id: 'V42',
  title: 'A protected VM that receives or sends as fast as it can',
  scenario:
    'One stream over TCP to or from a VM on a gigabit wire, unprotected and protected over a log link of 1 Gbit/s (150 us round trip) and of 10 Gbit/s (90 us); 100 ms each.',
  assumed: [
    'the Opteron 1354 at the clock of the Xeons that were measured',
    'one connection, a window of 256 KiB and messages of 16 KiB (the source does not say what netperf was told; the white paper of 2009 says so much that packets did not have to wait for acknowledgements)',
    'log entries, buffers and TCP window of the log as the profile has them',
  ],
  revised:
    'a sender waited at first until all of a window was acknowledged, which TCP does not do (sent: 839 and 860, and no more than 881 without protection, of which the source has 940)',
  seeds: 2,
  figures: [
    {
      key: 'receive',
      row: 'ft-receive-1g',
      column: 'value_a',
      what: 'received without protection, Mbit/s',
      neutral: 0,
      tolerance: within(0.03),
    },
    {
      key: 'receive 1G',
      row: 'ft-receive-1g',
      column: 'value_b',
      what: 'received with a log link of 1 Gbit/s, Mbit/s',
      neutral: 940,
      tolerance: range(560, 680),
      reason:
        'the log takes all that the link bears, less headers, and so the VM gets what the white paper of the product has for another build: 890 received, 950 logged. What held this one at three quarters of the link is not said; with an interrupt for each packet, tried in the place of one for four, it gets 625, and as little with the faster link',
    },
    {
      key: 'receive 1G log',
      row: 'ft-receive-log-1g',
      column: 'ratio_b_over_a',
      what: 'logged / received, link of 1 Gbit/s',
      neutral: 1,
      tolerance: range(1.05, 1.25),
    },
    {
      key: 'receive 10G',
      row: 'ft-receive-10g',
      column: 'value_b',
      what: 'received with a log link of 10 Gbit/s, Mbit/s',
      neutral: 940,
      tolerance: within(0.08),
      reason:
        'the window covers the time for which acknowledgements are held, six sevenths of a core serve the rest, and the second copy is never more than 0.3 ms behind. How many packets an interrupt announces decides: four, which is assumed, give 940, two 855, one 632; the source only says that they were grouped. It is not the e1000, which gets 566 here without protection, of which the source has 940',
    },
    {
      key: 'receive 10G log',
      row: 'ft-receive-log-10g',
      column: 'value_b',
      what: 'log of what is received, link of 10 Gbit/s, Mbit/s',
      neutral: 0,
      tolerance: within(0.08),
    },
    {
      key: 'send 1G',
      row: 'ft-send-1g',
      column: 'value_b',
      what: 'sent with a log link of 1 Gbit/s, Mbit/s',
      neutral: 940,
      tolerance: within(0.08),
      unclaimed: true,
      reason:
        'the window of 256 KiB, assumed before the first run, covers the time for which packets are held, so that the wire stays full; half a core is idle. The source does not name its window. Not claimed any more since that run',
    },
    {
      key: 'send 1G log',
      row: 'ft-send-log-1g',
      column: 'value_b',
      what: 'log of what is sent, link of 1 Gbit/s, Mbit/s',
      neutral: 0,
      tolerance: { kind: 'factor', by: 2 },
    },
    {
      key: 'send 10G',
      row: 'ft-send-10g',
      column: 'value_b',
      what: 'sent with a log link of 10 Gbit/s, Mbit/s',
      neutral: 940,
      tolerance: within(0.08),
    },
    {
      key: 'send 10G log',
      row: 'ft-send-log-10g',
      column: 'value_b',
      what: 'log of what is sent, link of 10 Gbit/s, Mbit/s',
      neutral: 0,
      tolerance: { kind: 'factor', by: 2 },
    },
  ],
  async measure(arms) {
    const out: Record<string, number> = {};
    const base = { duration: '120ms', link: GIGABIT };
    const alone = await arms.run('receive', scenario({ ...base, workload: stream('receive') }));
    out['receive'] = throughput(alone);
    for (const direction of ['receive', 'send'] as const) {
      for (const [name, link] of [
        ['1G', GIGABIT],
        ['10G', TEN_GIGABIT],
      ] as const) {
        const arm = `${direction} ${name}`;
        const pair = { ...base, link, workload: stream(direction), protection: {} };
        const result = await arms.run(arm, scenario(pair));
        out[arm] = throughput(result);
        out[`${arm} log`] = logRate(result);
      }
    }
    out['receive 1G log'] = out['receive 1G log']! / out['receive 1G']!;
    return out;
  },
};

export const protectedReads: Case = {
  id: 'V43',
  title: 'A protected database whose second copy reads the disk itself',
  scenario:
    'The program of V40, kept busy by nine sessions, over a log link of 10 Gbit/s; its transactions write, and other threads of the database read 8 KiB at a time; 500 ms. The disk is shared by both hosts.',
  assumed: [
    'the Opteron 1354 at the clock of the Xeons that were measured',
    '0.15 reads in a million instructions, which are about the 9 Mbit/s by which the two published logs differ: the disk reads of the program are an input, and the ratio tests the rest of the log',
    'the disk serves a request in 1 ms (0.2-4 ms) and moves 200 MB/s',
  ],
  revised:
    'requests were single statements for some days, in the place of the transactions that Swingbench calls (log 13.5, 0.89 of the other); 0.07 reads in a million instructions were 9 Mbit/s of the program as it was first',
  seeds: 2,
  figures: [
    {
      key: 'log',
      row: 'ft-backup-reads',
      column: 'value_b',
      what: 'log when the second copy reads itself, Mbit/s',
      reason:
        '1,200 transactions in a second: their requests are 2.5 Mbit/s of it, acknowledgements of the answers, which TCP would send with the next request, 1.2, their writes, ticks and markers of outputs the rest. How many the guest of the source made is not published; half as many would give its 3',
      neutral: 0,
      tolerance: within(0.3),
    },
    {
      key: 'reads',
      row: 'ft-backup-reads',
      column: 'ratio_b_over_a',
      what: 'log, second copy reads itself / primary ships',
      reason: 'as the row before: the reads are an input, and the rest of the log is too large',
      neutral: 1,
      tolerance: within(0.3),
    },
    {
      key: 'reads speed',
      row: 'ft-backup-reads-speed',
      column: 'ratio_b_over_a',
      what: 'throughput, second copy reads itself / primary ships',
      neutral: 1,
      tolerance: range(0.94, 0.99),
      unclaimed: true,
      reason:
        'decided by the disk, of which the source says nothing: one that serves a request in 1 ms is busy for most of the time with the reads of both copies; with five such spindles and a write cache it is 1.000. Reads that wait for earlier writes of the primary to the same place are not modelled',
    },
  ],
  async measure(arms) {
    const workload = {
      kind: 'oltp',
      hz: 250,
      per1M: { blockingIo: 0.15 },
      requests: transactions,
    };
    const host = { disk: { bandwidth: '200MB/s', serviceTime: '1ms' } };
    const base = { workload, host, link: TEN_GIGABIT, duration: '520ms' };
    const shared = await arms.run('primary reads', scenario({ ...base, protection: {} }));
    const backup = await arms.run(
      'second copy reads',
      scenario({ ...base, protection: { disk: 'backup-reads' } }),
    );
    const speed = (result: RunResult) => metric(result, 'user_instructions', 'vm-0');
    return {
      log: logRate(backup),
      reads: logRate(backup) / logRate(shared),
      'reads speed': speed(backup) / speed(shared),
    };
  },
};

export const protectedPing: Case = {
  id: 'V44',
  title: 'What protection adds to a ping',
  scenario:
    'A VM that answers 500 messages of 64 bytes a second with as much, unprotected and protected over a log link of 1 Gbit/s with a round trip of 150 us; 400 ms.',
  assumed: [
    'the Opteron 1354 at the clock of the Xeons that were measured',
    'the figure is that of an empty link: the answer waits for a round trip of the log, and for less than 200 us more',
  ],
  seeds: 2,
  figures: [
    {
      key: 'added',
      row: 'ft-ping',
      column: 'value_a',
      what: 'added to the mean latency, us (published: round trip between the hosts)',
      neutral: 0,
      tolerance: range(150, 350),
    },
  ],
  async measure(arms) {
    const workload = {
      kind: 'synthetic',
      hz: 250,
      regions: [
        { name: 'text', kind: 'code', size: '64KiB', share: 1 },
        { name: 'data', kind: 'anon', size: '64KiB', share: 1 },
      ],
      requests: {
        arrivals: { kind: 'open', rate: '500/s' },
        instructions: 1000,
        requestBytes: 64,
        responseBytes: 64,
      },
    };
    const base = { workload, link: GIGABIT, duration: '420ms' };
    const plain = await arms.run('ping', scenario(base));
    const guarded = await arms.run('ping, protected', scenario({ ...base, protection: {} }));
    const latency = (result: RunResult) => metric(result, 'latency_mean_ns', 'vm-0') / 1000;
    return { added: latency(guarded) - latency(plain) };
  },
};
