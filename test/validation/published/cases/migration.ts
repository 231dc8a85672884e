import type { MigrationRow, RunResult } from '../../../../src/stats/result.ts';
import { metric, type Overrides } from '../../../support/scenarios.ts';
import type { Case } from '../case.ts';
import { cascadeLake, DEARER_WALKS } from '../machines.ts';

/** VMs that move from one host to another while they run. */

interface Move {
  readonly host: Overrides;
  readonly hypervisor: Overrides;
  readonly vm: Overrides;
  /** Undefined: it stays. */
  readonly policy?: Overrides;
  readonly bandwidth?: string;
  readonly duration: string;
  readonly warmup?: string;
}

const moving = (move: Move): Overrides => ({
  duration: move.duration,
  warmup: move.warmup ?? '0us',
  host: undefined,
  hosts: { a: move.host, b: move.host },
  links: [
    { name: 'lan', between: ['a', 'b'], bandwidth: move.bandwidth ?? '1Gb/s', latency: '50us' },
  ],
  hypervisor: move.hypervisor,
  vms: [{ name: 'vm', host: 'a', ...move.vm }],
  ...(move.policy && {
    events: [
      { at: '20ms', kind: 'migrate', vm: 'vm-0', to: 'b', link: 'lan', policy: move.policy },
    ],
  }),
});

/** The row of the whole migration, which has to have ended well. */
function whole({ migrations = [] }: RunResult): MigrationRow {
  const row = migrations.find(({ round }) => round === undefined);
  if (row?.outcome !== 'moved') throw new Error(`the VM has not moved: ${row?.outcome}`);
  return row;
}

const milliseconds = (cycles: number, { mhz }: RunResult): number => cycles / (mhz * 1000);

export const webServerMoves: Case = {
  id: 'V45',
  title: 'How long a VM stands still when it moves',
  scenario:
    'By the rule of Xen with adaptive rate (Clark et al. 2005): a VM of 96 MiB with the preset web-server at 1000 requests a second moves over a gigabit link. By that of QEMU 0.12: a VM of 96 MiB that idles.',
  assumed: [
    'two Opteron 2218, of 2006, in the place of Xeons of 2004, and hardware-assisted guests with shadow paging in that of paravirtual ones',
    'the preset web-server at 1000 requests a second in the place of SPECweb99 with 350 connections',
    '96 MiB in the place of 800 MB: how much memory there is decides how long the migration takes, not how long the VM stands still',
    'a guest of Xen takes 88 ms to suspend: 84 to 92 ms were measured through xenstore with an idle guest (xen-devel, July 2008)',
    'a guest that idles for QEMU: the web server stores to 1,100 pages in a turn of 100 ms, of which QEMU sends 824, and so never ends its migration',
  ],
  revised:
    'with 800 MB, and then in runs that ended before the migration did, it had no figure for some days; without the time to suspend it was 30 ms by the rule of Xen',
  seeds: 1,
  figures: [
    {
      key: 'xen',
      row: 'migration-specweb',
      column: 'value_a',
      what: 'downtime by the rule of Xen, ms',
      neutral: 0,
      tolerance: { kind: 'range', low: 100, high: 400 },
      reason:
        'the last round sends 840 pages in 30 ms; what the devices of the guest take to connect again at the target is not modelled',
    },
    {
      key: 'qemu',
      row: 'migration-qemu',
      column: 'value_a',
      what: 'downtime by the rule of QEMU 0.12, ms (its goal is the published figure)',
      input: 'the goal of the rule is the published figure',
      neutral: 0,
      tolerance: { kind: 'range', low: 0, high: 60 },
    },
  ],
  async measure(arms) {
    const host = { processor: 'opteron-2218', memory: '2GiB' };
    const web = {
      kind: 'web-server',
      requests: { arrivals: { kind: 'open', rate: '1000/s' } },
    };
    const xen = await arms.run(
      'xen',
      moving({
        ...{ host, vm: { memory: '96MiB', workload: web } },
        hypervisor: { profile: 'xen-3.4', mmu: { kind: 'shadow' } },
        policy: { kind: 'xen-3', adaptive: true, suspend: '88ms' },
        duration: '9s',
      }),
    );
    const qemu = await arms.run(
      'qemu',
      moving({
        ...{ host, vm: { memory: '96MiB', workload: { kind: 'idle-desktop' } } },
        hypervisor: { profile: 'kvm-2.6.33', mmu: { kind: 'shadow' } },
        policy: { kind: 'qemu-0.12' },
        duration: '5s',
      }),
    );
    return {
      xen: milliseconds(whole(xen).downtimeCycles, xen),
      qemu: milliseconds(whole(qemu).downtimeCycles, qemu),
    };
  },
};

