import { Entry, type GuestCpu, GuestStop } from '../hypervisor/guest-port.ts';
import type { AddressSpace } from './address-space.ts';
import type { GuestKernel, Kernel } from './kernel.ts';
import { BLOCK_ITEMS } from './kernel-options.ts';
import { handlePageFault } from './page-faults.ts';
import { leavePipe } from './pipes.ts';
import { Process, State, type Thread } from './process.ts';
import { exitThread } from './process-life.ts';
import { RunQueue } from './run-queue.ts';
import { systemCall } from './system-calls.ts';
import { moveOn } from './transfers.ts';
import { VcpuLoop } from './vcpu-loop.ts';
import { isReferenceLimited } from './workloads/reference-limited.ts';
import { Op } from './workloads/workload.ts';

/**
 * The guest kernel on one vCPU: schedules threads, switches address spaces, enters the handlers of
 * faults and system calls.
 */
export class KernelCpu extends VcpuLoop implements Kernel {
  readonly shared: GuestKernel;
  readonly #queue = new RunQueue();
  #current: Thread | null = null;
  /** Whose registers and stack the vCPU has: `#current`, or who ran before it idled. */
  #last: Thread;
  #loaded: AddressSpace;

  constructor(shared: GuestKernel, block: number) {
    super(shared, block);
    this.shared = shared;
    for (const thread of shared.first) this.#queue.push(thread);
    this.#last = this.#queue.first!;
    this.#loaded = this.#last.process.space;
  }

  get space(): AddressSpace {
    return this.#loaded;
  }

  grantReferences(references: number): void {
    if (references === 0) return;
    for (const { program } of this.shared.first) {
      if (isReferenceLimited(program)) program.limit(references);
    }
  }

  protected executed(instructions: number): void {
    if (!this.#current) return;
    this.#current.quantum -= instructions;
    this.#current.executed += instructions;
  }

  protected wakeDue(cpu: GuestCpu): void {
    this.#queue.wakeDue(cpu);
  }

  protected refill(cpu: GuestCpu): GuestStop {
    let thread = this.#current;
    if (thread && thread.quantum <= 0 && this.#queue.crowded) {
      this.requeue(thread);
      thread = null;
    }
    if (!thread) {
      thread = this.#queue.take();
      if (!thread) return this.#idle(cpu);
      thread.quantum = this.shared.workload.quantumInstructions;
      this.#current = thread;
      this.#switchTo(cpu, thread);
      cpu.core.learned?.switchTo(thread.executed);
    }
    if (thread.transfer) {
      this.enterSpace(cpu);
      moveOn(this, cpu, thread);
      return GuestStop.Time;
    }
    const { program, process } = thread;
    const { learned } = cpu.core;
    let count = 0;
    if (learned?.skipping && program.skip) {
      count = program.skip(this.firstItem, BLOCK_ITEMS, this.stretch, process.rights);
      if (this.stretch.left > 0) return GuestStop.Time;
    } else {
      count = program.fill(this.firstItem, BLOCK_ITEMS);
      this.mix = program.mix ?? 0;
    }
    if (count > 0) {
      this.filled(cpu.core, count);
      return GuestStop.Time;
    }
    if (isReferenceLimited(program)) return program.finished ? GuestStop.Done : GuestStop.Turn;
    if (process.threads.size === 1 && this.shared.isLast(process)) return GuestStop.Done;
    this.enterSpace(cpu);
    exitThread(this, cpu, thread);
    return GuestStop.Time;
  }

  #idle(cpu: GuestCpu): GuestStop {
    if (!this.#queue.anyBlocked) return GuestStop.Done;
    const { kernel, paths } = this.shared;
    this.enterSpace(cpu);
    paths.run(cpu, kernel.instructions.wait, 8);
    cpu.core.settle();
    if (kernel.tickless || !this.ticks) {
      this.stopTicks();
      this.#armWakeUp(cpu);
    }
    return GuestStop.Halt;
  }

  /** Sets the timer to the next sleeper; without one it stays silent. */
  #armWakeUp(cpu: GuestCpu): void {
    const next = this.#queue.nextWakeUp;
    if (next === Infinity) cpu.clearTimer();
    else cpu.setTimer(Math.max(1, next - cpu.clock()));
  }

