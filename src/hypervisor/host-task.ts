import { ModelError } from '../base/errors.ts';
import type { Cycles, VcpuId, VmId } from '../base/ids.ts';
import { type EventKind, Phase } from '../engine/engine.ts';
import type { HostEngine } from '../engine/host-engine.ts';
import type { Core } from '../machine/core.ts';
import type { Scheduler } from './schedulers/scheduler.ts';
import { Runstate, Scheduled } from './vm.ts';

/** What a thread of the host is to the scheduler. */
export interface HostTaskPlan {
  readonly name: string;
  /** As `weight` of a VM. */
  readonly weight: number;
  /** pCPUs on which it may run; all of them if absent. */
  readonly pin?: readonly number[] | undefined;
  /** What the scheduler in use wants to know of a VM, complete; its defaults if absent. */
  readonly scheduling?: object | undefined;
  /** Another one, as two vCPUs of one VM are beside each other; absent: it is alone. */
  readonly beside?: HostTask | undefined;
}

/** A piece of work that has not been executed yet. */
interface Piece {
  left: Cycles;
  readonly leaf: number;
  readonly done: ((now: Cycles) => void) | undefined;
  /** What it touches when it begins, in cycles; undefined: it has begun, or touches nothing. */
  begin: ((core: Core) => Cycles) | undefined;
}

/**
 * A thread of the host: a migration thread, the sender of a log. The host's scheduler gives it
 * pCPUs among the vCPUs. It executes the work that is posted to it, piece after piece, can be
 * preempted at any cycle, and sleeps while it has none. It never enters a guest: no VMRUN, no tag;
 * its cycles are the host's, under the leaf of each piece.
 */
export class HostTask extends Scheduled {
  readonly name: string;
  /** The number of its group for the scheduler, beyond those of the VMs. */
  readonly group: VmId;
  readonly weight: number;
  /** A thread of the host has none. */
  readonly cap = 0;
  readonly pin: readonly number[] | undefined;
  readonly scheduling: object;
  /** Cycles of all pieces posted so far, and of these what has been executed. */
  posted: Cycles = 0;
  executed: Cycles = 0;
  readonly #queue: Piece[] = [];
  readonly #rouse: () => void;

  /** `rouse` has the task woken, now if it sleeps. */
  constructor(
    number: { readonly id: VcpuId; readonly group: VmId },
    plan: HostTaskPlan,
    rouse: () => void,
  ) {
    super(number.id);
    this.group = number.group;
    this.name = plan.name;
    this.weight = plan.weight;
    this.pin = plan.pin;
    this.scheduling = plan.scheduling ?? {};
    this.#rouse = rouse;
  }

  /** Pieces not finished. */
  get backlog(): number {
    return this.#queue.length;
  }