export const fasterLink: Case = {
  id: 'V46',
  title: 'What a link of ten times the speed gains',
  scenario:
    'A VM with 256 MiB in use, which writes little, moves over links of 1 and of 10 Gbit/s; the whole time of the migration.',
  assumed: [
    'the Opteron 2356 under ESX 4, and VMotion of ESXi 5, in the place of Hyper-V, which has no profile',
    '256 MiB in the place of 4 to 32 GB: everything takes its time by the page',
  ],
  seeds: 1,
  figures: [
    {
      key: 'shorter',
      row: 'migration-10g',
      column: 'value_b',
      what: 'time saved by the link of 10 Gbit/s, %',
      neutral: 0,
      tolerance: { kind: 'range', low: 60, high: 90 },
    },
  ],
  async measure(arms) {
    const base = {
      host: { processor: 'opteron-2356', memory: '2GiB' },
      hypervisor: { profile: 'esx-4' },
      vm: {
        memory: '300MiB',
        workload: { kind: 'tlb-thrash', pages: 65_536, stores: 0, instructions: 1000 },
      },
      policy: { kind: 'vmotion-5' },
      duration: '4s',
    };
    const slow = await arms.run('1G', moving(base));
    const fast = await arms.run('10G', moving({ ...base, bandwidth: '10Gb/s' }));
    return { shorter: 100 * (1 - whole(fast).cycles / whole(slow).cycles) };
  },
};

export const lostLargePages: Case = {
  id: 'V47',
  title: 'Large pages that a migration loses',
  scenario:
    'A guest with pages of 2 MiB reads 192 MiB at random under nested paging with pages of 2 MiB; after a migration Xen backs it with 4 KiB. Speed without and with.',
  assumed: [
    'the Xeon Gold 6252 of the other cases: the machine of the source is not named',
    'one access in 100 instructions, 64 bytes each; memory of 192 MiB',
    'a link of 100 Gbit/s, so that the migration is over soon',
  ],
  revised: `${DEARER_WALKS} (1.13)`,
  seeds: 2,
  figures: [
    {
      key: 'speed',
      row: 'migration-superpages',
      column: 'ratio_b_over_a',
      what: 'speed with pages of 2 MiB / with those of 4 KiB after a migration',
      neutral: 1,
      tolerance: { kind: 'effect', by: 0.67 },
    },
  ],
  async measure(arms) {
    const base = {
      host: { ...cascadeLake, memory: '2GiB' },
      hypervisor: {
        profile: 'xen-4.1',
        mmu: { kind: 'nested', pageSize: '2MiB' },
        backing: 'up-front',
      },
      vm: {
        memory: '256MiB',
        workload: {
          kind: 'tlb-thrash',
          pages: 96,
          pageSize: '2MiB',
          stores: 0,
          instructions: 100,
          pattern: { kind: 'uniform' },
          hz: 250,
        },
      },
      bandwidth: '100Gb/s',
      duration: '1100ms',
      warmup: '1000ms',
    };
    const stayed = await arms.run('stayed', moving(base));
    const moved = await arms.run('moved', moving({ ...base, policy: { kind: 'xen-3' } }));
    whole(moved);
    const speed = (result: RunResult) =>
      metric(result, 'user_instructions') / metric(result, 'running_cycles');
    return { speed: speed(stayed) / speed(moved) };
  },
};
