import { describe, expect, it, vi } from 'vitest';
import { stream } from '../../src/base/random.ts';
import { Edges } from '../../src/hypervisor/edges.ts';
import { DIRECT_MAP } from '../../src/hypervisor/guest-port.ts';
import { shadowProfiles } from '../../src/hypervisor/mmu/shadow-profiles.ts';
import { Request } from '../../src/hypervisor/vcpu-requests.ts';
import type { Core } from '../../src/machine/core.ts';
import { ITEM_OP, ITEM_PAGE, Visit } from '../../src/machine/items.ts';
import type { Simulation } from '../../src/scenario/build.ts';
import { countersBetween, takeSnapshot } from '../../src/scenario/snapshot.ts';
import { checkTranslations } from '../../src/scenario/translations.ts';
import { ExitReason } from '../../src/stats/leaves.ts';
import {
  BUSY_WORKLOADS,
  modeName,
  type Overrides,
  runs,
  simulate,
  VIRTUALIZED_MODES,
} from '../support/scenarios.ts';

/**
 * The dirty log against what visits say: each store that a guest executes is noted here as it passes through the
 * machine, and its page translated by the guest's own tables. No paging mode is asked.
 */

type Note = (core: Core, page: number) => void;
/** `begin` is called when visits begin, and gives what to call with each store. */
const stores = vi.hoisted(() => ({ begin: (): Note => () => {} }));

vi.mock('../../src/machine/run.ts', async (original) => {
  const real = await original<typeof import('../../src/machine/run.ts')>();
  const noted =
    (execute: typeof real.runBlock): typeof real.runBlock =>
    (core, limit) => {
      const begin = core.item;
      const note = stores.begin();
      const stop = execute(core, limit);
      for (let item = begin; item < core.item; item++) {
        if ((ITEM_OP[item]! & 255) === Visit.Store) note(core, ITEM_PAGE[item]!);
      }
      return stop;
    };
  return {
    ...real,
    runBlock: noted(real.runBlock),
    runToEdge: noted(real.runToEdge),
    visitKernel: (...[core, vpn, op, ...rest]: Parameters<typeof real.visitKernel>) => {
      const note = stores.begin();
      const done = real.visitKernel(core, vpn, op, ...rest);
      if ((op & 255) === Visit.Store) note(core, vpn);
      return done;
    },
  };
});

const ROUNDS = 12;
const LONGEST = 500_000;

const scenario = (mmu: Overrides, workload: Overrides, backing: string): Overrides => ({
  hypervisor: { mmu, backing },
  vms: [{ name: 'vm', memory: '32MiB', workload }],
});

/** The guest's frames that hold tables, with a digest of what is in each. */
function tablesOf({ members, tables }: Simulation): Map<number, string> {
  const { nodeOfFrame } = members[0]!.vm;
  const held = new Map<number, string>();
  for (const [gfn, node] of nodeOfFrame.entries()) {
    if (node !== 0) held.set(gfn, tables.entries.subarray(node << 9, (node + 1) << 9).join());
  }
  return held;
}

interface Round {
  readonly log: readonly number[];
  /** Stored to after the log was started or taken: before the vCPU had forgotten its translations, and from then on. */
  readonly early: ReadonlySet<number>;
  readonly stored: ReadonlySet<number>;
  /** Frames that held tables at its beginning or end, and those whose tables are not what they were. */
  readonly tables: ReadonlySet<number>;
  readonly changed: readonly number[];
  readonly logged: number;
  readonly otherFaults: number;
}

/** Lets a guest run and takes the log again and again. */
function roundsOf(simulation: Simulation, random: () => number): Round[] {
  const { engine, hosts, members } = simulation;
  const { hypervisor } = hosts[0]!;
  const { vm, vcpu, kernel } = members[0]!;
  const mmu = hypervisor.mmuOf[0]!;
  let early = new Set<number>();
  let stored = new Set<number>();
  let noting = stored;
  stores.begin = () => {
    const into = noting;
    return (core, page) => {
      expect(core.vm).toBe(0);
      into.add(page >= DIRECT_MAP ? page - DIRECT_MAP : kernel.translate(page).frame);
    };
  };
  const out = new Int32Array(vm.memoryPages);
  const begin = () => {
    early = new Set();
    stored = new Set();
    noting = early;
    const after = stored;
    hypervisor.requests.ask(vcpu, Request.FlushTags, () => {
      if (after === stored) noting = stored;
    });
    expect(mmu.logCycles).toBeGreaterThan(0);
  };
  // A fork under shadow paging is one step of the guest, and a long one.
  engine.run(8 * LONGEST);
  mmu.startLog!();
  begin();
  return Array.from({ length: ROUNDS }, () => {
    const before = tablesOf(simulation);
    const faults = vcpu.exitCounts[ExitReason.DirtyLog]!;
    const others = vm.counters.nested_faults;
    engine.run(engine.now + Math.ceil(random() * LONGEST));
    checkTranslations(simulation);
    const after = tablesOf(simulation);
    const round = {
      log: [...out.subarray(0, mmu.takeLog!(out))],
      ...{ early, stored },
      tables: new Set([...before.keys(), ...after.keys()]),
      changed: [...after].flatMap(([gfn, text]) => (before.get(gfn) === text ? [] : [gfn])),
      logged: vcpu.exitCounts[ExitReason.DirtyLog]! - faults,
      otherFaults: vm.counters.nested_faults - others,
    };
    begin();
    return round;
  });
}

