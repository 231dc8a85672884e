import { ModelError } from '../base/errors.ts';
import type { GuestCpu } from '../hypervisor/guest-port.ts';
import { acksOf, packetsOf } from '../hypervisor/packets.ts';
import type { AddressSpace } from './address-space.ts';
import { anonymousPage } from './anonymous-page.ts';
import { changeCost, type GuestKernel, type Kernel } from './kernel.ts';
import { kernelInstructions } from './kernel-costs.ts';
import { closeEnds, openPipe, throughPipe } from './pipes.ts';
import { State, type Thread } from './process.ts';
import { exec, exit, fork, vfork } from './process-life.ts';
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
      flushAfter(shared, cpu, space, space.unmap(cpu, a, b));
      space.add({ ...region, start: a, pages: b, name: `${region.name}@${a}` });
      break;
    }
    case Op.Munmap:
      paths.run(cpu, cost.munmap, 5);
      flushAfter(shared, cpu, space, space.unmap(cpu, a, b));
      break;
    case Op.Mprotect:
      paths.run(cpu, cost.mmap, 6);
      flushAfter(shared, cpu, space, space.protect(cpu, a, b, c !== 0));
      break;
    case Op.Discard:
      paths.run(cpu, cost.munmap, 7);
      flushAfter(shared, cpu, space, space.discard(cpu, a, b));
      break;
    case Op.Mremap:
      paths.run(cpu, cost.mmap, 7);
      flushAfter(shared, cpu, space, space.move(cpu, a, b, c));
      break;
    case Op.Fork:
    case Op.ForkTo:
      fork(kernel, cpu, thread, op === Op.ForkTo ? a : -1);
      break;
    case Op.Vfork:
      vfork(kernel, cpu, thread);
      break;
    case Op.Exec:
      exec(kernel, cpu, thread);
      break;
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
    case Op.Pipe:
      paths.run(cpu, kernelInstructions.pipe, 12);
      openPipe(kernel, process, a);
      break;
    case Op.ReadPipe:
    case Op.WritePipe:
      paths.run(cpu, cost.calls.pipe, 12);
      thread.transfer = throughPipe(thread, op === Op.ReadPipe ? 'read' : 'write', a, b);
      if (thread.transfer) moveOn(kernel, cpu, thread);
      break;
    case Op.ClosePipe:
      paths.run(cpu, cost.calls.simple, 12);
      closeEnds(kernel, process, a, b !== 1, b === 1);
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

/** A few pages are dropped by INVLPG, in a row as Linux does it, more by loading CR3. */
function flushAfter(
  { kernel, paths }: GuestKernel,
  cpu: GuestCpu,
  space: AddressSpace,
  changed: number,
): void {
  const cost = changeCost(kernel, space.change);
  if (cost > 0) paths.run(cpu, cost, 5);
  if (changed === 0) return;
  const { first, last } = space.change;
  if (last - first >= kernel.flushPages) cpu.loadCr3(space.root);
  else for (let page = first; page <= last; page++) cpu.invlpg(page);
}
