import type { Cycles } from '../../base/ids.ts';
import { Vector } from '../../hypervisor/guest-port.ts';
import { Runstate } from '../../hypervisor/vm.ts';
import { Leaf } from '../../stats/leaves.ts';
import { hostNamed, linkNamed, type Protection, type Resident } from '../cluster.ts';
import { type Host, type HostThread, threadOn } from '../host.ts';
import { Hold } from '../migration/hold.ts';
import { Pair } from './pair.ts';
import type { RecordReplayParams } from './params.ts';
import type { ProtectionDeps } from './protection.ts';
import { RecordedGuest, RecordPort } from './record-port.ts';
import { Recorder } from './recorder.ts';
import { type LogSource, ReplayedGuest, Replayer, ReplayPort } from './replay-port.ts';
import type { Replica } from './replica.ts';
import { PairRows } from './rows.ts';
import { SharedDisk } from './shared-disk.ts';
import { Timers } from './timers.ts';

/** Microseconds to the shared disk, and back. assumed (1-10 ms) */
const DISK_LATENCY = 2000;
/** Microseconds from one row of results to the next. */
const LOOK = 5000;

/**
 * Protection by record and replay in a simulation: two VMs that boot the same program, the log
 * between them, threads of both hosts that carry it.
 */
export class RecordReplay implements Protection {
  readonly pair: Pair;
  readonly timers: Timers;
  readonly disk: SharedDisk;
  readonly primary: Resident;
  readonly secondary: Resident;
  readonly #rows: PairRows;
  readonly #mhz: number;
  readonly #ours: Host;
  readonly #theirs: Host;
  readonly #recorder: Recorder;
  readonly #hold: Hold;

