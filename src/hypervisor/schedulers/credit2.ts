import type { Cycles, PcpuId, VcpuId, VmId } from '../../base/ids.ts';
import { toCycles } from '../../base/units.ts';
import { Budgets } from './credit2-budgets.ts';
import {
  type BalancedQueue,
  bestMove,
  LOAD_WINDOW_PS,
  LoadAverages,
  unbalanced,
} from './credit2-load.ts';
import { type Params, params, VERSIONS } from './credit2-params.ts';
import { RunQueues } from './credit2-queues.ts';
import { Placement } from './placement.ts';
import {
  type Decision,
  IDLE,
  type PolicyTimer,
  type Scheduler,
  type SchedulerDefinition,
  type SchedulerHost,
} from './scheduler.ts';

/** CSCHED2_CREDIT_INIT, _CARRYOVER_MAX, _MIN_TIMER: Xen 4.8 xen/common/sched_credit2.c. */
const CREDIT_INIT_PS = 10e9;
const CARRYOVER_PS = 500e6;
const MIN_TURN_PS = 500e6;
/** Who runs counts as having run long enough this much before the rate limit: Xen 4.10. */
const TICKLE_TOLERANCE_PS = 50e6;

/**
 * Xen's credit2: all vCPUs of a run queue start with 10 ms of credit and burn it while they run,
 * the heaviest in real time, the others faster; the one with most credit runs. When the first in
 * the queue has none left, all get 10 ms more, and the run queue looks for another that differs
 * most in load and exchanges the vCPUs that even it out best. Xen's preference for idle cores over
 * idle threads is about hardware threads, which no Opteron has; soft affinity is left out.
 */
export const credit2: SchedulerDefinition<typeof params> = {
  name: 'credit2',
  summary: 'Xen credit2: weights, a run queue for each socket, short turns, caps since 4.10',
  params,
  workConserving: { within: 'socket', delay: 0 },
  idle: ({ version }) =>
    VERSIONS[version].caps ? {} : { cap: 'credit2 knows caps since Xen 4.10 only' },
  shows: 'version',
  create: (chosen, host) => new Credit2(chosen, host),
};

const State = { Blocked: 0, Queued: 1, Running: 2 } as const;

class Credit2 implements Scheduler {
  readonly sliceReferences = 0;
  readonly #host: SchedulerHost;
  readonly #placement: Placement;
  readonly #rules: (typeof VERSIONS)[keyof typeof VERSIONS];
  readonly #init: Cycles;
  readonly #carryover: Cycles;
  readonly #minTurn: Cycles;
  readonly #longest: Cycles;
  readonly #ratelimit: Cycles;
  readonly #tolerance: Cycles;
  readonly #resist: Cycles;
  readonly #budgets: Budgets;
  readonly #loads: LoadAverages;
  /** Makes the run states of vCPUs agree with `isParked` after a pass. */
  readonly #settle: PolicyTimer;
  readonly #queues: RunQueues;
  /** By pCPU: who runs; who ran until this pass; asked for a pass. */
  readonly #current: VcpuId[];
  readonly #previous: VcpuId[];
  readonly #tickled: Uint8Array;
  /** By vCPU. */
  readonly #state: Uint8Array;
  readonly #last: Int32Array;
  readonly #yielded: Uint8Array;
  /** Cycles since it was put on its pCPU, and those of the charge period that were burnt ahead. */
  readonly #turn: Float64Array;
  readonly #ahead: Float64Array;
  /** The pCPU that was asked to run it; the run queue that it is to go to when it stops; or -1. */
  readonly #tickledFor: Int32Array;
  readonly #moveTo: Int32Array;

  constructor(chosen: Params, host: SchedulerHost) {
    const { pcpuCount, vcpuCount, pcpusPerSocket, mhz } = host;
    const cycles = (ps: number) => toCycles(ps, mhz);
    this.#host = host;
    this.#placement = new Placement(host);
    this.#rules = VERSIONS[chosen.version];
    this.#init = cycles(CREDIT_INIT_PS);
    this.#carryover = cycles(CARRYOVER_PS);
    this.#minTurn = cycles(MIN_TURN_PS);
    this.#longest = cycles(this.#rules.longest);
    this.#ratelimit = cycles(chosen.ratelimit ?? this.#rules.ratelimit);
    this.#tolerance = cycles(TICKLE_TOLERANCE_PS);
    this.#resist = cycles(chosen.migrateResist);
    this.#settle = host.timer(() => {});
    const size = { core: 1, socket: pcpusPerSocket, all: pcpuCount }[chosen.runqueue];
    this.#queues = new RunQueues(host, size, this.#init);
    this.#loads = new LoadAverages(this.#queues.count, vcpuCount, cycles(LOAD_WINDOW_PS));
    this.#current = new Array<VcpuId>(pcpuCount).fill(IDLE);
    this.#previous = new Array<VcpuId>(pcpuCount).fill(IDLE);
    this.#tickled = new Uint8Array(pcpuCount);
    this.#state = new Uint8Array(vcpuCount);
    this.#last = new Int32Array(vcpuCount);
    this.#yielded = new Uint8Array(vcpuCount);
    this.#turn = new Float64Array(vcpuCount);
    this.#ahead = new Float64Array(vcpuCount);
    this.#tickledFor = new Int32Array(vcpuCount).fill(-1);
    this.#moveTo = new Int32Array(vcpuCount).fill(-1);
    this.#budgets = new Budgets(host, this.#rules.caps, (vm, now) => this.#refilled(vm, now));
  }

