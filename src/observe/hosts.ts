import { type Observer, silent } from './observer.ts';

/**
 * Several hosts number their pCPUs from 0 each; an observer knows one row of them. `first`: the
 * number under which it knows the first of a host.
 */
export function onHost(observer: Observer, first: number): Observer {
  if (first === 0 || observer === silent) return observer;
  const at = (pcpu: number) => (pcpu < 0 ? pcpu : pcpu + first);
  return {
    onBegin: (run) => observer.onBegin(run),
    onRunstate: (now, pcpu, ...rest) => observer.onRunstate(now, at(pcpu), ...rest),
    onIdle: (now, pcpu) => observer.onIdle(now, at(pcpu)),
    onVmexit: (now, pcpu, ...rest) => observer.onVmexit(now, at(pcpu), ...rest),
    onVmrun: (now, pcpu, ...rest) => observer.onVmrun(now, at(pcpu), ...rest),
    onInterrupt: (now, pcpu, ...rest) => observer.onInterrupt(now, at(pcpu), ...rest),
    onTlbFlush: (now, pcpu, ...rest) => observer.onTlbFlush(now, at(pcpu), ...rest),
    onFault: (now, pcpu, ...rest) => observer.onFault(now, at(pcpu), ...rest),
    onTlbOccupancy: (now, vm, entries) => observer.onTlbOccupancy(now, vm, entries),
    onSpan: (...span) => observer.onSpan(...span),
    onCounter: (...sample) => observer.onCounter(...sample),
    onWindow: (now) => observer.onWindow(now),
    onReached: (now) => observer.onReached(now),
    onEnd: (now) => observer.onEnd(now),
  };
}

/** The same for run states of vCPUs, which are told of the host that has them at the time. */
export function wherever(
  observer: Pick<Observer, 'onRunstate'>,
  firstOf: (vcpu: number) => number,
): Pick<Observer, 'onRunstate'> {
  return {
    onRunstate: (now, pcpu, vcpu, from, to) =>
      observer.onRunstate(now, pcpu < 0 ? pcpu : pcpu + firstOf(vcpu), vcpu, from, to),
  };
}