  /** Before the schedulers of the hosts are made: it adds a thread to each. */
  constructor(params: RecordReplayParams, deps: ProtectionDeps) {
    const { cluster, primary, secondary } = deps;
    const { engine, mhz } = cluster;
    const { log } = params;
    const toCycles = (picoseconds: number) => Math.round((picoseconds / 1e6) * mhz);
    this.#mhz = mhz;
    this.primary = primary;
    this.secondary = secondary;
    this.timers = new Timers(engine);
    this.#ours = cluster.hosts[primary.vm.host.index]!;
    this.#theirs = hostNamed(cluster, deps.host);
    this.disk = new SharedDisk(this.timers, Math.round(DISK_LATENCY * mhz * params.timeScale));
    const link = linkNamed(cluster, deps.link);
    const threads = new Map<string, HostThread>();
    for (const host of [this.#ours, this.#theirs]) {
      const task = host.hypervisor.tasks.add({
        name: `${primary.vm.name}/log`,
        weight: primary.vm.weight,
      });
      threads.set(host.name, threadOn(host, task));
    }
    this.pair = new Pair({
      params,
      timers: this.timers,
      toCycles,
      wire: (from) => ({
        send: (bytes, now, arrive) => {
          const host = hostNamed(cluster, from);
          if (host.alive) link.send(host.index, bytes, Math.max(now, engine.now), arrive);
        },
      }),
      work: (host) => ({
        post: (cycles, done) => threads.get(host)!.post(cycles, Leaf.HostFt, done),
      }),
      arbiter: () => this.disk,
      onState: (_state, now) => this.#rows.look(now),
    });
    this.#rows = new PairRows(primary.vm.name, this.pair);

    const { hypervisor: ours } = this.#ours;
    const { hypervisor: theirs } = this.#theirs;
    const [our, their] = [ours.engine.timebase, theirs.engine.timebase];
    this.#recorder = new Recorder(ours, primary.vcpu, log, () => this.pair.primary, params.disk);
    const port = new RecordPort(this.#recorder, ours.mmuOf[primary.vm.id]!, primary.requests);
    primary.vcpu.port = port;
    primary.vcpu.guest = new RecordedGuest(primary.kernel, this.#recorder, port);
    this.#hold = new Hold(
      engine,
      {
        pause: (held) => ours.pause(primary.vm, (now) => held(our.engine(now))),
        unpause: (now) => ours.unpause(primary.vm, our.local(now)),
      },
      mhz,
    );

    const side = () => this.pair.secondary;
    const source: LogSource = {
      next: () => side()?.next(),
      consume: (now) => side()!.consume(their.engine(now)),
      get receivedPoint() {
        return side()?.receivedPoint ?? 0;
      },
      get final() {
        return side()?.final ?? false;
      },
    };
    const wakeAt = (time: Cycles) => this.#wake(their.engine(time));
    const replayer = new Replayer(theirs, secondary.vcpu, log, source, params.disk, wakeAt);
    const replay = new ReplayPort(replayer, theirs.mmuOf[secondary.vm.id]!, primary.requests);
    secondary.vcpu.port = replay;
    secondary.vcpu.guest = new ReplayedGuest(secondary.kernel, replayer);
    const { clock } = primary.vm;
    this.#goLive = (time) => {
      const now = their.local(time);
      replayer.live = true;
      const { network, interrupts } = theirs;
      const { vcpu } = secondary;
      primary.requests?.moveTo(
        {
          taken: replay.taken,
          answered: replay.answered,
          deliver: (at) => {
            // Clients ask for the VM by its name, wherever it runs.
            primary.vm.counters.requests_arrived++;
            const { bytes } = primary.requests!;
            return clock.from(their, network.receive(vcpu, bytes, their.from(clock, at)));
          },
        },
        clock.local(time),
      );
      replay.goLive(now);
      interrupts.raise(vcpu, Vector.Timer | Vector.Device | Vector.Network, now);
    };
  }

  readonly #goLive: (now: Cycles) => void;

  get vm() {
    return this.primary.vm;
  }

  get rows() {
    return this.#rows.rows;
  }

  /** Both have just been powered on, and neither has executed anything. */
  protect(now: Cycles): void {
    const { primary, secondary } = this.#replicas();
    this.pair.protect(primary, secondary, 0, now);
    this.#look(now);
  }

  #look(now: Cycles): void {
    this.#rows.look(now);
    this.timers.at(now + Math.round(LOOK * this.#mhz), (at) => this.#look(at));
  }

  /** The primary's VM is stopped, as a test of what follows. */
  failover(now: Cycles): void {
    this.pair.primary?.die(now);
  }

  /** A host has lost its power. */
  hostLost(host: string, now: Cycles): void {
    this.pair.hostLost(host, now);
  }

  #replicas() {
    const { hypervisor: theirs } = this.#theirs;
    let stalled = false;
    let share = 1;
    const primary: Replica = {
      stall: () => {
        stalled = true;
        this.#hold.take(() => {});
      },
      go: (now) => {
        stalled = false;
        this.#hold.give(now);
        if (share < 1) this.#hold.stun(1 - share, now);
      },
      limit: (limit, now) => {
        share = limit;
        if (!stalled) this.#hold.stun(1 - limit, now);
      },
      goLive: () => {},
      halt: () => {
        stalled = true;
        this.#hold.take(() => {});
      },
    };
    const secondary: Replica = {
      stall: () => {},
      go: (now) => this.#wake(now),
      limit: () => {},
      goLive: this.#goLive,
      halt: () => {
        this.#halted = true;
        if (this.#theirs.alive) theirs.pause(this.secondary.vm);
      },
    };
    return {
      primary: { host: this.#ours.name, replica: primary },
      secondary: { host: this.#theirs.name, replica: secondary },
    };
  }

  #halted = false;

  /** Wakes the second copy at `time` if it sleeps. */
  #wake(time: Cycles): void {
    const { vcpu } = this.secondary;
    const { hypervisor } = this.#theirs;
    this.timers.at(time, (now) => {
      const sleeps = vcpu.state === Runstate.Blocked && this.#theirs.alive && !this.#halted;
      const { interrupts, engine } = hypervisor;
      if (sleeps) interrupts.wake(vcpu, engine.timebase.local(now));
    });
  }
}
