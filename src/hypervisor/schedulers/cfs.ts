import * as z from 'zod';
import type { Cycles, PcpuId, VcpuId, VmId } from '../../base/ids.ts';
import { toCycles } from '../../base/units.ts';
import { Bandwidth } from './cfs-bandwidth.ts';
import { FairQueue, GroupEntity, NICE_0, VcpuEntity } from './cfs-queue.ts';
import { FairRules, KERNELS, type KernelVersion } from './cfs-rules.ts';
import { Placement } from './placement.ts';
import {
  type Decision,
  IDLE,
  type Scheduler,
  type SchedulerDefinition,
  type SchedulerHost,
} from './scheduler.ts';

/** sysctl_sched_migration_cost: a vCPU that ran so recently has its data in the caches. */
const MIGRATION_COST_PS = 500e6;
/** A busy pCPU looks for a fuller one this often: 64 times the interval of an idle one; assumed. */
const BALANCE_PS = 64e9;
/** So many lengths that interval has, a tick apart: it must not keep step with turns. */
const BALANCE_VARIES = 5;
/** Its load is too far from its own above this ratio: imbalance_pct of a scheduling domain. */
const IMBALANCE = 1.25;
/**
 * Shares of a group per unit of `weight`: the default of a VM stands for the default of a group.
 */
const SHARES = NICE_0 / 256;

const params = z.object({
  version: z
    .enum(Object.keys(KERNELS) as [KernelVersion, ...KernelVersion[]])
    .prefault('2.6.33')
    .describe(
      'whose numbers: Linux 2.6.28 to 2.6.31, 2.6.32 and 2.6.33, or 3.2 with caps; default 2.6.33',
    ),
  hz: z
    .literal([100, 250, 1000])
    .meta({ unit: 'Hz' })
    .prefault(250) // CONFIG_HZ of most distributions; RHEL has 1000
    .describe(
      'host ticks in a second, at which turns end (costs.hostHz is what a tick costs); default 250',
    ),
});
type Params = z.output<typeof params>;

/**
 * The completely fair scheduler of Linux, under which a vCPU of KVM is a thread
 * (kernel/sched_fair.c): the vCPU with the least virtual time runs, for its part of a period that
 * all share. Turns end at host ticks only. Who wakes up is put back a little in virtual time, and
 * preempts whoever is ahead of it by more than a granularity. Each VM is a control group, as
 * libvirt makes them: weights are per VM, not per vCPU. Left out: next buddies and wake_affine,
 * which need to know who wakes whom; shares of a group that runs on several pCPUs follow at once
 * instead of after 0.25 ms.
 */
export const cfs: SchedulerDefinition<typeof params> = {
  name: 'cfs',
  summary:
    'Linux CFS for KVM: fair shares of a period, turns end at host ticks, no caps before 3.2',
  params,
  // An idle pCPU looks round at its next tick.
  workConserving: { within: 'host', delay: 12e9 },
  idle: ({ version }) =>
    version === '3.2.0' ? {} : { cap: `Linux ${version} has no caps: they came with 3.2` },
  shows: 'version',
  turn({ version, hz }, pcpus, sharing) {
    const { latency, least } = new FairRules(version, pcpus, 1e6); // in picoseconds
    const tick = 1e12 / hz;
    const slice = Math.max(latency / Math.max(2, sharing), least);
    return tick * (1 + Math.floor(slice / tick));
  },
  create: (chosen, host) => new Cfs(chosen, host),
};

class Cfs implements Scheduler {
  readonly sliceReferences = 0;
  readonly #host: SchedulerHost;
  readonly #placement: Placement;
  readonly #rules: FairRules;
  readonly #bandwidth: Bandwidth;
  readonly #hot: Cycles;
  readonly #balanceTicks: number;
  #ticks = 0;
  #balances = 0;
  /** By pCPU: the tick at which it looks for a fuller one, evenly spread. */
  readonly #nextBalance: number[];
  /** By pCPU: its queue; its groups by VM; the vCPU that runs. */
  readonly #roots: FairQueue[];
  readonly #groups: GroupEntity[][];
  readonly #current: VcpuId[];
  /** By vCPU. */
  readonly #entities: VcpuEntity[] = [];
  readonly #home: PcpuId[] = [];
  readonly #isNew: Uint8Array;
  readonly #stoppedAt: Float64Array;
  readonly #ahead: Float64Array;
  /** Cycles from a wake-up to the next sleep: of this time, and on average. */
  readonly #burst: Float64Array;
  readonly #average: Float64Array;