  /** Threads of one process share its tables: CR3 stays as it is (Linux: switch_mm). */
  #switchTo(cpu: GuestCpu, thread: Thread): void {
    const { space } = thread.process;
    const { kernel, paths, vm } = this.shared;
    const { contextSwitch } = kernel.instructions;
    if (this.#loaded === space) {
      if (this.#last !== thread) {
        this.enterSpace(cpu);
        paths.run(cpu, contextSwitch, 0);
      }
      this.#last = thread;
      return;
    }
    this.#last = thread;
    this.enterSpace(cpu);
    this.#loaded = space;
    vm.counters.guest_process_switches++;
    paths.run(cpu, contextSwitch, 0);
    cpu.loadCr3(space.root);
    this.shared.reap(cpu, space);
  }

  protected pageFault(cpu: GuestCpu, vpn: number, write: boolean): void {
    handlePageFault(this.shared, cpu, this.#current!.process.space, vpn, write);
  }

  protected operation(cpu: GuestCpu, op: number, a: number, b: number, c: number): void {
    const thread = this.#current!;
    if (op === Op.SwitchTo) {
      this.#moveTo(cpu, thread, a);
      return;
    }
    this.shared.vm.counters.syscalls++;
    this.enter(cpu, Entry.SystemCall);
    systemCall(this, cpu, thread, op, a, b, c);
    cpu.leaveKernel(Entry.SystemCall);
  }

  /** The lines of a trace that follow belong to another address space. */
  #moveTo(cpu: GuestCpu, thread: Thread, number: number): void {
    const { numbered, workload } = this.shared;
    let process = numbered.get(number);
    if (!process) {
      process = new Process(this.shared.load(workload.processes[0]!, null), null);
      numbered.set(number, process);
    }
    thread.moveTo(process);
    this.#switchTo(cpu, thread);
  }

  // What system calls use.

  get crowded(): boolean {
    return this.#queue.crowded;
  }

  start(thread: Thread): void {
    this.#queue.push(thread);
  }

  load(cpu: GuestCpu, space: AddressSpace): void {
    this.#loaded = space;
    cpu.loadCr3(space.root);
  }

  block(cpu: GuestCpu, thread: Thread, state: State): void {
    this.#queue.block(thread, state);
    this.#current = null;
    // A tickless kernel that stays busy has nothing else to wake a sleeper by.
    if (state === State.Sleep && !this.ticks) this.#armWakeUp(cpu);
  }

  unblock(thread: Thread): void {
    this.#queue.unblock(thread);
  }

  requeue(thread: Thread): void {
    this.#queue.push(thread);
    this.#current = null;
  }

  drop(thread: Thread): void {
    const { process } = thread;
    leavePipe(thread);
    this.#queue.remove(thread);
    process.threads.delete(thread);
    const place = process.waiting.indexOf(thread);
    if (place >= 0) process.waiting.splice(place, 1);
    if (this.#current === thread) this.#current = null;
  }

  end(cpu: GuestCpu, process: Process): void {
    for (const thread of process.threads) this.drop(thread);
    // A borrowed address space lives on, and whoever lent it may be next.
    if (!this.shared.leave(process)) return;
    this.shared.bury(process.space);
    // The kernel leaves the dying address space before it tears it down.
    const next = this.#queue.first;
    if (next) {
      this.#last = next;
      this.shared.vm.counters.guest_process_switches++;
      this.load(cpu, next.process.space);
      this.shared.reap(cpu, this.#loaded);
    }
  }
}
