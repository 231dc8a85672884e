import type { Ticks } from '../../engine/timebase.ts';
import { diskFor } from '../../hypervisor/disk.ts';
import { Vector } from '../../hypervisor/guest-port.ts';
import { Runstate } from '../../hypervisor/vm.ts';
import type { Resident } from '../cluster.ts';
import type { Awaited } from '../copy/guest-copy.ts';
import { deliverTo, type Host } from '../host.ts';
import type { DiskRequests } from './disk-requests.ts';
import type { EndDeps, Place } from './primary-end.ts';
import { type LogSource, ReplayedGuest, Replayer, ReplayPort } from './replay-port.ts';
import type { Replica } from './replica.ts';
import type { SecondarySide } from './secondary-side.ts';
import type { Timers } from './timers.ts';

export interface SecondaryDeps extends EndDeps {
  readonly timers: Timers;
  /** A request for the VM begins to arrive, wherever it runs. */
  onRequest(): void;
}

/** What a new secondary begins with. */
export interface Beginning {
  /** Requests to the disk that its guest knows to be under way. */
  readonly disk: DiskRequests;
  /** The host whose disk is that of both copies, where they have one. */
  readonly diskOf: Host;
  /** What else it waits for; undefined: it has just booted. */
  readonly awaited?: Awaited | undefined;
}

/** A VM that repeats what another one does, and may take over from it. */
export class SecondaryEnd {
  readonly member: Resident;
  readonly host: Host;
  readonly replica: Replica;
  readonly disk: DiskRequests;
  /** Where its log comes from, from when it protects. */
  side: SecondarySide | null = null;
  readonly #deps: SecondaryDeps;
  readonly #replayer: Replayer;
  readonly #port: ReplayPort;
  #halted = false;

  constructor({ host, member }: Place, deps: SecondaryDeps, beginning: Beginning) {
    const { hypervisor } = host;
    const { vcpu, vm } = member;
    const { params, requests } = deps;
    this.#deps = deps;
    this.member = member;
    this.host = host;
    this.disk = beginning.disk;
    const { timebase } = hypervisor.engine;
    const { disk, engine } = beginning.diskOf.hypervisor;
    this.#replayer = new Replayer(
      hypervisor,
      vcpu,
      params.log,
      this.#source(),
      params.disk,
      (now) => this.#wake(timebase.engine(now)),
      beginning.disk,
      diskFor(timebase, disk, engine.timebase),
    );
    const mmu = hypervisor.mmuOf[vm.id]!;
    this.#port = new ReplayPort(this.#replayer, mmu, requests, beginning.awaited);
    vcpu.port = this.#port;
    vcpu.guest = new ReplayedGuest(member.noted ?? member.kernel, this.#replayer);
    this.replica = {
      stall: () => {},
      go: (now) => this.#wake(now),
      limit: () => {},
      goLive: (now) => this.#goLive(now),
      halt: () => {
        this.#halted = true;
        if (host.alive) hypervisor.pause(vm);
      },
    };
  }

  #source(): LogSource {
    const side = () => this.side;
    const { timebase } = this.host.hypervisor.engine;
    return {
      next: () => side()?.next(),
      consume: (now) => side()!.consume(timebase.engine(now)),
      get receivedPoint() {
        return side()?.receivedPoint ?? 0;
      },
      get final() {
        return side()?.final ?? false;
      },
    };
  }

  #goLive(time: Ticks): void {
    const { engine, interrupts } = this.host.hypervisor;
    const { vcpu, vm } = this.member;
    const now = engine.timebase.local(time);
    const { requests } = this.#deps;
    this.#replayer.live = true;
    requests?.moveTo(
      {
        taken: this.#port.taken,
        answered: this.#port.answered,
        deliver: (at, complete) => {
          this.#deps.onRequest();
          deliverTo(this.host, vcpu, requests.bytes, at, complete);
        },
      },
      vm.clock.local(time),
    );
    this.#port.goLive(now);
    interrupts.raise(vcpu, Vector.Timer | Vector.Device | Vector.Network, now);
  }

  /** Wakes it at `time` if it sleeps. */
  #wake(time: Ticks): void {
    const { vcpu } = this.member;
    const { engine, interrupts } = this.host.hypervisor;
    this.#deps.timers.at(time, (now) => {
      const sleeps = vcpu.state === Runstate.Blocked && this.host.alive && !this.#halted;
      if (sleeps) interrupts.wake(vcpu, engine.timebase.local(now));
    });
  }
}