  insert(vcpu: VcpuId): void {
    const home = this.#placement.place(vcpu);
    this.#last[vcpu] = home;
    this.#queues.join(vcpu, this.#queues.ofPcpu(home));
  }

  remove(vcpu: VcpuId, now: Cycles): void {
    this.#placement.leave(this.#last[vcpu] as PcpuId);
    this.#loads.leave(this.#queues.ofVcpu(vcpu), vcpu, now);
    this.#queues.leave(vcpu);
  }

  wake(vcpu: VcpuId, now: Cycles): void {
    this.#loads.change(this.#queues.ofVcpu(vcpu), vcpu, 1, now);
    this.#enqueue(vcpu);
    if (!this.isParked(vcpu)) this.#tickle(vcpu, now);
  }

  sleep(vcpu: VcpuId, now: Cycles): void {
    this.#loads.change(this.#queues.ofVcpu(vcpu), vcpu, -1, now);
    if (this.#state[vcpu] === State.Queued) this.#queues.remove(vcpu);
    else this.#stop(vcpu);
    this.#state[vcpu] = State.Blocked;
    this.#turn[vcpu] = 0;
    if (this.#moveTo[vcpu]! >= 0) this.#move(vcpu, now);
  }

  yield(vcpu: VcpuId, now: Cycles): void {
    if (this.#rules.yields) this.#yielded[vcpu] = 1;
    this.preempted(vcpu, now);
  }

  preempted(vcpu: VcpuId, now: Cycles): void {
    const pcpu = this.#last[vcpu]!;
    this.#stop(vcpu);
    this.#previous[pcpu] = vcpu;
    if (this.#moveTo[vcpu]! >= 0) {
      this.#move(vcpu, now);
      this.#enqueue(vcpu);
      this.#tickle(vcpu, now);
    } else this.#enqueue(vcpu);
  }

  charge(vcpu: VcpuId, _pcpu: PcpuId, ran: Cycles): void {
    this.#burn(vcpu, ran - this.#ahead[vcpu]!);
    this.#ahead[vcpu] = 0;
    this.#turn[vcpu]! += ran;
    this.#budgets.use(vcpu, ran);
  }

  pick(pcpu: PcpuId, now: Cycles, out: Decision): void {
    const at = this.#queues.ofPcpu(pcpu);
    const queue = this.#queues.waitingIn(at);
    const before = this.#previous[pcpu]!;
    this.#tickled[pcpu] = 0;
    this.#previous[pcpu] = IDLE;
    const here = before !== IDLE && this.#mayStay(before, at) ? before : IDLE;
    const kept = here !== IDLE && !this.#yielded[here] && this.#turn[here]! < this.#ratelimit;
    const vcpu = kept ? here : this.#candidate(pcpu, queue, here);
    if (here !== IDLE) this.#yielded[here] = 0;
    out.vcpu = vcpu;
    this.#current[pcpu] = vcpu;
    if (vcpu === IDLE) {
      this.#placement.setIdle(pcpu);
      return;
    }
    const isFirst = this.#queues.isFirst(vcpu);
    this.#queues.remove(vcpu);
    if (vcpu !== here) this.#turn[vcpu] = 0;
    this.#state[vcpu] = State.Running;
    this.#last[vcpu] = pcpu;
    this.#tickledFor[vcpu] = -1;
    this.#placement.setBusy(pcpu);
    if (!kept && isFirst && this.#queues.credit[vcpu]! <= 0) {
      this.#reset(at, vcpu, now);
      this.#balance(at, now);
    }
    const budget = this.#budgets.take(vcpu);
    out.slice = Math.min(this.#runtime(vcpu, queue, vcpu === here), budget);
    if (budget < Infinity) this.#settle.arm(now);
    if (!this.#queues.pcpusOf(at).some((other) => this.#placement.isFree(other))) return;
    for (const waiting of queue) this.#askFree(waiting, at);
  }

  /** It waits, and its VM has used up its cap. */
  isParked(vcpu: VcpuId): boolean {
    return this.#state[vcpu] === State.Queued && !this.#budgets.hasBudget(vcpu);
  }

  #mayStay(vcpu: VcpuId, at: number): boolean {
    return (
      this.#state[vcpu] === State.Queued && this.#queues.ofVcpu(vcpu) === at && !this.isParked(vcpu)
    );
  }

  #stop(vcpu: VcpuId): void {
    this.#current[this.#last[vcpu]!] = IDLE;
    this.#budgets.giveBack(vcpu);
  }

  /** The best for `pcpu`; `here` ran there until now and wants to go on. */
  #candidate(pcpu: PcpuId, queue: readonly VcpuId[], here: VcpuId): VcpuId {
    const credit = this.#queues.credit;
    const least = here === IDLE ? -Infinity : credit[here]!;
    for (const vcpu of queue) {
      if (vcpu === here || !this.#host.mayRunOn(vcpu, pcpu) || this.isParked(vcpu)) continue;
      const other = this.#tickledFor[vcpu]!;
      if (this.#rules.holdsTickles && other >= 0 && other !== pcpu && this.#tickled[other])
        continue;
      if (here !== IDLE && this.#yielded[here]) return vcpu;
      if (this.#last[vcpu] !== pcpu && least + this.#resist > credit[vcpu]!) continue;
      return credit[vcpu]! > least ? vcpu : here;
    }
    return here;
  }

  /** How long `vcpu` may run: until its credit falls to that of the first who waits. */
  #runtime(vcpu: VcpuId, queue: readonly VcpuId[], goesOn: boolean): Cycles {
    const head = queue[0];
    let credit = this.#queues.credit[vcpu]!;
    if (head !== undefined && this.#queues.credit[head]! > 0) credit -= this.#queues.credit[head]!;
    const time = Math.max(0, credit) / this.#queues.speed(vcpu);
    const least = goesOn
      ? Math.max(this.#minTurn, this.#ratelimit - this.#turn[vcpu]!)
      : this.#minTurn;
    return Math.max(Math.round(Math.min(time, this.#longest)), least);
  }

  #burn(vcpu: VcpuId, cycles: Cycles): void {
    this.#queues.credit[vcpu]! -= Math.max(0, cycles) * this.#queues.speed(vcpu);
  }

  /** Burns what those that run have run so far. */
  #burnRunning(pcpu: PcpuId, now: Cycles): void {
    const vcpu = this.#current[pcpu]!;
    if (vcpu === IDLE) return;
    const ran = this.#host.ranSinceCharge(pcpu, now);
    if (this.#state[vcpu] !== State.Running || ran <= this.#ahead[vcpu]!) return;
    this.#burn(vcpu, ran - this.#ahead[vcpu]!);
    this.#ahead[vcpu] = ran;
  }

  /** More credit for everybody in the run queue, so that `first` has some. */
  #reset(at: number, first: VcpuId, now: Cycles): void {
    const init = this.#init;
    const credit = this.#queues.credit[first]!;
    const times = 1 + (credit < -init ? Math.floor(-credit / init) : 0);
    for (const pcpu of this.#queues.pcpusOf(at)) {
      if (this.#current[pcpu] !== first) this.#burnRunning(pcpu, now);
    }
    for (const vcpu of this.#queues.membersOf(at)) {
      const more = this.#queues.credit[vcpu]! + times * init;
      this.#queues.credit[vcpu] = Math.min(more, init + this.#carryover);
    }
  }

  /** Evens out the load with the run queue that differs most. */
  #balance(at: number, now: Cycles): void {
    const own = this.#seen(at, at, now);
    let other = -1;
    let most = 0;
    for (let queue = 0; queue < this.#queues.count; queue++) {
      const difference = Math.abs(own.load - this.#loads.ofQueue(queue, now));
      if (queue !== at && difference > most) {
        most = difference;
        other = queue;
      }
    }
    if (other < 0) return;
    const [here, there] = [this.#seen(at, other, now), this.#seen(other, at, now)];
    if (!unbalanced(here, there)) return;
    const { push, pull } = bestMove(here, there);
    if (push !== undefined) this.#send(push, other, now);
    if (pull !== undefined) this.#send(pull, at, now);
  }

  /** A run queue, and its vCPUs that may go to the queue `to`. */
  #seen(at: number, to: number, now: Cycles): BalancedQueue {
    const pcpus = this.#queues.pcpusOf(to);
    const movable = this.#queues
      .membersOf(at)
      .filter(
        (vcpu) => this.#moveTo[vcpu]! < 0 && pcpus.some((pcpu) => this.#host.mayRunOn(vcpu, pcpu)),
      )
      .map((vcpu) => ({ vcpu, load: this.#loads.ofVcpu(vcpu, now) }));
    return {
      load: this.#loads.ofQueue(at, now),
      pcpus: this.#queues.pcpusOf(at).length,
      movable,
    };
  }

  /** Moves a vCPU to another run queue, as soon as it stops if it runs. */
  #send(vcpu: VcpuId, to: number, now: Cycles): void {
    this.#moveTo[vcpu] = to;
    if (this.#state[vcpu] === State.Running) {
      this.#ask(this.#last[vcpu] as PcpuId);
      return;
    }
    const queued = this.#state[vcpu] === State.Queued;
    if (queued) this.#queues.remove(vcpu);
    this.#move(vcpu, now);
    if (!queued) return;
    this.#enqueue(vcpu);
    if (!this.isParked(vcpu)) this.#tickle(vcpu, now);
  }

  #move(vcpu: VcpuId, now: Cycles): void {
    const from = this.#queues.ofVcpu(vcpu);
    const to = this.#moveTo[vcpu]!;
    this.#moveTo[vcpu] = -1;
    this.#queues.leave(vcpu);
    this.#loads.move(vcpu, from, to, now);
    this.#queues.join(vcpu, to);
    this.#last[vcpu] = this.#queues.pcpusOf(to).find((pcpu) => this.#host.mayRunOn(vcpu, pcpu))!;
  }

  #enqueue(vcpu: VcpuId): void {
    this.#queues.insert(vcpu);
    this.#state[vcpu] = State.Queued;
  }

  /** An idle pCPU, its last one first; or the one whose vCPU has least credit, if it has more. */
  #tickle(vcpu: VcpuId, now: Cycles): void {
    const last = this.#last[vcpu] as PcpuId;
    const at = this.#queues.ofVcpu(vcpu);
    if (this.#askFree(vcpu, at)) return;
    let lowest = -1;
    for (const pcpu of this.#queues.pcpusOf(at)) {
      if (this.#current[pcpu] === IDLE || this.#tickled[pcpu]) continue;
      if (!this.#host.mayRunOn(vcpu, pcpu)) continue;
      this.#burnRunning(pcpu, now);
      const current = this.#current[pcpu]!;
      const ran = this.#turn[current]! + this.#host.ranSinceCharge(pcpu, now);
      if (this.#rules.holdsTickles && ran < this.#ratelimit - this.#tolerance) continue;
      if (pcpu === last && this.#queues.credit[current]! < this.#queues.credit[vcpu]!) {
        this.#askFor(vcpu, pcpu);
        return;
      }
      if (
        lowest < 0 ||
        this.#queues.credit[current]! < this.#queues.credit[this.#current[lowest]!]!
      )
        lowest = pcpu;
    }
    if (lowest < 0) return;
    if (this.#queues.credit[this.#current[lowest]!]! + this.#resist <= this.#queues.credit[vcpu]!) {
      this.#askFor(vcpu, lowest as PcpuId);
    }
  }

  /** Asks a free pCPU of the run queue, the last one of `vcpu` first. */
  #askFree(vcpu: VcpuId, at: number): boolean {
    if (this.isParked(vcpu)) return false;
    const last = this.#last[vcpu] as PcpuId;
    for (const pcpu of [last, ...this.#queues.pcpusOf(at)]) {
      if (!this.#placement.isFree(pcpu) || !this.#host.mayRunOn(vcpu, pcpu)) continue;
      this.#askFor(vcpu, pcpu);
      return true;
    }
    return false;
  }

  #askFor(vcpu: VcpuId, pcpu: PcpuId): void {
    this.#tickledFor[vcpu] = pcpu;
    this.#ask(pcpu);
  }

  #ask(pcpu: PcpuId): void {
    this.#tickled[pcpu] = 1;
    this.#placement.ask(pcpu);
  }

  /** The cap of a VM has been renewed: those that waited for that go on. */
  #refilled(vm: VmId, now: Cycles): void {
    for (let id = 0; id < this.#state.length; id++) {
      const vcpu = id as VcpuId;
      if (this.#host.vmOf(vcpu) !== vm || this.#state[vcpu] !== State.Queued) continue;
      if (!this.isParked(vcpu)) this.#tickle(vcpu, now);
    }
  }
}
