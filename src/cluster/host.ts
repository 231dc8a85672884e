import type { Cycles } from '../base/ids.ts';
import type { Ticks } from '../engine/timebase.ts';
import type { HostTask } from '../hypervisor/host-task.ts';
import type { Hypervisor } from '../hypervisor/hypervisor.ts';
import type { Vcpu, Vm, VmHost } from '../hypervisor/vm.ts';
import type { Machine } from '../machine/machine.ts';

/**
 * A machine with its hypervisor. All hosts of a simulation share its engine and page tables. The
 * hypervisor counts time in cycles of its host; what spans hosts, in ticks of the engine.
 */
export interface Host extends VmHost {
  readonly machine: Machine;
  readonly hypervisor: Hypervisor;
  /** Bytes of its memory that are for VMs. */
  readonly room: number;
  /** False: it has lost power, and nothing runs there any more. */
  alive: boolean;
}

/** A VM that can be held, in time of the engine. */
export interface Holdable {
  /** `held` is called when it stands still. */
  pause(held: (time: Ticks) => void): void;
  unpause(time: Ticks): void;
}

/** A thread of a host, as what spans hosts uses it. */
export interface HostThread {
  /** As `post` of a task; `done` is called with the time of the engine. */
  post(cycles: Cycles, leaf: number, done?: (time: Ticks) => void): void;
}

export function threadOn({ hypervisor }: Host, task: HostTask): HostThread {
  const { timebase } = hypervisor.engine;
  return {
    post: (cycles, leaf, done) =>
      task.post(cycles, leaf, done && ((now) => done(timebase.engine(now)))),
  };
}

/**
 * A request of so many bytes begins to reach the host where a vCPU is; `complete` is called when
 * all of it has. Times are those of the guest's clock.
 */
export function deliverTo(
  { hypervisor }: Host,
  vcpu: Vcpu,
  bytes: number,
  now: Cycles,
  complete: (now: Cycles) => void,
): void {
  const { clock } = vcpu.vm;
  const { timebase } = hypervisor.engine;
  hypervisor.network.receive(vcpu, bytes, timebase.from(clock, now), (at) =>
    complete(clock.from(timebase, at)),
  );
}

/** A VM of a host as `Hold` needs it: in time of the engine. */
export function holdable({ hypervisor }: Host, vm: Vm): Holdable {
  const { timebase } = hypervisor.engine;
  return {
    pause: (held) => hypervisor.pause(vm, (now) => held(timebase.engine(now))),
    unpause: (time) => hypervisor.unpause(vm, timebase.local(time)),
  };
}