  constructor({ version, hz }: Params, host: SchedulerHost) {
    const { pcpuCount, vcpuCount, vmCount, mhz } = host;
    this.#host = host;
    this.#placement = new Placement(host);
    this.#rules = new FairRules(version, pcpuCount, mhz);
    const hasCaps = version === '3.2.0';
    this.#bandwidth = new Bandwidth(host, hasCaps, (group) => this.#release(group));
    this.#hot = toCycles(MIGRATION_COST_PS, mhz);
    this.#balanceTicks = Math.round((BALANCE_PS / 1e12) * hz);
    this.#nextBalance = Array.from({ length: pcpuCount }, (_, id) =>
      Math.round(this.#balanceTicks * (1 + id / pcpuCount)),
    );
    this.#roots = Array.from({ length: pcpuCount }, () => new FairQueue());
    this.#groups = this.#roots.map((root, pcpu) =>
      Array.from({ length: vmCount }, (_, vm) => new GroupEntity(vm as VmId, pcpu as PcpuId, root)),
    );
    this.#current = new Array<VcpuId>(pcpuCount).fill(IDLE);
    this.#isNew = new Uint8Array(vcpuCount).fill(1);
    this.#stoppedAt = new Float64Array(vcpuCount).fill(-Infinity);
    this.#ahead = new Float64Array(vcpuCount);
    this.#burst = new Float64Array(vcpuCount);
    this.#average = new Float64Array(vcpuCount).fill(this.#rules.wakeup);
    host.every(Math.round((mhz * 1e6) / hz), (now) => this.#tickAll(now));
  }

  insert(vcpu: VcpuId): void {
    const home = this.#placement.place(vcpu);
    this.#home[vcpu] = home;
    this.#entities[vcpu] = new VcpuEntity(vcpu, this.#groupOf(vcpu, home).own);
  }

  remove(vcpu: VcpuId): void {
    this.#placement.leave(this.#home[vcpu]!);
    this.#isNew[vcpu] = 1;
  }

