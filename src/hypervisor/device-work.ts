import type { Cycles } from '../base/ids.ts';
import type { HostEngine } from '../engine/host-engine.ts';
import type { Core } from '../machine/core.ts';
import { Leaf } from '../stats/leaves.ts';
import type { HypervisorCosts } from './costs.ts';
import type { Device } from './devices.ts';
import type { DiskService } from './disk.ts';
import { type DiskIo, UNAWAITED, Vector } from './guest-port.ts';
import type { HostTask, HostTasks } from './host-task.ts';
import type { Interrupts } from './interrupts.ts';
import { Later, type Task } from './later.ts';
import type { Network } from './network.ts';
import { ACK_BYTES, linesOf } from './packets.ts';
import type { PacketBatch, Vcpu, Vm } from './vm.ts';

/** What a host gives Dom0. */
export interface Dom0Plan {
  readonly vcpus: number;
  readonly weight: number;
  /** pCPUs on which it may run; all of them if absent. */
  readonly pin?: readonly number[] | undefined;
  /** What the scheduler in use wants to know of a VM, complete; its defaults if absent. */
  readonly scheduling?: object | undefined;
}

/** A request to the disk that belongs to an I/O of a guest. */
export interface IoRequest extends DiskIo {
  /** How the guest numbers the I/O. */
  readonly io: number;
}

export interface DeviceWorkDeps {
  readonly engine: HostEngine;
  readonly tasks: HostTasks;
  readonly interrupts: Interrupts;
  readonly costs: HypervisorCosts;
  /** What the work for a VM touches, in cycles: WorldSwitch. */
  touch(core: Core, vm: number): Cycles;
  /** Asked for at each use, since it is made later. */
  network(): Network;
}

/**
 * The work of the host between the virtual devices of its VMs and its own ones, and who does it:
 * the vCPU in its exits, a thread of the host for each VM, or Dom0. What a thread has to do waits
 * until the scheduler gives it a pCPU; packets leave, requests start and interrupts come when it is
 * done.
 */
export class DeviceWork {
  readonly #deps: DeviceWorkDeps;
  readonly #later: Later;
  /** By VM. */
  readonly #threads: (HostTask | undefined)[] = [];
  readonly #dom0: HostTask[] = [];
  /** By VM: the vCPU of Dom0 that serves it. */
  readonly #served: (HostTask | undefined)[] = [];

  constructor(deps: DeviceWorkDeps) {
    this.#deps = deps;
    this.#later = new Later(deps.engine);
  }

  /**
   * Adds the threads that the devices of these VMs need to the tasks of the host: of those that are
   * here, or may come.
   */
  addThreads(vms: readonly Vm[], dom0: Dom0Plan): void {
    const { tasks } = this.#deps;
    const has = ({ devices: { disk, network } }: Vm, worker: string) =>
      network.worker === worker || disk.worker === worker;
    for (const vm of vms) {
      if (!has(vm, 'thread')) continue;
      const { name, pin, weight } = vm;
      this.#threads[vm.id] = tasks.add({ name: `${name}/io`, weight, pin });
    }
    const users = vms.filter((vm) => has(vm, 'dom0'));
    if (users.length === 0) return;
    const { pin, scheduling, vcpus, weight } = dom0;
    for (let i = 0; i < vcpus; i++) {
      const beside = this.#dom0[0];
      const own = scheduling ? { scheduling } : {};
      this.#dom0.push(tasks.add({ name: `dom0/${i}`, weight, pin, beside, ...own }));
    }
    // In turn, whatever their numbers are on a host of many.
    for (const [i, { id }] of users.entries()) this.#served[id] = this.#dom0[i % vcpus];
  }

  /** Who works for a device of that VM; undefined: its vCPU. */
  workerOf(vm: Vm, device: Device): HostTask | undefined {
    switch (vm.devices[device].worker) {
      case 'thread':
        return this.#threads[vm.id];
      case 'dom0':
        return this.#served[vm.id];
      default:
        return undefined;
    }
  }

