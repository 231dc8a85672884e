import * as z from 'zod';
import type { Cycles, PcpuId, VcpuId } from '../../base/ids.ts';
import { duration, toCycles } from '../../base/units.ts';
import { drop, Placement } from './placement.ts';
import {
  type Decision,
  IDLE,
  type Scheduler,
  type SchedulerDefinition,
  type SchedulerHost,
} from './scheduler.ts';

const params = z.object({
  timeslice: duration()
    .refine((ps) => ps >= 1e6, 'a timeslice is at least 1us')
    .meta({ range: 'of at least 1us' })
    .prefault('30ms')
    .describe('longest turn'),
  references: z
    .int()
    .min(0)
    .meta({ unit: 'references' })
    .prefault(0)
    .describe('length of a turn in memory references instead of time; 0 = time'),
  steal: z
    .boolean()
    .prefault(true)
    .describe('a pCPU with an empty queue takes over a waiting vCPU of another'),
});
type Params = z.output<typeof params>;

/**
 * First in, first out, no priorities, weights or caps. Each pCPU has a queue; a vCPU starts in the
 * one with fewest vCPUs and stays there, unless a pCPU has nothing to run and takes the vCPU that
 * has waited longest. On one pCPU that is strict rotation. A textbook policy, and the yardstick for
 * the others.
 */
export const roundRobin: SchedulerDefinition<typeof params> = {
  name: 'round-robin',
  summary: 'fixed turns in a circle, one queue per pCPU, no weights',
  params,
  // `steal: false` is for experiments: it promises less.
  workConserving: { within: 'host', delay: 0 },
  idle: () => ({
    weight: 'round-robin knows no weights',
    cap: 'round-robin knows no caps',
  }),
  shows: 'timeslice',
  turn: ({ timeslice, references }) => (references > 0 ? undefined : timeslice),
  create: (chosen, host) => new RoundRobin(chosen, host),
};

class RoundRobin implements Scheduler {
  readonly sliceReferences: number;
  readonly #slice: Cycles;
  readonly #steals: boolean;
  readonly #host: SchedulerHost;
  readonly #placement: Placement;
  readonly #queues: VcpuId[][];
  readonly #home: PcpuId[] = [];
  /** When each vCPU joined its queue, as a running number. */
  readonly #joined: number[] = [];
  #joins = 0;

  constructor(chosen: Params, host: SchedulerHost) {
    this.sliceReferences = chosen.references;
    this.#slice = chosen.references > 0 ? Infinity : toCycles(chosen.timeslice, host.mhz);
    this.#steals = chosen.steal;
    this.#host = host;
    this.#placement = new Placement(host);
    this.#queues = Array.from({ length: host.pcpuCount }, () => []);
  }

  insert(vcpu: VcpuId): void {
    this.#home[vcpu] = this.#placement.place(vcpu);
  }

  remove(vcpu: VcpuId): void {
    this.#placement.leave(this.#home[vcpu]!);
  }

  wake(vcpu: VcpuId): void {
    this.#join(vcpu);
    const home = this.#home[vcpu]!;
    if (this.#placement.isIdle(home)) this.#placement.ask(home);
    else if (this.#steals) this.#placement.askFree(vcpu);
  }

  sleep(vcpu: VcpuId): void {
    drop(this.#queues[this.#home[vcpu]!]!, vcpu);
  }

  yield(vcpu: VcpuId): void {
    this.#join(vcpu);
  }

  preempted(vcpu: VcpuId): void {
    this.#join(vcpu);
  }

  charge(): void {}

  pick(pcpu: PcpuId, _now: Cycles, out: Decision): void {
    const vcpu = this.#queues[pcpu]!.shift() ?? this.#steal(pcpu);
    out.vcpu = vcpu;
    out.slice = this.#slice;
    if (vcpu === IDLE) {
      this.#placement.setIdle(pcpu);
      return;
    }
    this.#home[vcpu] = pcpu;
    this.#placement.setBusy(pcpu);
    if (this.#steals) this.#placement.askForWaiting(this.#queues);
  }

  isParked(): boolean {
    return false;
  }

  #join(vcpu: VcpuId): void {
    this.#queues[this.#home[vcpu]!]!.push(vcpu);
    this.#joined[vcpu] = this.#joins++;
  }

  /** The vCPU that has waited longest behind a busy pCPU and may run on `pcpu`. */
  #steal(pcpu: PcpuId): VcpuId {
    if (!this.#steals) return IDLE;
    let oldest = IDLE;
    for (let peer = 0; peer < this.#queues.length; peer++) {
      if (this.#placement.isIdle(peer as PcpuId)) continue;
      for (const vcpu of this.#queues[peer]!) {
        if (!this.#host.mayRunOn(vcpu, pcpu)) continue;
        if (oldest === IDLE || this.#joined[vcpu]! < this.#joined[oldest]!) oldest = vcpu;
        break;
      }
    }
    if (oldest !== IDLE) {
      const queue = this.#queues[this.#home[oldest]!]!;
      queue.splice(queue.indexOf(oldest), 1);
    }
    return oldest;
  }
}
