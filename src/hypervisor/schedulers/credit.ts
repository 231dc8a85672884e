import * as z from 'zod';
import type { Cycles, PcpuId, VcpuId } from '../../base/ids.ts';
import { duration, toCycles } from '../../base/units.ts';
import { CreditAccounts, Priority } from './credit-accounts.ts';
import { drop, Placement } from './placement.ts';
import {
  type Decision,
  IDLE,
  type Scheduler,
  type SchedulerDefinition,
  type SchedulerHost,
} from './scheduler.ts';

/** Shortest turn that a rate limit leaves: CSCHED_MIN_TIMER, Xen 4.8. */
const MIN_TURN_PS = 100e6;

const params = z.object({
  timeslice: duration()
    .refine((ps) => ps >= 1e9 && ps <= 1e12, 'Xen accepts timeslices from 1ms to 1s')
    .meta({ range: 'from 1ms to 1s' })
    .prefault('30ms') // Xen 4.1: three ticks; sched_credit_tslice_ms (1-1000) since 4.2
    .describe('longest turn, and the accounting period'),
  tick: duration()
    .refine((ps) => ps >= 1e6, 'a tick is at least 1us')
    .meta({ range: 'of at least 1us', usual: 'a third of the timeslice' })
    .optional() // Xen 4.1: 10 ms of 30; since 4.2 a third of the timeslice
    .describe('how often a running vCPU is debited and loses its boost; default: a third of it'),
  ratelimit: duration()
    .prefault('0us') // none in Xen 4.1; sched_ratelimit_us is 1000 since 4.2
    .describe('a vCPU runs at least this long before another preempts it'),
  accounting: z
    .enum(['tick', 'timestamp'])
    .prefault('timestamp')
    .describe(
      'who runs at a tick pays for all of it (Xen up to 4.0), or each for the time it ran ' +
        '(since 4.1); default timestamp',
    ),
  boost: z.boolean().prefault(true).describe('a waking vCPU within its budget goes first'),
  boostPreempted: z
    .boolean()
    .prefault(false)
    .describe(
      'who has to make room for a pinned vCPU while other pCPUs are idle counts as woken up, ' +
        'whatever the rate limit says (Xen 4.3 to 4.6)',
    ),
});
type Params = z.output<typeof params>;

/**
 * Xen's credit scheduler with the rules of Xen 4.1 (xen/common/sched_credit.c): vCPUs earn credits
 * by weight each accounting period and burn them while they run; who has credits left (UNDER) goes
 * before who has not (OVER), and who wakes within budget goes before both (BOOST) until a tick
 * finds it running. One sorted queue per pCPU; a pCPU about to run an OVER vCPU, or nothing, first
 * looks for better work elsewhere. Differences: see credit-accounts.ts on finer credits and waiting
 * vCPUs; an idle pCPU is also told of vCPUs that stay queued after a pass (Xen 4.1 can leave a
 * preempted vCPU waiting beside it), and a ratelimit (Xen 4.2), the accounting of Xen up to 4.0 and
 * the way in which 4.3 to 4.6 moved a preempted vCPU away can be set.
 */
export const credit: SchedulerDefinition<typeof params> = {
  name: 'credit',
  summary: 'Xen credit1: weights, caps, boost on wake-up, work stealing',
  params,
  workConserving: { within: 'host', delay: 0 },
  shows: 'timeslice',
  turn: ({ timeslice }) => timeslice,
  create: (chosen, host) => new Credit(chosen, host),
};

/** Held: runnable, but its VM has reached its cap. */
const State = { Blocked: 0, Queued: 1, Running: 2, Held: 3 } as const;

class Credit implements Scheduler {
  readonly sliceReferences = 0;
  readonly #host: SchedulerHost;
  readonly #accounts: CreditAccounts;
  readonly #placement: Placement;
  readonly #slice: Cycles;
  readonly #ratelimit: Cycles;
  readonly #minTurn: Cycles;
  readonly #boost: boolean;
  readonly #boostPreempted: boolean;
  readonly #queues: VcpuId[][];
  /** By pCPU: who runs; who ran last; who goes on because of the rate limit; last sorted when. */
  readonly #current: VcpuId[];
  readonly #previous: VcpuId[];
  readonly #kept: VcpuId[];
  readonly #sortedIn: Int32Array;
  /** By vCPU. */
  readonly #home: PcpuId[] = [];
  readonly #state: Uint8Array;
  readonly #parked: Uint8Array;
  readonly #yielded: Uint8Array;
  readonly #migrating: Uint8Array;
  /** Has to make room for one that woke up: taken off its pCPU as if it slept, and woken again. */
  readonly #kicked: Uint8Array;
  /** Cycles since it was put on its pCPU, slices that follow each other included. */
  readonly #turn: Float64Array;

