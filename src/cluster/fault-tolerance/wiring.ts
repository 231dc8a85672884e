import type { Ticks } from '../../engine/timebase.ts';
import { Leaf } from '../../stats/leaves.ts';
import { hostNamed, linkNamed } from '../cluster.ts';
import { type Host, type HostThread, threadOn } from '../host.ts';
import type { Link } from '../link.ts';
import type { GenerationsDeps } from './generations.ts';
import type { ProtectionDeps } from './protection.ts';
import { SharedDisk } from './shared-disk.ts';
import { Timers } from './timers.ts';

/** Microseconds to the shared disk, and back. assumed (1-10 ms) */
const DISK_LATENCY = 2000;

/** What a pair has of the simulation: timers, the shared disk, a thread on each host, the link. */
export class Wiring {
  readonly timers: Timers;
  readonly disk: SharedDisk;
  readonly ours: Host;
  readonly theirs: Host;
  /** Between the present two hosts. */
  link: Link;
  readonly #deps: ProtectionDeps;
  readonly #threads = new Map<string, HostThread>();

  /**
   * Before the schedulers of the hosts are made: it adds a thread to each of both, and to `others`,
   * called after the VM and `thread`.
   */
  constructor(
    deps: ProtectionDeps,
    thread: string,
    timeScale: number,
    others: readonly Host[] = [],
  ) {
    const { cluster, primary } = deps;
    const { engine, mhz } = cluster;
    this.#deps = deps;
    this.timers = new Timers(engine);
    this.disk = new SharedDisk(this.timers, Math.round(DISK_LATENCY * mhz * timeScale));
    this.ours = cluster.hosts[primary.vm.host.index]!;
    this.theirs = hostNamed(cluster, deps.host);
    this.link = linkNamed(cluster, deps.link);
    const { name, weight } = primary.vm;
    const all = new Set([this.ours, this.theirs, ...others]);
    for (const host of cluster.hosts.filter((one) => all.has(one))) {
      const task = host.hypervisor.tasks.add({ name: `${name}/${thread}`, weight });
      this.#threads.set(host.name, threadOn(host, task));
    }
  }

  /** The pair's thread on a host. */
  threadOn(host: Host): HostThread {
    return this.#threads.get(host.name)!;
  }

  /** In time of the engine, as everything here. */
  toCycles(picoseconds: number): Ticks {
    return Math.round((picoseconds / 1e6) * this.#deps.cluster.mhz);
  }

  /** What the protocol needs. */
  get pair(): Omit<GenerationsDeps, 'onChange' | 'onState'> {
    const { cluster } = this.#deps;
    const { engine } = cluster;
    return {
      timers: this.timers,
      toCycles: (picoseconds) => this.toCycles(picoseconds),
      wire: (from) => {
        const { link } = this;
        return {
          send: (bytes, now, arrive) => {
            const host = hostNamed(cluster, from);
            if (host.alive) link.send(host.index, bytes, Math.max(now, engine.now), arrive);
          },
        };
      },
      work: (host) => ({
        post: (cycles, done) => this.#threads.get(host)!.post(cycles, Leaf.HostFt, done),
      }),
      arbiter: () => this.disk,
    };
  }
}
