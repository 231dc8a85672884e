import { ModelError } from '../base/errors.ts';
import type { GuestCpu } from '../hypervisor/guest-port.ts';
import type { Vm } from '../hypervisor/vm.ts';
import { type AddressSpace, anonymousPage } from './address-space.ts';
import { kernelInstructions as cost } from './kernel-costs.ts';
import type { KernelPaths } from './kernel-paths.ts';
import { Process, State } from './process.ts';
import type { Requests } from './requests.ts';
import { moveOn, receiving, sending, startDiskIo } from './transfers.ts';
import { Op, type ProcessImage, type Workload } from './workloads/workload.ts';

/** What system calls use of their kernel. */
export interface Kernel {
  readonly vm: Vm;
  readonly workload: Workload;
  readonly paths: KernelPaths;
  readonly requests: Requests | null;
  readonly mhz: number;
  /** Most bytes that the drivers of network and disk hand over at once. */
  readonly sendBytes: number;
  readonly diskBytes: number;
  /** True when another process could run now. */
  readonly crowded: boolean;
  /** A process from an image; regions populated beforehand cost nothing. */
  load(image: ProcessImage, cpu: GuestCpu, parent: Process | null): Process;
  /** Makes `process` runnable; `number` >= 0 only names its address space (replayed forks). */
  adopt(process: Process, number: number): void;
  /** Loads CR3 with a new address space of the running `process`. */
  enter(cpu: GuestCpu, space: AddressSpace): void;
  /** The running process waits. */
  block(cpu: GuestCpu, process: Process, state: State): void;
  unblock(process: Process): void;
  /** The running process goes to the end of the run queue. */
  requeue(process: Process): void;
  /** The running process is gone; its address space is torn down once another one is loaded. */
  bury(cpu: GuestCpu, process: Process): void;
}

/** Performs one operation of `process`: arguments as in `Op`. Time passes on the core. */
export function systemCall(
  kernel: Kernel,
  cpu: GuestCpu,
  process: Process,
  op: number,
  a: number,
  b: number,
  c: number,
): void {
  const { paths, vm, workload } = kernel;
  const { space } = process;
  const { counters } = vm;
  switch (op) {
    case Op.Syscall:
      paths.run(cpu, a, 3, b);
      break;
    case Op.Mmap: {
      paths.run(cpu, cost.mmap, 4);
      const region = workload.processes[0]!.regions[c] ?? anonymousPage(a);
      flushAfter(kernel, cpu, space, a, space.unmap(cpu, a, b));
      space.add({ ...region, start: a, pages: b, name: `${region.name}@${a}` });
      break;
    }
    case Op.Munmap:
      paths.run(cpu, cost.munmap, 5);
      flushAfter(kernel, cpu, space, a, space.unmap(cpu, a, b));
      break;
    case Op.Mprotect:
      paths.run(cpu, cost.mmap, 6);
      flushAfter(kernel, cpu, space, a, space.protect(cpu, a, b, c !== 0));
      break;
    case Op.Discard:
      paths.run(cpu, cost.munmap, 7);
      flushAfter(kernel, cpu, space, a, space.discard(cpu, a, b));
      break;
    case Op.Mremap:
      paths.run(cpu, cost.mmap, 7);
      flushAfter(kernel, cpu, space, a, space.move(cpu, a, b, c));
      break;
    case Op.Fork:
    case Op.ForkTo:
      fork(kernel, cpu, process, op === Op.ForkTo ? a : -1);
      break;
    case Op.Exec: {
      counters.execs++;
      paths.run(cpu, cost.exec, 9);
      const next = kernel.load(process.program.exec(), cpu, process.parent);
      process.space = next.space;
      process.program = next.program;
      kernel.enter(cpu, next.space);
      paths.run(cpu, space.destroy(cpu) * cost.perEntry, 9);
      break;
    }
    case Op.Exit:
      exit(kernel, cpu, process);
      break;
    case Op.Wait:
      paths.run(cpu, cost.idle, 10);
      if (process.ended > 0) process.ended--;
      else kernel.block(cpu, process, State.Child);
      break;
    case Op.BlockingIo:
      paths.run(cpu, cost.blockIo, 11);
      startDiskIo(kernel, cpu, process, a, Math.round(b * kernel.mhz));
      break;
    case Op.Yield:
      paths.run(cpu, cost.idle, 12);
      if (kernel.crowded) kernel.requeue(process);
      break;
    case Op.AwaitRequest:
      paths.run(cpu, cost.idle, 13);
      process.request = kernel.requests?.take() ?? Number.NaN;
      process.transfer = receiving(a);
      if (Number.isNaN(process.request)) kernel.block(cpu, process, State.Request);
      else moveOn(kernel, cpu, process);
      break;
    case Op.RequestDone:
      paths.run(cpu, cost.send, 14);
      process.transfer = sending(a);
      moveOn(kernel, cpu, process);
      break;
    case Op.Sleep:
      paths.run(cpu, cost.idle, 15);
      process.due = cpu.core.now + Math.round(a * kernel.mhz);
      kernel.block(cpu, process, State.Sleep);
      break;
    default:
      throw new ModelError(`VM ${vm.name}: unknown operation ${op}`);
  }
}

/** Linux flushes one page by INVLPG, more by reloading CR3. */
function flushAfter(
  { paths }: Kernel,
  cpu: GuestCpu,
  space: AddressSpace,
  vpn: number,
  changed: number,
): void {
  if (space.scanned > 0) {
    paths.run(cpu, changed * cost.perEntry + space.scanned * cost.perSlot, 5);
  }
  if (changed === 0) return;
  if (changed === 1) cpu.invlpg(vpn);
  else cpu.loadCr3(space.root);
}

function fork(kernel: Kernel, cpu: GuestCpu, process: Process, number: number): void {
  kernel.vm.counters.forks++;
  kernel.paths.run(cpu, cost.fork, 8);
  const { child, copied } = process.space.fork(cpu);
  kernel.paths.run(cpu, copied * cost.perEntry, 8);
  cpu.loadCr3(process.space.root);
  kernel.adopt(new Process(child, process.program.fork(), process), number);
}

/** The process ends; a parent that waits for it continues. */
export function exit(kernel: Kernel, cpu: GuestCpu, process: Process): void {
  kernel.vm.counters.process_exits++;
  kernel.paths.run(cpu, cost.exit, 10);
  const { parent } = process;
  if (parent) {
    if (parent.state === State.Child) kernel.unblock(parent);
    else parent.ended++;
  }
  kernel.bury(cpu, process);
}
