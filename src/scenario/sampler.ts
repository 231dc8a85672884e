import type { Ticks } from '../engine/timebase.ts';
import { hotCounters, K } from '../machine/counters.ts';
import { countHeld } from '../machine/inspect.ts';
import type { SampleRow } from '../stats/result.ts';
import type { Simulation } from './build.ts';
import type { Member } from './build-guest.ts';
import { hostColumn, isPlaced } from './hosts.ts';

/** Walks by cause: recorded where they are not zero. */
const causes = hotCounters.filter((name) => name.startsWith('walks_'));

/** Running totals of a VM; times in ticks. What an interval brought is the difference of two. */
type Totals = Readonly<Record<string, number>>;

/**
 * Records the timeline: what each VM did in each interval (run states, instructions and what they
 * cost, requests, exits, walks by cause), and how it stood at the end of it (translations held,
 * requests in its queue).
 */
export class Sampler {
  readonly #simulation: Simulation;
  readonly #rows: SampleRow[];
  readonly #last: Totals[];

  constructor(simulation: Simulation, rows: SampleRow[]) {
    this.#simulation = simulation;
    this.#rows = rows;
    this.#last = simulation.members.map(() => ({}));
  }

  sample(now: Ticks): void {
    const { hosts, members, reference } = this.#simulation;
    const cycle = reference.passed(now);
    const held = new Int32Array(members.length);
    for (const { machine } of hosts) for (const core of machine.cores) countHeld(core, held);
    for (const [i, member] of members.entries()) {
      if (!isPlaced(member)) continue;
      const totals = this.#totals(member, i, now);
      const last = this.#last[i]!;
      this.#last[i] = totals;
      const since = (name: string) => totals[name]! - (last[name] ?? 0);
      const { name: id } = member.vm;
      const host = hostColumn(hosts, member.vm.host);
      const { timebase } = hosts[member.vm.host.index]!.hypervisor.engine;
      const cycles = (state: string) => Math.round(since(state) / timebase.ticks);
      const row = (metric: string, unit: string, value: number) =>
        this.#rows.push({ cycle, ...host, scope: 'vm', id, metric, unit, value });
      row('running_cycles', 'cycles', cycles('running'));
      row('ready_cycles', 'cycles', cycles('ready'));
      row('instructions', 'count', since('instructions'));
      if (since('instructions') > 0) {
        const cpi = cycles('running') / since('instructions');
        row('cycles_per_instruction', 'ratio', cpi);
      }
      if (member.requests) {
        row('requests_arrived', 'count', since('requests_arrived'));
        row('requests', 'count', since('requests'));
        const queued = totals['requests_arrived']! - totals['requests']!;
        row('requests_queued', 'count', queued);
      }
      row('exits', 'count', since('exits'));
      row('tlb_entries', 'count', held[i]!);
      for (const name of causes) if (since(name) !== 0) row(name, 'count', since(name));
    }
  }

  #totals({ vm, vcpu, requests }: Member, i: number, now: Ticks): Totals {
    const { hosts } = this.#simulation;
    const [running, ready] = vcpu.statesAt(vcpu.timebase.local(now));
    const soFar = (counter: number) =>
      hosts.reduce((sum, { hypervisor }) => sum + hypervisor.ledger.countSoFar(i, counter), 0);
    const counted = (['instructions', ...causes] as const).map((name) => [name, soFar(K[name])]);
    return {
      running: running!,
      ready: ready!,
      exits: vcpu.exitCounts.reduce((sum, n) => sum + n, 0),
      requests_arrived: vm.counters.requests_arrived,
      requests: requests?.finishedBy(vm.clock.local(now)) ?? 0,
      ...Object.fromEntries(counted),
    };
  }
}