  wake(vcpu: VcpuId, now: Cycles): void {
    const home = this.#placeToWake(vcpu);
    if (home !== this.#home[vcpu]) this.#migrate(vcpu, home);
    this.#activate(vcpu, true);
    const group = this.#groupOf(vcpu, home);
    if (group.throttled) return;
    if (this.#placement.isIdle(home)) this.#placement.ask(home);
    else this.#checkPreemption(vcpu, home, now);
  }

  sleep(vcpu: VcpuId, now: Cycles): void {
    const home = this.#home[vcpu]!;
    const group = this.#groupOf(vcpu, home);
    if (this.#current[home] !== vcpu) {
      // It waits: others of its VM may run there.
      this.#deactivate(vcpu);
      if (group.own.active === 0) this.#closeGroup(group);
      return;
    }
    this.#current[home] = IDLE;
    this.#stoppedAt[vcpu] = now;
    // The kernel asks how long a thread runs before it wakes another; a vCPU wakes the thread that
    // does its input and output before it sleeps (assumed).
    this.#average[vcpu]! += (this.#burst[vcpu]! - this.#average[vcpu]!) / 8;
    this.#burst[vcpu] = 0;
    this.#deactivate(vcpu);
    this.#closeGroup(group);
  }

  /** sched_yield: as if its turn were over. */
  yield(vcpu: VcpuId, now: Cycles): void {
    const entity = this.#entities[vcpu]!;
    const group = this.#groupOf(vcpu, this.#home[vcpu]!);
    this.preempted(vcpu, now);
    for (const one of [entity, group]) {
      if (!one.active) continue;
      const furthest = Math.max(...one.queue.waiting.map(({ vruntime }) => vruntime));
      one.vruntime = Math.max(one.vruntime, furthest);
    }
  }

  preempted(vcpu: VcpuId, now: Cycles): void {
    const home = this.#home[vcpu]!;
    this.#current[home] = IDLE;
    this.#stoppedAt[vcpu] = now;
    const group = this.#groupOf(vcpu, home);
    group.own.putBack();
    this.#closeGroup(group);
  }

  charge(vcpu: VcpuId, pcpu: PcpuId, ran: Cycles): void {
    this.#account(vcpu, pcpu, ran - this.#ahead[vcpu]!);
    this.#ahead[vcpu] = 0;
  }

  pick(pcpu: PcpuId, now: Cycles, out: Decision): void {
    const root = this.#roots[pcpu]!;
    if (root.active === 0) this.#pull(pcpu, now, false);
    const group = this.#rules.next(root) as GroupEntity | undefined;
    if (!group) {
      out.vcpu = IDLE;
      this.#current[pcpu] = IDLE;
      this.#placement.setIdle(pcpu);
      return;
    }
    const { own } = group;
    const { vcpu } = this.#rules.next(own) as VcpuEntity;
    root.run(group);
    own.run(this.#entities[vcpu]!);
    out.vcpu = vcpu;
    out.slice = Infinity; // until a tick says otherwise
    this.#current[pcpu] = vcpu;
    this.#placement.setBusy(pcpu);
  }

  /** Its VM is out of its cap on that pCPU. */
  isParked(vcpu: VcpuId): boolean {
    const { active, queue } = this.#entities[vcpu]!;
    if (!active || queue.current === this.#entities[vcpu]) return false;
    return this.#groupOf(vcpu, this.#home[vcpu]!).throttled;
  }

  #groupOf(vcpu: VcpuId, pcpu: PcpuId): GroupEntity {
    return this.#groups[pcpu]![this.#host.vmOf(vcpu)]!;
  }

  /** Joins the queue of its VM, and the VM that of the pCPU if it was not there. */
  #activate(vcpu: VcpuId, woken: boolean): void {
    const entity = this.#entities[vcpu]!;
    const group = this.#groupOf(vcpu, this.#home[vcpu]!);
    if (this.#isNew[vcpu]) this.#rules.placeNew(entity);
    else if (woken) this.#rules.placeSleeper(entity);
    this.#isNew[vcpu] = 0;
    entity.queue.enqueue(entity);
    this.#reweigh(group.vm);
    if (group.active || group.throttled) return;
    if (woken) this.#rules.placeSleeper(group);
    else group.vruntime = Math.max(group.vruntime, group.queue.minVruntime);
    group.queue.enqueue(group);
  }

  #deactivate(vcpu: VcpuId): void {
    const entity = this.#entities[vcpu]!;
    entity.queue.dequeue(entity);
  }

  /** The vCPU that ran of it has stopped: the group waits, sleeps or is throttled. */
  #closeGroup(group: GroupEntity): void {
    const { own, queue } = group;
    if (own.active === 0) this.#bandwidth.giveBack(group);
    if (own.active === 0 || group.throttled) {
      if (group.active) queue.dequeue(group);
    } else if (queue.current === group) queue.putBack();
    this.#reweigh(group.vm);
  }

  /** Divides the shares of a VM between the pCPUs on which it is active. */
  #reweigh(vm: VmId): void {
    let all = 0;
    for (const groups of this.#groups) all += groups[vm]!.own.active;
    if (all === 0) return;
    const shares = this.#host.weightOf(vm) * SHARES;
    for (const groups of this.#groups) {
      const group = groups[vm]!;
      const weight = Math.max(2, (shares * group.own.active) / all); // MIN_SHARES
      if (group.own.active > 0) group.queue.reweigh(group, weight);
    }
  }

  #account(vcpu: VcpuId, pcpu: PcpuId, cycles: Cycles): void {
    if (cycles <= 0) return;
    const group = this.#groupOf(vcpu, pcpu);
    this.#burst[vcpu]! += cycles;
    group.own.charge(cycles);
    group.queue.charge(cycles);
    if (this.#bandwidth.use(group, cycles)) group.throttled = true;
  }

  #accountRunning(pcpu: PcpuId, now: Cycles): void {
    const vcpu = this.#current[pcpu]!;
    if (vcpu === IDLE) return;
    const ran = this.#host.ranSinceCharge(pcpu, now);
    this.#account(vcpu, pcpu, ran - this.#ahead[vcpu]!);
    this.#ahead[vcpu] = Math.max(ran, this.#ahead[vcpu]!);
  }

  #tickAll(now: Cycles): void {
    this.#ticks++;
    for (let id = 0; id < this.#roots.length; id++) {
      const pcpu = id as PcpuId;
      const vcpu = this.#current[pcpu]!;
      if (vcpu !== IDLE) {
        this.#accountRunning(pcpu, now);
        const group = this.#groupOf(vcpu, pcpu);
        const isOver =
          this.#rules.isOver([this.#entities[vcpu]!, group]) || this.#rules.isOver([group]);
        if (isOver || group.throttled) this.#placement.ask(pcpu);
      }
      const balance = this.#ticks === this.#nextBalance[id];
      if (balance)
        this.#nextBalance[id]! += this.#balanceTicks + (this.#balances++ % BALANCE_VARIES);
      const idle = this.#placement.isFree(pcpu);
      if ((idle || balance) && this.#pull(pcpu, now, true) && idle) this.#placement.ask(pcpu);
    }
  }