function check(rounds: readonly Round[], mmu: Overrides): void {
  let last = new Set<number>();
  for (const { log, early, stored, tables, changed, logged, otherFaults } of rounds) {
    const noted = new Set(log);
    expect(log).toEqual([...noted].sort((a, b) => a - b));
    expect([...stored].filter((gfn) => !noted.has(gfn))).toEqual([]);
    // Until it has forgotten what it may store through, it is at frames that were taken just now, or all of them.
    if (last.size > 0) expect([...early].filter((g) => !noted.has(g) && !last.has(g))).toEqual([]);
    else last = new Set(early);
    expect(changed.filter((gfn) => !noted.has(gfn) && !last.has(gfn))).toEqual([]);
    const without = log.filter((gfn) => !stored.has(gfn) && !early.has(gfn));
    expect(without.filter((gfn) => !tables.has(gfn))).toEqual([]);
    if (mmu['kind'] === 'nested') {
      expect(logged).toBeLessThanOrEqual(log.length);
      expect(logged + otherFaults).toBeGreaterThanOrEqual(log.length);
      if (otherFaults === 0) expect(logged).toBe(log.length);
    }
    last = noted;
  }
}

const dropsShadows = ({ kind, profile = 'kvm-2.6.33' }: Overrides): boolean =>
  kind === 'shadow' && shadowProfiles[profile as keyof typeof shadowProfiles].dropsAtLog;

const WORKLOADS = ['compile', 'server', 'large', 'forks'] as const;

describe.each(VIRTUALIZED_MODES.map((mmu) => [modeName(mmu), mmu] as const))('%s', (name, mmu) => {
  it.each(WORKLOADS)('notes what a guest stores to, and nothing else: %s', (workload) => {
    for (let n = 0; n < runs(1); n++) {
      const random = stream(`${n}`, `${name} ${workload}`);
      const { work: _, ...endless } = BUSY_WORKLOADS[workload]!;
      for (const backing of ['up-front', 'on-touch']) {
        const rounds = simulate(scenario(mmu, endless, backing), (simulation) =>
          roundsOf(simulation, random),
        );
        check(rounds, mmu);
        const pages = rounds.reduce((sum, { log }) => sum + log.length, 0);
        expect(pages).toBeGreaterThan(ROUNDS * 2);
        // Where all shadows are dropped, a store fails for want of one.
        const logged = rounds.reduce((sum, round) => sum + round.logged, 0);
        if (!dropsShadows(mmu)) expect(logged).toBeGreaterThan(0);
      }
    }
  });
});

describe.each(VIRTUALIZED_MODES.map((mmu) => [modeName(mmu), mmu] as const))('%s', (_, mmu) => {
  const busy = { kind: 'tlb-thrash', pages: 30, stores: 0.5, instructions: 40, hz: 0 };

  it('notes what devices store to, and costs and counts nothing once it has ended', () => {
    simulate(scenario(mmu, busy, 'up-front'), (simulation) => {
      const { engine, hosts, members } = simulation;
      const { hypervisor } = hosts[0]!;
      const { vcpu, vm } = members[0]!;
      const log = hypervisor.mmuOf[0]!;
      const out = new Int32Array(vm.memoryPages);
      const edges = new Edges([hypervisor]);
      const snapshots = [1e6, 2e6, 3e6, 4e6, 5e6].map((time) => {
        edges.add(time, false);
        engine.run(time);
        const taken = takeSnapshot(simulation, edges, time);
        if (time === 2e6) log.startLog!();
        if (time === 3e6) {
          log.populate(5000);
          const gfns = [...out.subarray(0, log.takeLog!(out))];
          expect(gfns).toContain(5000);
          expect(log.takeLog!(out)).toBe(0);
          log.stopLog!();
        }
        hypervisor.requests.ask(vcpu, Request.FlushTags);
        return taken;
      });
      const counted = [0, 1, 2, 3].map((i) => countersBetween(snapshots[i]!, snapshots[i + 1]!, 0));
      expect(counted[0]).not.toHaveProperty('dirty_log_faults');
      expect(counted[1]!['dirty_log_faults']).toBeGreaterThanOrEqual(30);
      expect(vcpu.exitCounts[ExitReason.DirtyLog]).toBe(counted[1]!['dirty_log_faults']);
      expect(counted.slice(2).map((counts) => counts['dirty_log_faults'])).toEqual([0, 0]);
      checkTranslations(simulation);
    });
  });
});

describe('shadows after the log was taken', () => {
  it.each([
    ['xen-3.3', true],
    ['xen-3.1', true],
    ['write-protect', false],
    ['kvm-2.6.33', false],
    ['vmware-trace', false],
  ])('%s: built again: %s', (profile, again) => {
    const busy = { kind: 'tlb-thrash', pages: 3000, stores: 0.2, instructions: 40, hz: 0 };
    simulate(scenario({ kind: 'shadow', profile }, busy, 'up-front'), (simulation) => {
      const { engine, hosts, members } = simulation;
      const { hypervisor } = hosts[0]!;
      const { vcpu, vm } = members[0]!;
      const mmu = hypervisor.mmuOf[0]!;
      const forget = () => hypervisor.requests.ask(vcpu, Request.FlushTags);
      engine.run(1e6);
      mmu.startLog!();
      forget();
      engine.run(2e6);
      const built = vm.counters.shadow_pages_built;
      mmu.takeLog!(new Int32Array(vm.memoryPages));
      forget();
      engine.run(6e6);
      checkTranslations(simulation);
      // 3000 pages lie under six tables or more, and those under three upper ones.
      if (again) expect(vm.counters.shadow_pages_built - built).toBeGreaterThanOrEqual(8);
      else expect(vm.counters.shadow_pages_built).toBe(built);
    });
  });
});
