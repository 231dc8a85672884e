import type { Cycles } from '../../../base/ids.ts';
import type { Ticks } from '../../../engine/timebase.ts';
import { Request } from '../../../hypervisor/vcpu-requests.ts';
import { Leaf } from '../../../stats/leaves.ts';
import type { Cluster, Resident } from '../../cluster.ts';
import { holdable } from '../../host.ts';
import { Hold } from '../../migration/hold.ts';
import type { Wiring } from '../wiring.ts';
import type { CapturedPort } from './captured-port.ts';
import type { Captured, Checkpoint } from './checkpoint.ts';
import type { GuestImage } from './image.ts';
import { epochPolicies } from './index.ts';
import type { CheckpointParams } from './params.ts';

const PAGE = 4096;

/** Cycles to copy so many pages at one end. */
export const copyCycles = (
  { lineCycles, pageCycles }: CheckpointParams['costs'],
  pages: number,
): Cycles => pages * (pageCycles + (PAGE / 64) * lineCycles);

/** A VM of the simulation that is stopped and copied by a thread of its host. */
export class CapturedVm implements Captured<GuestImage> {
  readonly #member: Resident;
  readonly #wiring: Wiring;
  readonly #params: CheckpointParams;
  readonly #port: CapturedPort;
  readonly #hold: Hold;
  readonly #log: Int32Array;
  readonly #suspend: Ticks;
  #halted = false;

  constructor(
    member: Resident,
    { wiring, params, port }: { wiring: Wiring; params: CheckpointParams; port: CapturedPort },
    { engine, mhz }: Pick<Cluster, 'engine' | 'mhz'>,
  ) {
    const { vm } = member;
    this.#member = member;
    this.#wiring = wiring;
    this.#params = params;
    this.#port = port;
    this.#log = new Int32Array(vm.memoryPages);
    this.#hold = new Hold(engine, holdable(wiring.ours, vm), mhz);
    const { kind, ...chosen } = params.policy;
    this.#suspend = wiring.toCycles(epochPolicies.of(kind).suspend?.(chosen) ?? 0);
  }

  executedAt(time: Ticks): Ticks {
    const { vcpu } = this.#member;
    return vcpu.statesAt(Math.max(vcpu.timebase.local(time), vcpu.since))[0]!;
  }

  /** From now on the first store to each page is noted. */
  start(): void {
    this.#mmu.startLog?.();
    this.#forget();
    this.#post(this.#mmu.logCycles ?? 0, () => {});
  }

  capture(taken: (capture: Omit<Checkpoint<GuestImage>, 'epoch'>, now: Ticks) => void): void {
    this.#hold.take((held) => {
      if (this.#halted) return;
      if (this.#suspend === 0) this.#copy(held, taken);
      else this.#wiring.timers.at(held + this.#suspend, () => this.#copy(held, taken));
    });
  }

  /** It has stood still since `held`. */
  #copy(
    held: Ticks,
    taken: (capture: Omit<Checkpoint<GuestImage>, 'epoch'>, now: Ticks) => void,
  ): void {
    if (this.#halted) return;
    const { compression, costs } = this.#params;
    const { noted } = this.#member;
    const pages = this.#mmu.takeLog?.(this.#log) ?? 0;
    this.#forget();
    const { timebase } = this.#wiring.ours.hypervisor.engine;
    const { answered, disk, writes } = this.#port.take(timebase.local(held));
    const dirty = Array.from(this.#log.subarray(0, pages));
    const image = { position: noted!.position, dirty, at: held, answered, disk };
    const bytes =
      pages * (Math.ceil(PAGE * compression) + costs.pageBytes) +
      costs.stateBytes +
      writes * costs.writeBytes;
    const stamp = this.executedAt(held);
    const cycles = costs.stopCycles + (this.#mmu.logCycles ?? 0) + copyCycles(costs, pages);
    this.#post(cycles, (now) => {
      if (this.#halted) return;
      this.#hold.give(now);
      taken({ stamp, pages, bytes, pause: now - held, image }, now);
    });
  }

  alone(): void {
    this.#mmu.stopLog?.();
  }

  halt(): void {
    this.#halted = true;
    if (this.#wiring.ours.alive) this.#hold.take(() => {});
  }

  get #mmu() {
    return this.#wiring.ours.hypervisor.mmuOf[this.#member.vm.id]!;
  }

  /** What its vCPU may store through is forgotten before it enters again. */
  #forget(): void {
    this.#wiring.ours.hypervisor.requests.ask(this.#member.vcpu, Request.FlushTags);
  }

  #post(cycles: Cycles, done: (now: Ticks) => void): void {
    this.#wiring.threadOn(this.#wiring.ours).post(Math.round(cycles), Leaf.HostFt, done);
  }
}
