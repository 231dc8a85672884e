import { ModelError } from '../base/errors.ts';
import type { GuestCpu } from '../hypervisor/guest-port.ts';
import { acksOf, packetsOf } from '../hypervisor/packets.ts';
import { type AddressSpace, anonymousPage } from './address-space.ts';
import { changeCost, type GuestKernel, type Kernel } from './kernel.ts';
import { kernelInstructions } from './kernel-costs.ts';
import { Process, State, Thread } from './process.ts';
import { callClassNames } from './system-call-classes.ts';
import { endRequest, moveOn, receiving, sending, startDiskIo } from './transfers.ts';
import { Op } from './workloads/workload.ts';

/** Performs one operation of `thread`: arguments as in `Op`. Time passes on the core. */
export function systemCall(
  kernel: Kernel,
  cpu: GuestCpu,
  thread: Thread,
  op: number,
  a: number,
  b: number,
  c: number,
): void {
  const { shared } = kernel;
  const { kernel: profile, mhz, paths, vm, workload } = shared;
  const { instructions: cost } = profile;
  const { process } = thread;
  const { space } = process;
  const { counters } = vm;
  paths.run(cpu, cost.systemCall, 3);
  switch (op) {
    case Op.Syscall: {
      const name = callClassNames[a]!;
      // Each class goes its own way through the kernel.
      paths.run(cpu, cost.calls[name], 22 + a);
      if (name === 'readPage') paths.copy(cpu, 4096);
      break;
    }
    case Op.Mmap: {
      paths.run(cpu, cost.mmap, 4);
      const region = workload.processes[0]!.regions[c] ?? anonymousPage(a);
      flushAfter(shared, cpu, space, a, space.unmap(cpu, a, b));
      space.add({ ...region, start: a, pages: b, name: `${region.name}@${a}` });
      break;
    }
    case Op.Munmap:
      paths.run(cpu, cost.munmap, 5);
      flushAfter(shared, cpu, space, a, space.unmap(cpu, a, b));
      break;
    case Op.Mprotect:
      paths.run(cpu, cost.mmap, 6);
      flushAfter(shared, cpu, space, a, space.protect(cpu, a, b, c !== 0));
      break;
    case Op.Discard:
      paths.run(cpu, cost.munmap, 7);
      flushAfter(shared, cpu, space, a, space.discard(cpu, a, b));
      break;
    case Op.Mremap:
      paths.run(cpu, cost.mmap, 7);
      flushAfter(shared, cpu, space, a, space.move(cpu, a, b, c));
      break;
    case Op.Fork:
    case Op.ForkTo:
      fork(kernel, cpu, thread, op === Op.ForkTo ? a : -1);
      break;
    case Op.Exec: {
      counters.execs++;
      paths.run(cpu, cost.exec, 9);
      const image = thread.program.exec();
      for (const other of process.threads) if (other !== thread) kernel.drop(other);
      process.space = shared.load(image, cpu);
      thread.program = image.programs[0]!;
      kernel.load(cpu, process.space);
      shared.tearDown(cpu, space, 9);
      for (const program of image.programs.slice(1)) {
        paths.run(cpu, kernelInstructions.clone, 8);
        kernel.start(new Thread(process, program));
      }
      break;
    }
    case Op.Exit:
      exit(kernel, cpu, thread);
      break;
    case Op.Wait:
      if (process.ended > 0) process.ended--;
      else {
        paths.run(cpu, cost.wait, 10);
        process.waiting.push(thread);
        kernel.block(cpu, thread, State.Child);
      }
      break;
    case Op.BlockingIo:
      paths.run(cpu, cost.blockIo, 11);
      startDiskIo(kernel, cpu, thread, { bytes: a, latency: Math.round(b * mhz), write: c === 1 });
      break;
    case Op.Yield:
      paths.run(cpu, cost.calls.simple, 12);
      if (kernel.crowded) kernel.requeue(thread);
      break;
    case Op.AwaitRequest:
      paths.run(cpu, cost.wait, 13);
      thread.request = cpu.takeRequest();
      thread.transfer = receiving(a);
      if (Number.isNaN(thread.request)) kernel.block(cpu, thread, State.Request);
      else moveOn(kernel, cpu, thread);
      break;
    case Op.Acknowledge: {
      paths.run(cpu, acksOf(packetsOf(a)) * cost.sendAcknowledgement, 14);
      cpu.acknowledge(a);
      endRequest(kernel, cpu, thread);
      break;
    }
    case Op.RequestDone:
      paths.run(cpu, cost.send, 14);
      thread.transfer = sending(a, b === 1);
      moveOn(kernel, cpu, thread);
      break;
    case Op.Sleep:
      paths.run(cpu, cost.wait, 15);
      thread.due = cpu.clock() + Math.round(a * mhz);
      kernel.block(cpu, thread, State.Sleep);
      break;
    default:
      throw new ModelError(`VM ${vm.name}: unknown operation ${op}`);
  }
}

/** Linux flushes one page by INVLPG, more by reloading CR3. */
function flushAfter(
  { kernel, paths }: GuestKernel,
  cpu: GuestCpu,
  space: AddressSpace,
  vpn: number,
  changed: number,
): void {
  const cost = changeCost(kernel, space.change);
  if (cost > 0) paths.run(cpu, cost, 5);
  if (changed === 0) return;
  if (changed === 1) cpu.invlpg(vpn);
  else cpu.loadCr3(space.root);
}

function fork(kernel: Kernel, cpu: GuestCpu, thread: Thread, number: number): void {
  const { kernel: profile, numbered, paths, vm } = kernel.shared;
  const { instructions: cost } = profile;
  const { process } = thread;
  vm.counters.forks++;
  paths.run(cpu, cost.fork, 8);
  const { child, copied } = process.space.fork(cpu);
  paths.run(cpu, copied * cost.copyEntry, 8);
  cpu.loadCr3(process.space.root);
  const born = new Process(child, process);
  // The child of a replayed fork waits for the trace to come to it.
  if (number >= 0) numbered.set(number, born);
  else kernel.start(new Thread(born, thread.program.fork()));
}

/**
 * exit_group: the process ends with all its threads, whatever they are doing; a parent that waits
 * for that goes on.
 */
export function exit(kernel: Kernel, cpu: GuestCpu, { process }: Thread): void {
  const { kernel: profile, paths, vm } = kernel.shared;
  vm.counters.process_exits++;
  paths.run(cpu, profile.instructions.exit, 10);
  const { parent } = process;
  const waiting = parent?.waiting.shift();
  if (waiting) kernel.unblock(waiting);
  else if (parent) parent.ended++;
  kernel.end(cpu, process);
}

/** exit: the thread ends; with the last one, its process. */
export function exitThread(kernel: Kernel, cpu: GuestCpu, thread: Thread): void {
  if (thread.process.threads.size === 1) {
    exit(kernel, cpu, thread);
    return;
  }
  kernel.shared.paths.run(cpu, kernelInstructions.threadExit, 10);
  kernel.drop(thread);
}
