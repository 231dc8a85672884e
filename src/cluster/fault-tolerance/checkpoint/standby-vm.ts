import type { Cycles } from '../../../base/ids.ts';
import type { Ticks } from '../../../engine/timebase.ts';
import type { Deliver } from '../../../guest/requests.ts';
import { Vector } from '../../../hypervisor/guest-port.ts';
import { back } from '../../../hypervisor/mmu/backing.ts';
import { VcpuPort } from '../../../hypervisor/vcpu-port.ts';
import { Runstate } from '../../../hypervisor/vm.ts';
import { Leaf } from '../../../stats/leaves.ts';
import type { Resident } from '../../cluster.ts';
import { GuestCopy } from '../../copy/guest-copy.ts';
import { deliverTo } from '../../host.ts';
import { takeOver } from '../take-over.ts';
import type { Wiring } from '../wiring.ts';
import { copyCycles } from './captured-vm.ts';
import type { Checkpoint, Standby } from './checkpoint.ts';
import type { GuestImage } from './image.ts';
import type { CheckpointParams } from './params.ts';

/**
 * The second copy of a VM: memory on another host, held until it goes live. Then it is brought to
 * where the primary was at the checkpoint.
 */
export class StandbyVm implements Standby<GuestImage> {
  readonly #primary: Resident;
  readonly #member: Resident;
  readonly #wiring: Wiring;
  readonly #params: CheckpointParams;
  /** Host frames of each guest frame; 0 = none. */
  readonly #backing: Int32Array;

  constructor(
    { primary, secondary }: { readonly primary: Resident; readonly secondary: Resident },
    wiring: Wiring,
    params: CheckpointParams,
  ) {
    this.#primary = primary;
    this.#member = secondary;
    this.#wiring = wiring;
    this.#params = params;
    this.#backing = new Int32Array(secondary.vm.memoryPages);
  }

  /** It waits on its host from now on, with the memory that the primary has used. */
  start(time: Ticks): void {
    const { guest, vcpu, vm } = this.#member;
    const { hypervisor } = this.#wiring.theirs;
    const { timebase } = hypervisor.engine;
    const now = timebase.local(time);
    vm.host = this.#wiring.theirs;
    vcpu.moveTo(timebase, now);
    vcpu.enter(Runstate.Paused, now);
    guest.memory.eachUsed((gfn) => this.#back(gfn));
  }

  /** The pages go from the buffer to where they belong. */
  commit({ image, pages }: Checkpoint<GuestImage>): void {
    for (const gfn of image.dirty) this.#back(gfn);
    const cycles = copyCycles(this.#params.costs, pages);
    this.#wiring.threadOn(this.#wiring.theirs).post(Math.round(cycles), Leaf.HostFt);
  }

  #back(gfn: number): void {
    const { pageBytes, vm } = this.#member;
    const { hypervisor, machine } = this.#wiring.theirs;
    // Xen fills a new domain page by page; others take what backs a first touch.
    const bytes = hypervisor.upFront ? 4096 : pageBytes;
    const { id, memoryPages } = vm;
    back({ id, memoryPages, home: this.#home, p2m: this.#backing }, machine.memory, gfn, bytes);
  }

  get #home(): number {
    return this.#member.vm.id % this.#wiring.theirs.machine.nodeCount;
  }

  goLive({ image }: Checkpoint<GuestImage>, time: Ticks): void {
    const { theirs } = this.#wiring;
    const { hypervisor } = theirs;
    const { engine, interrupts } = hypervisor;
    const { timebase } = engine;
    const now = timebase.local(time);
    const { arriveAt, vcpu, vm } = this.#member;
    const { noted, requests } = this.#primary;
    const copy = new GuestCopy(this.#member, theirs);
    copy.catchUp(noted!.history, image.position);
    const arrival = arriveAt(theirs);
    const place = { host: theirs, home: this.#home, p2m: this.#backing };
    const wire: typeof arrival.wire = (one) => ({
      ...arrival.wire(one),
      port: new VcpuPort(hypervisor, one, arrival.mmu, requests),
    });
    hypervisor.attach(vm, { ...arrival, ...place, wire }, now);
    this.#takeRequests(image, copy.awaited.requests, time);
    const { timebase: theirsThen } = this.#wiring.ours.hypervisor.engine;
    const disk = image.disk.map((request) => ({
      ...request,
      latency: timebase.from(theirsThen, request.latency),
    }));
    takeOver(hypervisor, vcpu, { ios: copy.awaited.ios, disk }, now);
    const timer = timebase.from(vm.clock, copy.awaited.timer);
    if (!Number.isNaN(timer)) interrupts.armTimer(vcpu, Math.max(now + 1, timer));
    hypervisor.unpause(vm, now);
    interrupts.raise(vcpu, Vector.Timer | Vector.Device | Vector.Network, now);
  }

  /** Clients go on asking: what came after the checkpoint they send again. */
  #takeRequests({ answered, at }: GuestImage, taken: ReadonlySet<Cycles>, time: Ticks): void {
    const { requests, vm } = this.#primary;
    const { vcpu } = this.#member;
    const { theirs } = this.#wiring;
    const { clientRetransmit, timeScale } = this.#params;
    const { clock } = vm;
    const now = clock.local(time);
    const ticks = this.#wiring.toCycles(clientRetransmit) * timeScale;
    const first = Math.max(1, Math.round(ticks / clock.ticks));
    const deliver: Deliver = (then, complete) =>
      deliverTo(theirs, vcpu, requests!.bytes, then, complete);
    requests?.moveTo(
      {
        taken,
        answered,
        deliver: (then, complete) => {
          // Clients ask for the VM by its name, wherever it runs.
          vm.counters.requests_arrived++;
          deliver(then, complete);
        },
        lost: {
          after: clock.passed(at),
          again: (arrival) => sentAgain(arrival, first, now),
          deliver,
        },
      },
      now,
    );
  }

  halt(): void {
    const { alive, hypervisor } = this.#wiring.theirs;
    if (alive) hypervisor.pause(this.#member.vm);
  }
}

/**
 * When a client whose request arrived nowhere sends it next, after `now`: it waits twice as long
 * each time (RFC 6298).
 */
export function sentAgain(arrival: Cycles, first: Cycles, now: Cycles): Cycles {
  let at = arrival;
  for (let wait = first; at <= now; wait *= 2) at += wait;
  return at;
}
