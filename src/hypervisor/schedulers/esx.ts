import type { Cycles, PcpuId, VcpuId } from '../../base/ids.ts';
import { toCycles } from '../../base/units.ts';
import { type Claim, entitlements } from './esx-entitlements.ts';
import { checkReservation, type Params, params, type VmParams, vmParams } from './esx-params.ts';
import { drop, Placement } from './placement.ts';
import {
  type Decision,
  IDLE,
  type PolicyTimer,
  type Scheduler,
  type SchedulerDefinition,
  type SchedulerHost,
} from './scheduler.ts';

/** Cpu.BoundLagQuanta: lag behind an entitlement beyond so many quanta is forgotten. */
const BOUND_LAG_QUANTA = 8;
/** Cpu.MigratePeriod of a shared L3 and of packages: how often a pCPU may fetch from there. */
const SOCKET_PS = 20e9;
const HOST_PS = 2000e9;
/** How many pCPUs an idle one, or one looking for a place to wake, looks at. */
const LOOKS_AT = 4;
/** Cpu.CoschedPollUsec: how often the VMkernel looks round. */
const POLL_PS = 1e9;
/**
 * Cpu.LimitEnforcementThreshold: so far over its limit a VM is stopped, for a quantum (assumed).
 */
const LIMIT_PS = 200e9;
/** Cpu.CreditAgePeriod. */
const AGE_PS = 3000e9;
// All of these: defaults listed by later versions of ESXi; assumed for 3 and 4.

/**
 * Proportional share as VMware describes it: a vCPU is entitled to a part of the host by its
 * `weight` (shares are per vCPU: 1000 is normal, only the ratio matters), never less than its
 * `reservation` nor more than its `cap` (ESX calls it limit). Its virtual time is what it has
 * consumed over what it is entitled to; the vCPU with the least runs, and preempts one with more
 * when it wakes. A pCPU has its own queue and fetches from others when it idles and every 20 ms
 * (2 s from other sockets). The algorithm is not public: this is one that agrees with the resource
 * guides and with the settings that ESXi lists; preemption as soon as the one that woke is further
 * behind, and lag counted from the least virtual time, are assumed. Co-scheduling does not arise:
 * guests have one vCPU.
 */
export const esx: SchedulerDefinition<typeof params, typeof vmParams> = {
  name: 'esx',
  summary: 'VMware ESX: entitlement by shares, reservation and limit; who is furthest behind runs',
  params,
  vmParams,
  // An idle pCPU looks round each time the VMkernel polls.
  workConserving: { within: 'host', delay: 2e9 },
  check: checkReservation,
  shows: 'quantum',
  turn: ({ quantum }) => quantum,
  create: (chosen, host) => new Esx(chosen, host),
};

const State = { Blocked: 0, Ready: 1, Running: 2 } as const;

class Esx implements Scheduler {
  readonly sliceReferences = 0;
  readonly #host: SchedulerHost<VmParams>;
  readonly #placement: Placement;
  readonly #quantum: Cycles;
  readonly #stopAbove: Cycles;
  readonly #goBelow: Cycles;
  /** Makes run states agree with `isParked` when a limit is reached. */
  readonly #settle: PolicyTimer;
  /** By pCPU: ready vCPUs; who runs; when it last fetched from its socket and from others. */
  readonly #queues: VcpuId[][];
  readonly #current: VcpuId[];
  /** By pCPU: when the vCPU that runs falls behind nobody who has woken any more. */
  readonly #overtaken: PolicyTimer[];
  readonly #fetchedNear: Float64Array;
  readonly #fetchedFar: Float64Array;
  /** By vCPU. */
  readonly #home: PcpuId[] = [];
  readonly #state: Uint8Array;
  readonly #claims: Claim[] = [];
  readonly #entitled: Float64Array;
  readonly #vtime: Float64Array;
  readonly #ahead: Float64Array;
  /** Cycles over its limit, if it has one, and until when that was counted. */
  readonly #over: Float64Array;
  readonly #overAt: Float64Array;
  readonly #parked: Uint8Array;
  readonly #asked: Uint8Array;
  /** By vCPU: it has not run since it woke. */
  readonly #woken: Uint8Array;
  readonly #socketPeriod: Cycles;
  readonly #hostPeriod: Cycles;
  /** Least virtual time of all that were awake: it never falls. */
  #least = 0;
  /** Who is awake has changed: entitlements are out of date. */
  #changed = true;

