import type { Cycles } from '../base/ids.ts';
import type { Cluster, Protection } from '../cluster/cluster.ts';
import type { Ticks, Timebase } from '../engine/timebase.ts';
import type { Lane, ObservedRun, Observer } from '../observe/observer.ts';

/**
 * What observers are told beside pCPUs and vCPUs: threads of hosts while the run goes on, pairs and
 * migrations at its end, when what happened is known in whole.
 */
export class Lanes {
  readonly lanes: readonly Lane[];
  readonly counters: NonNullable<ObservedRun['counters']>;
  readonly #cluster: Cluster;
  readonly #observer: Observer;
  /** What observers count time in. */
  readonly #reference: Timebase;
  readonly #firstThread: number;

  /** When the threads of all hosts are there. */
  constructor(
    cluster: Cluster,
    movers: readonly string[],
    observer: Observer,
    reference: Timebase,
  ) {
    const { hosts, links, protections } = cluster;
    this.#reference = reference;
    this.#cluster = cluster;
    this.#observer = observer;
    this.lanes = [
      ...protections.flatMap(({ sides, vm }): Lane[] => {
        const on = sides ? hosts.map(({ name }) => name) : [undefined];
        return on.map((host) => ({ kind: 'pair', host, name: vm.name }));
      }),
      ...[...new Set(movers)].map((name): Lane => ({ kind: 'migration', host: undefined, name })),
      ...hosts.flatMap(({ hypervisor, name }) => {
        const host = hosts.length > 1 ? name : undefined;
        return hypervisor.tasks.all.map(({ name }): Lane => ({ kind: 'thread', host, name }));
      }),
    ];
    this.counters = [
      ...links.flatMap(({ between, name }) =>
        [between, between.toReversed()].map((ends) => ({
          name: `${name}: ${ends.map((host) => hosts[host!]!.name).join(' to ')}`,
          unit: 'bytes',
        })),
      ),
      ...protections.map(({ vm }) => ({ name: `lag of ${vm.name}`, unit: 'us' })),
    ];
    this.#firstThread = this.lanes.findIndex(({ kind }) => kind === 'thread');
  }

  /** A thread, by its number among those of all hosts, ran on a pCPU of its host. */
  thread(number: number, pcpu: number, from: Cycles, to: Cycles): void {
    this.#observer.onSpan(this.#firstThread + number, `running on pCPU ${pcpu}`, from, to);
  }

  /** How much the links have carried by now. */
  sample(now: Ticks): void {
    const cycle = this.#reference.passed(now);
    let counter = 0;
    for (const link of this.#cluster.links) {
      for (const host of link.between) {
        this.#observer.onCounter(counter++, cycle, link.sentBy(host).onWire);
      }
    }
  }

  /** Pairs and migrations up to the end of the run. */
  finish(end: Ticks): void {
    const { links, migrations, protections } = this.#cluster;
    for (const [i, protection] of protections.entries()) {
      this.#pair(protection, end);
      for (const { cycle, lagCycles } of protection.rows) {
        const us = Math.round(lagCycles / this.#cluster.mhz);
        this.#observer.onCounter(2 * links.length + i, this.#reference.passed(cycle), us);
      }
    }
    for (const { record } of migrations) {
      const lane = this.#laneOf('migration', undefined, record.vm);
      const over = record.outcome === 'unfinished' ? end : record.end;
      // The outer one begins first and ends last.
      this.#span(lane, `${record.from} to ${record.to}: ${record.outcome}`, record.start, over);
      for (const { at, cycles, round, stopped } of record.rounds) {
        this.#span(lane, `round ${round}${stopped ? ' stopped' : ''}`, at, at + cycles);
      }
    }
  }

  #pair({ rows, sides, vm }: Protection, end: Ticks): void {
    const notes = sides ?? rows.map(({ cycle, state }) => ({ cycle, host: undefined, state }));
    for (const host of new Set(notes.map((note) => note.host))) {
      const lane = this.#laneOf('pair', host, vm.name);
      const own = notes.filter((note) => note.host === host);
      const changes = own.filter(({ state }, i) => state !== own[i - 1]?.state);
      for (const [i, { cycle, state }] of changes.entries()) {
        if (state === '') continue;
        if (/^go-live$|going live$/.test(state)) this.#span(lane, 'failover', cycle, cycle);
        this.#span(lane, state, cycle, changes[i + 1]?.cycle ?? end);
      }
    }
  }

  #laneOf(kind: Lane['kind'], host: string | undefined, name: string): number {
    return this.lanes.findIndex(
      (lane) => lane.kind === kind && lane.host === host && lane.name === name,
    );
  }

  /** What has no lane stays unsaid. */
  #span(lane: number, what: string, from: Ticks, to: Ticks): void {
    const [begin, end] = [this.#reference.passed(from), this.#reference.passed(to)];
    if (lane >= 0) this.#observer.onSpan(lane, what, begin, end);
  }
}