  /**
   * Queues `cycles` of work, charged to a leaf of the ledger, and wakes the task. `done` is called
   * when it has executed them, with the time of that; it may post more. `begin` touches caches and
   * TLBs of the core where it begins, and says how many cycles that adds.
   */
  post(
    cycles: Cycles,
    leaf: number,
    done?: (now: Cycles) => void,
    begin?: (core: Core) => Cycles,
  ): void {
    if (!Number.isInteger(cycles) || cycles < 0) {
      throw new ModelError(`${this.name}: a piece of ${cycles} cycles`);
    }
    this.posted += cycles;
    this.#queue.push({ left: cycles, leaf, done, begin });
    if (this.#queue.length === 1) this.#rouse();
  }

  /**
   * Drops what is queued, the piece under way included; nothing of it is called. What a piece had
   * still to do is not counted as posted either.
   */
  clear(): void {
    for (const { left } of this.#queue.splice(0)) this.posted -= left;
  }

  /**
   * Executes on `core` up to the engine's horizon. False: nothing is left, so it sleeps from the
   * core's time on.
   */
  run(core: Core, engine: HostEngine): boolean {
    for (let piece = this.#queue[0]; piece; piece = this.#queue[0]) {
      if (piece.begin) {
        const more = piece.begin(core);
        piece.begin = undefined;
        piece.left += more;
        this.posted += more;
      }
      if (piece.left > 0) {
        const cycles = Math.min(piece.left, engine.horizon - core.time);
        if (cycles <= 0) return true;
        core.charge(piece.leaf, cycles);
        core.settle();
        piece.left -= cycles;
        this.executed += cycles;
        if (piece.left > 0) return true;
      }
      this.#queue.shift();
      piece.done?.(core.time);
    }
    return false;
  }
}

export interface HostTasksDeps {
  readonly engine: HostEngine;
  /** Numbers of the first task and of its group: after all vCPUs and VMs. */
  readonly firstVcpu: number;
  readonly firstVm: number;
  /** What the scheduler in use wants to know of a VM that says nothing. */
  readonly scheduling: object;
  /** Asked for at each use, since it is made last. */
  scheduler(): Scheduler;
}

/** The threads of a host, with numbers after those of the vCPUs and VMs. */
export class HostTasks {
  readonly all: HostTask[] = [];
  /** The first one of each group. */
  readonly #groups: HostTask[] = [];
  readonly #deps: HostTasksDeps;
  readonly #wake: EventKind;
  #started = false;

  constructor(deps: HostTasksDeps) {
    this.#deps = deps;
    this.#wake = deps.engine.defineEvent(Phase.Deliver, (now, i) =>
      this.#awaken(this.all[i]!, now),
    );
  }

  /** A new thread of the host. Before the scheduler is made: it counts who there is. */
  add(plan: HostTaskPlan): HostTask {
    if (this.#started) throw new ModelError(`${plan.name} comes after the scheduler`);
    const { engine, firstVcpu, firstVm, scheduling } = this.#deps;
    const i = this.all.length;
    const rouse = () => engine.schedule(engine.here, this.#wake, i);
    const group = plan.beside?.group ?? ((firstVm + this.#groups.length) as VmId);
    const number = { id: (firstVcpu + i) as VcpuId, group };
    const task = new HostTask(number, { scheduling, ...plan }, rouse);
    task.timebase = engine.timebase;
    this.all.push(task);
    if (!plan.beside) this.#groups.push(task);
    return task;
  }

  /** By the number that the scheduler knows it by. */
  of(id: VcpuId): HostTask {
    return this.all[id - this.#deps.firstVcpu]!;
  }

  get groups(): number {
    return this.#groups.length;
  }

  /** The first one of the group with that number. */
  inGroup(vm: VmId): HostTask {
    return this.#groups[vm - this.#deps.firstVm]!;
  }

  /** Makes all of them known to the scheduler. */
  start(): void {
    this.#started = true;
    for (const task of this.all) this.#deps.scheduler().insert(task.id, 0);
    for (const task of this.all) if (task.backlog > 0) this.#awaken(task, 0);
  }

  /** The host loses power: nothing of what they had to do is done. */
  stop(now: Cycles): void {
    for (const task of this.all) {
      task.clear();
      if (task.state !== Runstate.Off) task.enter(Runstate.Off, now);
    }
  }

  /** After an accounting pass: tasks that the scheduler holds back are parked, not ready. */
  refreshParked(now: Cycles): void {
    const scheduler = this.#deps.scheduler();
    for (const task of this.all) {
      if (task.state !== Runstate.Ready && task.state !== Runstate.Parked) continue;
      const state = scheduler.isParked(task.id) ? Runstate.Parked : Runstate.Ready;
      if (state !== task.state) task.enter(state, now);
    }
  }

  #awaken(task: HostTask, now: Cycles): void {
    if (!this.#started || task.state !== Runstate.Blocked || task.backlog === 0) return;
    const scheduler = this.#deps.scheduler();
    const at = Math.max(now, task.since);
    task.enter(Runstate.Ready, at);
    scheduler.wake(task.id, at);
    if (scheduler.isParked(task.id)) task.enter(Runstate.Parked, at);
  }
}