  constructor(chosen: Params, host: SchedulerHost<VmParams>) {
    const { pcpuCount, vcpuCount, mhz } = host;
    const cycles = (ps: number) => toCycles(ps, mhz);
    this.#host = host;
    this.#placement = new Placement(host);
    this.#quantum = cycles(chosen.quantum);
    this.#stopAbove = cycles(LIMIT_PS);
    this.#goBelow = Math.max(0, this.#stopAbove - this.#quantum);
    this.#socketPeriod = cycles(SOCKET_PS);
    this.#hostPeriod = cycles(HOST_PS);
    this.#settle = host.timer(() => {});
    this.#queues = Array.from({ length: pcpuCount }, () => []);
    this.#current = new Array<VcpuId>(pcpuCount).fill(IDLE);
    this.#fetchedNear = new Float64Array(pcpuCount);
    this.#fetchedFar = new Float64Array(pcpuCount);
    this.#state = new Uint8Array(vcpuCount);
    this.#entitled = new Float64Array(vcpuCount).fill(1);
    this.#vtime = new Float64Array(vcpuCount);
    this.#ahead = new Float64Array(vcpuCount);
    // As if all had been at their limits for long: a window of some ms shows what hours would.
    this.#over = new Float64Array(vcpuCount).fill(this.#goBelow);
    this.#overAt = new Float64Array(vcpuCount);
    this.#parked = new Uint8Array(vcpuCount);
    this.#asked = new Uint8Array(pcpuCount);
    this.#woken = new Uint8Array(vcpuCount);
    this.#overtaken = this.#queues.map((_, id) =>
      host.timer((now) => this.#reconsider(id as PcpuId, now), id as PcpuId),
    );
    host.every(cycles(POLL_PS), (now) => this.#poll(now));
    host.every(cycles(AGE_PS), () => this.#age());
  }

  insert(vcpu: VcpuId, now: Cycles): void {
    const vm = this.#host.vmOf(vcpu);
    let siblings = 0;
    for (let id = 0; id < this.#host.vcpuCount; id++) {
      if (this.#host.vmOf(id as VcpuId) === vm) siblings++;
    }
    const cap = this.#host.capOf(vm);
    this.#home[vcpu] = this.#placement.place(vcpu);
    this.#overAt[vcpu] = now;
    this.#claims[vcpu] = {
      shares: this.#host.weightOf(vm),
      reservation: this.#host.paramsOf(vm).reservation / 100 / siblings,
      limit: cap > 0 ? Math.min(1, cap / 100 / siblings) : 1,
    };
  }

  remove(vcpu: VcpuId): void {
    this.#placement.leave(this.#home[vcpu]!);
  }

  wake(vcpu: VcpuId, now: Cycles): void {
    this.#state[vcpu] = State.Ready;
    this.#woken[vcpu] = 1;
    this.#changed = true;
    this.#entitle();
    this.#bound(vcpu);
    this.#checkLimit(vcpu, now, 0);
    this.#home[vcpu] = this.#placeToWake(vcpu);
    this.#queues[this.#home[vcpu]!]!.push(vcpu);
    if (!this.#parked[vcpu]) this.#tickle(vcpu, now);
  }

  sleep(vcpu: VcpuId): void {
    const home = this.#home[vcpu]!;
    if (!drop(this.#queues[home]!, vcpu)) this.#current[home] = IDLE;
    this.#state[vcpu] = State.Blocked;
    this.#parked[vcpu] = 0;
    this.#changed = true;
  }

  yield(vcpu: VcpuId): void {
    this.preempted(vcpu);
  }

  preempted(vcpu: VcpuId): void {
    const home = this.#home[vcpu]!;
    this.#current[home] = IDLE;
    this.#state[vcpu] = State.Ready;
    this.#queues[home]!.push(vcpu);
  }

  charge(vcpu: VcpuId, _pcpu: PcpuId, ran: Cycles, now: Cycles): void {
    this.#consume(vcpu, ran - this.#ahead[vcpu]!, now);
    this.#ahead[vcpu] = 0;
  }

  pick(pcpu: PcpuId, now: Cycles, out: Decision): void {
    this.#asked[pcpu] = 0;
    this.#overtaken[pcpu]!.disarm();
    this.#entitle();
    let next = this.#first(this.#queues[pcpu]!, pcpu);
    const better = this.#fetch(pcpu, next, now);
    if (better !== IDLE) next = better;
    out.vcpu = next;
    out.slice = this.#quantum;
    this.#current[pcpu] = next;
    if (next === IDLE) {
      this.#placement.setIdle(pcpu);
      return;
    }
    const queue = this.#queues[this.#home[next]!]!;
    queue.splice(queue.indexOf(next), 1);
    this.#home[next] = pcpu;
    this.#state[next] = State.Running;
    this.#woken[next] = 0;
    this.#placement.setBusy(pcpu);
    this.#reconsider(pcpu, now);
  }

  isParked(vcpu: VcpuId): boolean {
    return this.#parked[vcpu] === 1 && this.#state[vcpu] === State.Ready;
  }

  /** The one in `queue` that is furthest behind and may run on `pcpu`. */
  #first(queue: readonly VcpuId[], pcpu: PcpuId): VcpuId {
    let first = IDLE;
    for (const vcpu of queue) {
      if (this.#parked[vcpu] || !this.#host.mayRunOn(vcpu, pcpu)) continue;
      if (first === IDLE || this.#vtime[vcpu]! < this.#vtime[first]!) first = vcpu;
    }
    return first;
  }

  /**
   * A vCPU of another pCPU: any when this one idles, else one that is further behind than `own`.
   */
  #fetch(pcpu: PcpuId, own: VcpuId, now: Cycles): VcpuId {
    const { pcpuCount, pcpusPerSocket } = this.#host;
    const near = now - this.#fetchedNear[pcpu]! >= this.#socketPeriod;
    const far = now - this.#fetchedFar[pcpu]! >= this.#hostPeriod;
    if (own !== IDLE && !near && !far) return IDLE;
    const socketOf = (id: number) => Math.floor(id / pcpusPerSocket);
    const lead = own === IDLE ? 0 : this.#quantum;
    let best = own;
    let looked = 0;
    for (let step = 1; step < pcpuCount; step++) {
      const other = ((pcpu + step) % pcpuCount) as PcpuId;
      if (this.#queues[other]!.length === 0 || this.#placement.isIdle(other)) continue;
      const isNear = socketOf(other) === socketOf(pcpu);
      if (own !== IDLE && !(isNear ? near : far)) continue;
      if (own === IDLE && looked++ >= LOOKS_AT) break;
      const found = this.#first(this.#queues[other]!, pcpu);
      if (found === IDLE) continue;
      if (best === IDLE || this.#vtime[found]! + lead < this.#vtime[best]!) best = found;
    }
    if (best === own) return IDLE;
    if (near) this.#fetchedNear[pcpu] = now;
    if (far) this.#fetchedFar[pcpu] = now;
    return best;
  }

  /** Its pCPU if that idles, or one of the next few that does. */
  #placeToWake(vcpu: VcpuId): PcpuId {
    const home = this.#home[vcpu]!;
    const { pcpuCount } = this.#host;
    for (let step = 0; step < Math.min(LOOKS_AT + 1, pcpuCount); step++) {
      const pcpu = ((home + step) % pcpuCount) as PcpuId;
      if (this.#placement.isFree(pcpu) && this.#host.mayRunOn(vcpu, pcpu)) return pcpu;
    }
    return home;
  }

  /** It is ready on its pCPU: that runs it if it idles, or if it runs one that is less behind. */
  #tickle(vcpu: VcpuId, now: Cycles): void {
    const home = this.#home[vcpu]!;
    if (this.#placement.isIdle(home)) {
      this.#placement.ask(home);
      return;
    }
    this.#reconsider(home, now);
  }

  /**
   * Lets a vCPU that has woken preempt the one that runs, as soon as it is further behind. Those
   * that did not sleep wait for the end of a quantum.
   */
  #reconsider(pcpu: PcpuId, now: Cycles): void {
    const current = this.#current[pcpu]!;
    if (current === IDLE || this.#asked[pcpu]) return; // its pass is under way
    this.#consumeRunning(pcpu, now);
    let ahead = Infinity;
    for (const vcpu of this.#queues[pcpu]!) {
      if (!this.#woken[vcpu] || this.#parked[vcpu]) continue;
      if (!this.#host.mayRunOn(vcpu, pcpu)) continue;
      ahead = Math.min(ahead, this.#vtime[vcpu]! - this.#vtime[current]!);
    }
    if (ahead < 0) {
      this.#asked[pcpu] = 1;
      this.#placement.ask(pcpu);
    } else if (ahead < Infinity) {
      this.#overtaken[pcpu]!.arm(now + 1 + ahead * this.#entitled[current]!);
    }
  }

  #consumeRunning(pcpu: PcpuId, now: Cycles): void {
    const vcpu = this.#current[pcpu]!;
    if (vcpu === IDLE) return;
    const ran = this.#host.ranSinceCharge(pcpu, now);
    this.#consume(vcpu, ran - this.#ahead[vcpu]!, now);
    this.#ahead[vcpu] = Math.max(ran, this.#ahead[vcpu]!);
  }

  #consume(vcpu: VcpuId, cycles: Cycles, now: Cycles): void {
    const consumed = Math.max(0, cycles);
    this.#vtime[vcpu]! += consumed / this.#entitled[vcpu]!;
    this.#checkLimit(vcpu, now, consumed);
  }

  /** Counts what it is over its limit; stops it above the threshold, until a quantum is made up. */
  #checkLimit(vcpu: VcpuId, now: Cycles, consumed: Cycles): void {
    const { limit } = this.#claims[vcpu]!;
    if (limit === 1) return;
    const passed = Math.max(0, now - this.#overAt[vcpu]!);
    this.#overAt[vcpu] = Math.max(now, this.#overAt[vcpu]!);
    this.#over[vcpu] = Math.max(0, this.#over[vcpu]! + consumed - passed * limit);
    const parked = this.#over[vcpu]! > (this.#parked[vcpu] ? this.#goBelow : this.#stopAbove);
    if (parked === (this.#parked[vcpu] === 1)) return;
    this.#parked[vcpu] = Number(parked);
    this.#settle.arm(now);
  }

  #poll(now: Cycles): void {
    for (let id = 0; id < this.#current.length; id++) {
      const pcpu = id as PcpuId;
      const current = this.#current[pcpu]!;
      this.#consumeRunning(pcpu, now);
      if (current !== IDLE && this.#parked[current]) this.#placement.ask(pcpu);
    }
    for (let id = 0; id < this.#state.length; id++) {
      const vcpu = id as VcpuId;
      if (this.#state[vcpu] !== State.Ready) continue;
      const wasParked = this.#parked[vcpu];
      this.#checkLimit(vcpu, now, 0);
      if (wasParked && !this.#parked[vcpu]) this.#tickle(vcpu, now);
    }
    this.#offer();
  }

  /** Idle pCPUs come and fetch what waits within their reach. */
  #offer(): void {
    const { pcpuCount } = this.#host;
    for (let id = 0; id < pcpuCount; id++) {
      const pcpu = id as PcpuId;
      if (!this.#placement.isFree(pcpu)) continue;
      for (let step = 1; step < pcpuCount; step++) {
        const other = ((pcpu + step) % pcpuCount) as PcpuId;
        if (this.#placement.isIdle(other)) continue;
        if (this.#first(this.#queues[other]!, pcpu) === IDLE) continue;
        this.#placement.ask(pcpu);
        break;
      }
    }
  }

  /** New entitlements when it has changed who is awake; the least virtual time as well. */
  #entitle(): void {
    let least = Infinity;
    const awake: VcpuId[] = [];
    for (let id = 0; id < this.#state.length; id++) {
      if (this.#state[id] === State.Blocked) continue;
      awake.push(id as VcpuId);
      least = Math.min(least, this.#vtime[id]!);
    }
    if (least < Infinity) this.#least = Math.max(this.#least, least);
    if (!this.#changed) return;
    this.#changed = false;
    const entitled = entitlements(
      awake.map((vcpu) => this.#claims[vcpu]!),
      this.#host.pcpuCount,
    );
    for (const [i, vcpu] of awake.entries()) this.#entitled[vcpu] = entitled[i]!;
  }

  /** Forgets lag, and lead, beyond so many quanta. */
  #bound(vcpu: VcpuId): void {
    const most = (BOUND_LAG_QUANTA * this.#quantum) / this.#entitled[vcpu]!;
    const vtime = Math.max(this.#vtime[vcpu]!, this.#least - most);
    this.#vtime[vcpu] = Math.min(vtime, this.#least + most);
  }

  #age(): void {
    this.#entitle();
    for (const [vcpu, state] of this.#state.entries()) {
      if (state !== State.Blocked) this.#bound(vcpu as VcpuId);
    }
  }
}