  constructor(chosen: Params, host: SchedulerHost) {
    const { pcpuCount, vcpuCount, mhz } = host;
    this.#host = host;
    const tick = toCycles(chosen.tick ?? Math.round(chosen.timeslice / 3), mhz);
    const sampledTick = chosen.accounting === 'tick' ? tick : undefined;
    this.#accounts = new CreditAccounts(
      host,
      { period: chosen.timeslice, sampledTick },
      {
        park: (vcpu) => this.#park(vcpu),
        unpark: (vcpu) => this.#unpark(vcpu),
        isParked: (vcpu) => this.isParked(vcpu),
        isBlocked: (vcpu) => this.#state[vcpu] === State.Blocked,
      },
    );
    this.#placement = new Placement(host);
    this.#slice = toCycles(chosen.timeslice, mhz);
    this.#ratelimit = toCycles(chosen.ratelimit, mhz);
    this.#minTurn = toCycles(MIN_TURN_PS, mhz);
    this.#boost = chosen.boost;
    this.#boostPreempted = chosen.boostPreempted;
    this.#queues = Array.from({ length: pcpuCount }, () => []);
    this.#current = new Array<VcpuId>(pcpuCount).fill(IDLE);
    this.#previous = new Array<VcpuId>(pcpuCount).fill(IDLE);
    this.#kept = new Array<VcpuId>(pcpuCount).fill(IDLE);
    this.#sortedIn = new Int32Array(pcpuCount);
    this.#state = new Uint8Array(vcpuCount);
    this.#parked = new Uint8Array(vcpuCount);
    this.#yielded = new Uint8Array(vcpuCount);
    this.#migrating = new Uint8Array(vcpuCount);
    this.#kicked = new Uint8Array(vcpuCount);
    this.#turn = new Float64Array(vcpuCount);
    host.every(tick, (now) => {
      for (let pcpu = 0; pcpu < pcpuCount; pcpu++) this.#tick(pcpu as PcpuId, now);
    });
    host.every(this.#slice, (now) => {
      // A tick falls in the same cycle; debiting here makes its order against this irrelevant.
      for (let pcpu = 0; pcpu < pcpuCount; pcpu++) this.#burnRunning(pcpu as PcpuId, now);
      this.#accounts.distribute();
    });
  }

  insert(vcpu: VcpuId): void {
    this.#home[vcpu] = this.#placement.place(vcpu);
  }

  remove(vcpu: VcpuId): void {
    this.#placement.leave(this.#home[vcpu]!);
    this.#accounts.remove(vcpu);
    this.#parked[vcpu] = 0;
  }

  wake(vcpu: VcpuId): void {
    if (this.#state[vcpu] !== State.Blocked) return;
    if (this.#parked[vcpu]) {
      this.#state[vcpu] = State.Held;
      return;
    }
    this.#wakeUp(vcpu, this.#home[vcpu]!);
  }

  #wakeUp(vcpu: VcpuId, pcpu: PcpuId): void {
    const { priority } = this.#accounts;
    if (this.#boost && priority[vcpu] === Priority.Under) priority[vcpu] = Priority.Boost;
    this.#enqueue(vcpu, pcpu);
    this.#tickle(vcpu);
  }

  sleep(vcpu: VcpuId): void {
    const home = this.#home[vcpu]!;
    if (this.#state[vcpu] === State.Running) this.#current[home] = IDLE;
    drop(this.#queues[home]!, vcpu);
    if (this.#kept[home] === vcpu) this.#kept[home] = IDLE;
    this.#state[vcpu] = State.Blocked;
    this.#migrating[vcpu] = 0;
    this.#kicked[vcpu] = 0;
    this.#turn[vcpu] = 0;
  }

  yield(vcpu: VcpuId): void {
    this.#yielded[vcpu] = 1;
    this.preempted(vcpu);
  }

  preempted(vcpu: VcpuId): void {
    const home = this.#home[vcpu]!;
    this.#current[home] = IDLE;
    if (this.#parked[vcpu]) {
      this.#state[vcpu] = State.Held;
    } else if (this.#kicked[vcpu]) {
      this.#wakeUp(vcpu, this.#placement.freeFor(vcpu) ?? home);
    } else if (this.#migrating[vcpu]) {
      const target = this.#lessBusy(vcpu, home);
      this.#enqueue(vcpu, target);
      if (target !== home) this.#tickle(vcpu);
    } else {
      if (this.#turn[vcpu]! < this.#ratelimit && !this.#yielded[vcpu]) this.#kept[home] = vcpu;
      this.#enqueue(vcpu, home);
    }
    this.#migrating[vcpu] = 0;
    this.#kicked[vcpu] = 0;
  }

  charge(vcpu: VcpuId, _pcpu: PcpuId, ran: Cycles): void {
    this.#accounts.charge(vcpu, ran);
    this.#turn[vcpu]! += ran;
  }

  pick(pcpu: PcpuId, _now: Cycles, out: Decision): void {
    const queue = this.#queues[pcpu]!;
    const head = queue[0];
    const kept = this.#kept[pcpu]!;
    let vcpu: VcpuId;
    out.slice = this.#slice;
    if (kept !== IDLE) {
      this.#kept[pcpu] = IDLE;
      vcpu = kept;
      this.#dequeue(vcpu);
      out.slice = Math.max(this.#ratelimit - this.#turn[vcpu]!, this.#minTurn);
    } else if (head !== undefined && this.#accounts.priority[head]! > Priority.Over) {
      vcpu = queue.shift()!;
    } else {
      vcpu = this.#loadBalance(pcpu, head ?? IDLE);
    }
    out.vcpu = vcpu;
    this.#current[pcpu] = vcpu;
    if (vcpu !== this.#previous[pcpu] && vcpu !== IDLE) this.#turn[vcpu] = 0;
    this.#previous[pcpu] = vcpu;
    if (vcpu === IDLE) {
      this.#placement.setIdle(pcpu);
      return;
    }
    this.#home[vcpu] = pcpu;
    this.#state[vcpu] = State.Running;
    this.#placement.setBusy(pcpu);
    this.#placement.askForWaiting(this.#queues);
  }

  isParked(vcpu: VcpuId): boolean {
    return this.#parked[vcpu] === 1;
  }

  /** Behind all vCPUs of its priority; one that yielded also lets one of the next class pass. */
  #enqueue(vcpu: VcpuId, pcpu: PcpuId): void {
    const { priority } = this.#accounts;
    const queue = this.#queues[pcpu]!;
    let at = 0;
    while (at < queue.length && priority[queue[at]!]! >= priority[vcpu]!) at++;
    if (this.#yielded[vcpu] && at < queue.length) at++;
    queue.splice(at, 0, vcpu);
    this.#yielded[vcpu] = 0;
    this.#home[vcpu] = pcpu;
    this.#state[vcpu] = State.Queued;
  }

  #dequeue(vcpu: VcpuId): void {
    const queue = this.#queues[this.#home[vcpu]!]!;
    queue.splice(queue.indexOf(vcpu), 1);
  }

  /**
   * A vCPU has been queued: who must be told? Its own pCPU if it goes first there, and a free one.
   */
  #tickle(vcpu: VcpuId): void {
    const home = this.#home[vcpu]!;
    if (this.#placement.isIdle(home)) {
      this.#placement.ask(home);
      return;
    }
    const current = this.#current[home]!;
    if (current === IDLE) return; // between two vCPUs: its pass is under way
    const { priority } = this.#accounts;
    if (priority[vcpu]! > priority[current]!) {
      if (this.#boostPreempted && this.#placement.onlyOthersFree(vcpu)) this.#kicked[current] = 1;
      this.#placement.ask(home);
    }
    this.#placement.askFree(vcpu);
  }

  /**
   * The first vCPU queued on a busy peer that beats `own` (the local head, or nobody) and may run
   * here.
   */
  #loadBalance(pcpu: PcpuId, own: VcpuId): VcpuId {
    const { priority } = this.#accounts;
    const least = own === IDLE ? Priority.Idle : priority[own]!;
    const count = this.#queues.length;
    for (let step = 1; step < count; step++) {
      const peer = ((pcpu + step) % count) as PcpuId;
      if (this.#placement.isIdle(peer)) continue; // it is about to run its queue itself
      for (const vcpu of this.#queues[peer]!) {
        if (priority[vcpu]! <= least || !this.#host.mayRunOn(vcpu, pcpu)) continue;
        this.#dequeue(vcpu);
        return vcpu;
      }
    }
    if (own !== IDLE) this.#dequeue(own);
    return own;
  }

  #tick(pcpu: PcpuId, now: Cycles): void {
    const vcpu = this.#current[pcpu]!;
    if (vcpu !== IDLE) {
      const { priority } = this.#accounts;
      if (priority[vcpu] === Priority.Boost) priority[vcpu] = Priority.Under;
      this.#accounts.tick(vcpu, this.#host.ranSinceCharge(pcpu, now));
      if (!this.#accounts.activate(vcpu) && this.#lessBusy(vcpu, pcpu) !== pcpu) {
        this.#migrating[vcpu] = 1;
        this.#placement.ask(pcpu);
      }
    }
    if (this.#sortedIn[pcpu] !== this.#accounts.period) this.#sort(pcpu);
  }

  /**
   * Priorities changed in the accounting pass: UNDER moves ahead of OVER, otherwise the order
   * stays.
   */
  #sort(pcpu: PcpuId): void {
    const { priority, period } = this.#accounts;
    const queue = this.#queues[pcpu]!;
    const isUnder = (vcpu: VcpuId) => Number(priority[vcpu]! >= Priority.Under);
    queue.sort((a, b) => isUnder(b) - isUnder(a));
    this.#sortedIn[pcpu] = period;
  }

  #burnRunning(pcpu: PcpuId, now: Cycles): void {
    const vcpu = this.#current[pcpu]!;
    if (vcpu !== IDLE) this.#accounts.chargeSoFar(vcpu, this.#host.ranSinceCharge(pcpu, now));
  }

  #park(vcpu: VcpuId): void {
    this.#parked[vcpu] = 1;
    if (this.#state[vcpu] === State.Running) {
      this.#placement.ask(this.#home[vcpu]!);
    } else if (this.#state[vcpu] === State.Queued) {
      this.#dequeue(vcpu);
      this.#state[vcpu] = State.Held;
    }
  }

  #unpark(vcpu: VcpuId): void {
    this.#parked[vcpu] = 0;
    if (this.#state[vcpu] !== State.Held) return;
    this.#enqueue(vcpu, this.#home[vcpu]!);
    this.#tickle(vcpu);
  }

  /**
   * Where the running `vcpu` would be better off: on a free pCPU of a socket with more than twice
   * as many idle pCPUs as its own, or where it is. (Xen's rule within a socket is about hardware
   * threads, which no Opteron has.)
   */
  #lessBusy(vcpu: VcpuId, from: PcpuId): PcpuId {
    const { pcpuCount, pcpusPerSocket } = this.#host;
    let best = from;
    for (let step = 1; step < pcpuCount; step++) {
      const other = ((from + step) % pcpuCount) as PcpuId;
      if (!this.#placement.isFree(other) || !this.#host.mayRunOn(vcpu, other)) continue;
      const here = Math.floor(best / pcpusPerSocket);
      const there = Math.floor(other / pcpusPerSocket);
      if (here === there) continue;
      if (this.#idleIn(here, from) * 2 < this.#idleIn(there, from)) best = other;
    }
    return best;
  }

  /** Free pCPUs of a socket; `own` counts as free, because its vCPU is the one to move. */
  #idleIn(socket: number, own: PcpuId): number {
    const { pcpuCount, pcpusPerSocket } = this.#host;
    const end = Math.min(pcpuCount, (socket + 1) * pcpusPerSocket);
    let idle = 0;
    for (let pcpu = socket * pcpusPerSocket; pcpu < end; pcpu++) {
      if (pcpu === own || this.#placement.isFree(pcpu as PcpuId)) idle++;
    }
    return idle;
  }
}