  /** Host work for pieces of so many bytes in all that the guest sends. */
  sendCycles({ devices: { network } }: Vm, pieces: number, bytes: number): Cycles {
    return pieces * network.sendPiece + linesOf(bytes) * network.sendLine;
  }

  /**
   * A guest sends `bytes` at `now`. `io` is over when the last acknowledgement has arrived.
   */
  send(vcpu: Vcpu, bytes: number, io: number, now: Cycles): void {
    const { vm } = vcpu;
    const { kickPieces, sendBytes } = vm.devices.network;
    const done = io === UNAWAITED ? undefined : () => void vcpu.completed.push(io);
    let cycles = 0;
    for (let left = bytes; left > 0; left -= kickPieces * sendBytes) {
      const size = Math.min(left, kickPieces * sendBytes);
      cycles += this.sendCycles(vm, Math.ceil(size / sendBytes), size);
    }
    this.#work(vm, 'network', cycles, now, (at) =>
      this.#deps.network().send(vcpu, bytes, at, done),
    );
  }

  /** A guest acknowledges what it has received. */
  sendAcks(vcpu: Vcpu, acks: number, now: Cycles): void {
    const cycles = this.sendCycles(vcpu.vm, acks, acks * ACK_BYTES);
    this.#work(vcpu.vm, 'network', cycles, now, (at) =>
      this.#deps.network().sendAcks(vcpu, acks, at),
    );
  }

  /** Calls `task` when all that the guest has sent by `now` has left the host. */
  whenSent(vcpu: Vcpu, now: Cycles, task: Task): void {
    this.#work(vcpu.vm, 'network', 0, now, (at) => this.#deps.network().whenSent(vcpu, at, task));
  }

  /**
   * Packets are in the card of the host. `then` is called when they are in the guest's memory: as
   * soon as its ring has room.
   */
  bringIn(vcpu: Vcpu, packets: number, bytes: number, now: Cycles, then: Task): void {
    const { backlog, done } = vcpu;
    const batch = { packets, bytes, then };
    if (!done && (backlog.length > 0 || !this.#fits(vcpu, packets))) backlog.push(batch);
    else this.#claim(vcpu, batch, now);
  }

  /** The guest has seen all packets in its ring. */
  taken(vcpu: Vcpu, now: Cycles): void {
    const { backlog, ring } = vcpu;
    ring.claimed -= ring.ready;
    ring.ready = 0;
    if (backlog.length === 0) return;
    this.#later.at(now, (at) => {
      while (backlog.length > 0 && this.#fits(vcpu, backlog[0]!.packets)) {
        this.#claim(vcpu, backlog.shift()!, at);
      }
    });
  }

  /** A batch that is larger than the ring fits when that is empty. */
  #fits({ ring: { claimed }, vm }: Vcpu, packets: number): boolean {
    return claimed === 0 || claimed + packets <= vm.devices.network.ring;
  }

  #claim(vcpu: Vcpu, { bytes, packets, then }: PacketBatch, now: Cycles): void {
    const { ring, vm } = vcpu;
    const { receiveLine, receivePacket } = vm.devices.network;
    const cycles = packets * receivePacket + linesOf(bytes) * receiveLine;
    const worker = this.workerOf(vm, 'network');
    ring.claimed += packets;
    const ready = (at: Cycles) => {
      ring.ready += packets;
      then(at);
    };
    if (!worker) {
      vcpu.hostWork += cycles;
      ready(now);
      return;
    }
    this.#interrupt(worker);
    this.#post(worker, vm, cycles, ready);
  }

  /**
   * Whether a device model in Dom0 answers accesses to registers of that device: the vCPU stops
   * until it has.
   */
  stalls(vm: Vm, device: Device): boolean {
    const { registers, worker } = vm.devices[device];
    return registers === 'user' && worker === 'dom0' && this.#dom0.length > 0;
  }

  /**
   * So many accesses of a vCPU at `now`, one after the other: it is stalled until Dom0 has answered
   * the last one.
   */
  stall(vcpu: Vcpu, device: Device, accesses: number, now: Cycles): void {
    const { costs, interrupts } = this.#deps;
    const worker = this.workerOf(vcpu.vm, device)!;
    vcpu.stalled = true;
    vcpu.accesses += accesses;
    if (vcpu.accesses > accesses) return;
    const next = (at: Cycles) => {
      if (vcpu.accesses === 0) {
        vcpu.stalled = false;
        interrupts.raise(vcpu, 0, at);
        return;
      }
      vcpu.accesses--;
      this.#post(worker, vcpu.vm, costs.deviceUser, next);
    };
    this.#later.at(now, next);
  }

  /**
   * A request of a guest goes to `disk` at `now`. `answered` is called when the answer is in the
   * guest's memory; an interrupt follows, and with the last request its I/O is over.
   */
  serve(
    vcpu: Vcpu,
    request: IoRequest,
    disk: DiskService,
    now: Cycles,
    answered: Task = () => {},
  ): void {
    const { vm, unanswered } = vcpu;
    const { answer, request: start, requestLine } = vm.devices.disk;
    const { bytes, io, write } = request;
    const copy = linesOf(bytes) * requestLine;
    unanswered.set(io, (unanswered.get(io) ?? 0) + 1);
    this.#work(vm, 'disk', start + (write ? copy : 0), now, (begin) => {
      this.#later.at(disk.serve(request, begin), (end) => {
        const worker = this.workerOf(vm, 'disk');
        const over = (at: Cycles) => {
          answered(at);
          this.#answer(vcpu, io, at);
        };
        if (!worker) {
          over(end);
          return;
        }
        this.#interrupt(worker);
        this.#post(worker, vm, answer + (write ? 0 : copy), over);
      });
    });
  }

  /** Host work for a request that the vCPU does itself. */
  inlineRequestCycles(vm: Vm, bytes: number): Cycles {
    if (this.workerOf(vm, 'disk')) return 0;
    const { answer, request, requestLine } = vm.devices.disk;
    return request + answer + linesOf(bytes) * requestLine;
  }

  /** The same for pieces sent. */
  inlineSendCycles(vm: Vm, pieces: number, bytes: number): Cycles {
    return this.workerOf(vm, 'network') ? 0 : this.sendCycles(vm, pieces, bytes);
  }

  /** Whether the core that delivers these vectors takes the interrupt of the host's device too. */
  interruptsHere(vm: Vm, vectors: number): boolean {
    const own = (vector: number, device: Device) =>
      (vectors & vector) !== 0 && !this.workerOf(vm, device);
    return own(Vector.Device, 'disk') || own(Vector.Network, 'network');
  }

  /** The host has lost its power. */
  stop(): void {
    this.#later.clear();
  }

  #answer(vcpu: Vcpu, io: number, now: Cycles): void {
    const left = vcpu.unanswered.get(io)! - 1;
    if (left > 0) vcpu.unanswered.set(io, left);
    else {
      vcpu.unanswered.delete(io);
      if (io !== UNAWAITED) vcpu.completed.push(io);
    }
    this.#deps.interrupts.raise(vcpu, Vector.Device, now);
  }

  /** A device of the host interrupts, unless the worker is at it: then it polls. */
  #interrupt(worker: HostTask): void {
    if (worker.backlog === 0) worker.post(this.#deps.costs.hostInterrupt, Leaf.HostInterrupt);
  }

  /** Work that the vCPU has done itself, or that its worker does from `now` on. */
  #work(vm: Vm, device: Device, cycles: Cycles, now: Cycles, then: Task): void {
    const worker = this.workerOf(vm, device);
    if (!worker) then(now);
    else this.#later.at(now, () => this.#post(worker, vm, cycles, then));
  }

  /** A piece without work is only in line behind others, and touches nothing. */
  #post(worker: HostTask, { id }: Vm, cycles: Cycles, then: Task): void {
    const { touch } = this.#deps;
    const begin = cycles === 0 ? undefined : (core: Core) => touch(core, id);
    worker.post(cycles, Leaf.HostDevice, (done) => this.#later.at(done, then), begin);
  }
}