  /** `vcpu` has woken up on a busy pCPU: does it preempt the one that runs there? */
  #checkPreemption(vcpu: VcpuId, pcpu: PcpuId, now: Cycles): void {
    const running = this.#current[pcpu]!;
    if (running === IDLE) return; // between two vCPUs: its pass is under way
    this.#accountRunning(pcpu, now);
    const [group, other] = [this.#groupOf(vcpu, pcpu), this.#groupOf(running, pcpu)];
    // Compared where both are in the same queue.
    const [woken, current] =
      group === other ? [this.#entities[vcpu]!, this.#entities[running]!] : [group, other];
    if (!this.#rules.preempts(woken, current, this.#average[vcpu]!)) return;
    if (this.#rules.hasBuddies(current.queue)) {
      other.queue.last = other;
      other.own.last = this.#entities[running]!;
    }
    this.#placement.ask(pcpu);
  }

  /** Where it ran if that idles, a pCPU of the same socket that idles, or where it ran. */
  #placeToWake(vcpu: VcpuId): PcpuId {
    const home = this.#home[vcpu]!;
    if (this.#placement.isIdle(home)) return home;
    const { pcpuCount, pcpusPerSocket } = this.#host;
    const first = Math.floor(home / pcpusPerSocket) * pcpusPerSocket;
    for (let step = 1; step < pcpusPerSocket; step++) {
      const other = (first + ((home - first + step) % pcpusPerSocket)) as PcpuId;
      if (other >= pcpuCount || !this.#placement.isFree(other)) continue;
      if (this.#host.mayRunOn(vcpu, other)) return other;
    }
    return home;
  }

  /** An inactive vCPU changes its pCPU: its virtual time counts from that of its queue. */
  #migrate(vcpu: VcpuId, to: PcpuId): void {
    const entity = this.#entities[vcpu]!;
    const from = entity.queue;
    entity.queue = this.#groupOf(vcpu, to).own;
    entity.vruntime += entity.queue.minVruntime - from.minVruntime;
    this.#home[vcpu] = to;
  }

  /** Takes a waiting vCPU over from the fullest pCPU; true if there was one. */
  #pull(pcpu: PcpuId, now: Cycles, evenHot: boolean): boolean {
    const own = this.#roots[pcpu]!.load;
    const mean = this.#roots.reduce((sum, { load }) => sum + load, 0) / this.#roots.length;
    let best: VcpuEntity | undefined;
    let most = own * IMBALANCE;
    for (const peer of this.#peers(pcpu)) {
      const { load } = this.#roots[peer]!;
      if (load <= most || this.#placement.isIdle(peer)) continue;
      const room =
        own === 0 ? Infinity : this.#rules.room(this.#roots[pcpu]!, this.#roots[peer]!, mean);
      const found = this.#movable(peer, pcpu, room, now, evenHot);
      if (!found) continue;
      best = found;
      most = load;
    }
    if (!best) return false;
    const group = this.#groupOf(best.vcpu, this.#home[best.vcpu]!);
    this.#deactivate(best.vcpu);
    if (group.own.active === 0) this.#closeGroup(group);
    this.#migrate(best.vcpu, pcpu);
    this.#activate(best.vcpu, false);
    return true;
  }

  /** pCPUs of the same socket, then the others. */
  #peers(pcpu: PcpuId): PcpuId[] {
    const { pcpuCount, pcpusPerSocket } = this.#host;
    const socketOf = (id: number) => Math.floor(id / pcpusPerSocket);
    const all = Array.from({ length: pcpuCount - 1 }, (_, i) => (pcpu + 1 + i) % pcpuCount);
    const near = all.filter((id) => socketOf(id) === socketOf(pcpu));
    return [...near, ...all.filter((id) => socketOf(id) !== socketOf(pcpu))] as PcpuId[];
  }

  /** A vCPU that waits on `from`, may run on `to`, and is no more than twice as heavy as `room`. */
  #movable(from: PcpuId, to: PcpuId, room: number, now: Cycles, evenHot: boolean) {
    for (const group of this.#groups[from]!) {
      if (group.throttled) continue;
      for (const entity of group.own.waiting as VcpuEntity[]) {
        if (!this.#host.mayRunOn(entity.vcpu, to)) continue;
        if (!evenHot && now - this.#stoppedAt[entity.vcpu]! < this.#hot) continue;
        if (group.weight / group.own.active / 2 <= room) return entity;
      }
    }
    return undefined;
  }

  /** A new period of its cap: the VM may run on that pCPU again. */
  #release(group: GroupEntity): void {
    group.throttled = false;
    const { own, pcpu, queue } = group;
    if (own.active === 0 || group.active) return;
    this.#rules.placeSleeper(group);
    queue.enqueue(group);
    this.#reweigh(group.vm);
    if (this.#placement.isIdle(pcpu)) this.#placement.ask(pcpu);
  }
}
