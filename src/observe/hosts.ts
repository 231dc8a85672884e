import type { Cycles } from '../base/ids.ts';
import { type Observer, silent } from './observer.ts';

/** A time of a host as observers know it: in cycles of the first host. */
export type Reading = (now: Cycles) => Cycles;

/**
 * Several hosts number their pCPUs from 0 each, and count cycles of their own; an observer knows
 * one
 * row of pCPUs and one clock. `first`: the number under which it knows the first of a host.
 */
export function onHost(observer: Observer, first: number, read: Reading = asItIs): Observer {
  if (observer === silent || (first === 0 && read === asItIs)) return observer;
  const at = (pcpu: number) => (pcpu < 0 ? pcpu : pcpu + first);
  return {
    onBegin: (run) => observer.onBegin(run),
    onRunstate: (now, pcpu, ...rest) => observer.onRunstate(read(now), at(pcpu), ...rest),
    onIdle: (now, pcpu) => observer.onIdle(read(now), at(pcpu)),
    onVmexit: (now, pcpu, ...rest) => observer.onVmexit(read(now), at(pcpu), ...rest),
    onVmrun: (now, pcpu, ...rest) => observer.onVmrun(read(now), at(pcpu), ...rest),
    onInterrupt: (now, pcpu, ...rest) => observer.onInterrupt(read(now), at(pcpu), ...rest),
    onTlbFlush: (now, pcpu, ...rest) => observer.onTlbFlush(read(now), at(pcpu), ...rest),
    onFault: (now, pcpu, ...rest) => observer.onFault(read(now), at(pcpu), ...rest),
    onTlbOccupancy: (now, vm, entries) => observer.onTlbOccupancy(read(now), vm, entries),
    onSpan: (lane, what, from, to) => observer.onSpan(lane, what, read(from), read(to)),
    onCounter: (counter, now, value) => observer.onCounter(counter, read(now), value),
    onWindow: (now) => observer.onWindow(read(now)),
    onReached: (now) => observer.onReached(read(now)),
    onEnd: (now) => observer.onEnd(read(now)),
  };
}

export const asItIs: Reading = (now) => now;

/** The same for run states of vCPUs, which are told of the host that has them at the time. */
export function wherever(
  observer: Pick<Observer, 'onRunstate'>,
  firstOf: (vcpu: number) => number,
  read: (now: Cycles, vcpu: number) => Cycles,
): Pick<Observer, 'onRunstate'> {
  return {
    onRunstate: (now, pcpu, vcpu, from, to) => {
      const at = pcpu < 0 ? pcpu : pcpu + firstOf(vcpu);
      observer.onRunstate(read(now, vcpu), at, vcpu, from, to);
    },
  };
}
