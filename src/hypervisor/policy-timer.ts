import type { Cycles } from '../base/ids.ts';
import { Phase } from '../engine/engine.ts';
import type { HostEngine } from '../engine/host-engine.ts';
import type { PolicyTimer } from './schedulers/scheduler.ts';

/** A timer that a scheduler arms: `task` is called at Phase.Schedule. */
export function policyTimer(engine: HostEngine, task: (now: Cycles) => void): PolicyTimer {
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
      handle = engine.scheduleSoon(Math.ceil(at), kind, 0);
    },
  };
}
