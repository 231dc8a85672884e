import type { Cycles } from '../base/ids.ts';
import { type Engine, Phase } from '../engine/engine.ts';
import type { PolicyTimer, Scheduler } from './schedulers/scheduler.ts';
import { Runstate, type Vcpu } from './vm.ts';

/**
 * `task` of a scheduler, after which vCPUs that are held back by a cap or budget are parked and
 * those that no longer are, ready.
 */
export function policyTask(
  host: { readonly vcpus: readonly Vcpu[]; readonly scheduler: Scheduler },
  task: (now: Cycles) => void,
): (now: Cycles) => void {
  return (now) => {
    task(now);
    for (const vcpu of host.vcpus) {
      if (vcpu.state !== Runstate.Ready && vcpu.state !== Runstate.Parked) continue;
      const parked = host.scheduler.isParked(vcpu.id);
      if (parked !== (vcpu.state === Runstate.Parked)) {
        vcpu.enter(parked ? Runstate.Parked : Runstate.Ready, now);
      }
    }
  };
}

/** A timer that a scheduler arms: `task` is called at Phase.Schedule. */
export function policyTimer(engine: Engine, task: (now: Cycles) => void): PolicyTimer {
  let handle = -1;
  const kind = engine.defineEvent(Phase.Schedule, (now) => {
    handle = -1;
    task(now);
  });
  const disarm = () => {
    if (handle >= 0) engine.cancel(handle);
    handle = -1;
  };
  return {
    disarm,
    arm: (at) => {
      disarm();
      handle = engine.schedule(Math.ceil(at), kind, 0);
    },
  };
}
