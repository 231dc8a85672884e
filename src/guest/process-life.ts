import type { GuestCpu } from '../hypervisor/guest-port.ts';
import type { Kernel } from './kernel.ts';
import { kernelInstructions } from './kernel-costs.ts';
import { closePipes, inheritPipes } from './pipes.ts';
import { Process, State, Thread } from './process.ts';

/** How processes begin, change their program and end. */

/** `number`: the child is that of a replayed fork; -1 = it runs `Program.fork()`. */
export function fork(kernel: Kernel, cpu: GuestCpu, thread: Thread, number: number): void {
  const { kernel: profile, numbered, paths, vm } = kernel.shared;
  const { instructions: cost } = profile;
  const { process } = thread;
  vm.counters.forks++;
  paths.run(cpu, cost.fork, 8);
  const { child, copied } = process.space.fork(cpu);
  paths.run(cpu, copied * cost.copyEntry, 8);
  cpu.loadCr3(process.space.root);
  const born = new Process(child, process);
  inheritPipes(born, process);
  // The child of a replayed fork waits for the trace to come to it.
  if (number >= 0) numbered.set(number, born);
  else kernel.start(new Thread(born, thread.program.fork()));
}

/** The child has its parent's memory and tables: a switch to it loads no CR3. */
export function vfork(kernel: Kernel, cpu: GuestCpu, thread: Thread): void {
  const { paths, vm } = kernel.shared;
  const { process } = thread;
  vm.counters.forks++;
  paths.run(cpu, kernelInstructions.vfork, 8);
  const born = new Process(process.space, process);
  born.lender = thread;
  inheritPipes(born, process);
  kernel.start(new Thread(born, thread.program.fork()));
  kernel.block(cpu, thread, State.Vfork);
}

/** A borrowed address space is given back: its owner goes on. */
function giveBack(kernel: Kernel, process: Process): void {
  const { lender } = process;
  process.lender = null;
  // Its process may have ended meanwhile.
  if (lender?.process.threads.has(lender)) kernel.unblock(lender);
}

/** The process gets the memory and threads of `Program.exec()`. */
export function exec(kernel: Kernel, cpu: GuestCpu, thread: Thread): void {
  const { shared } = kernel;
  const { paths, vm } = shared;
  const { process } = thread;
  const { space } = process;
  vm.counters.execs++;
  paths.run(cpu, shared.kernel.instructions.exec, 9);
  const image = thread.program.exec();
  for (const other of process.threads) if (other !== thread) kernel.drop(other);
  const last = shared.leave(process);
  process.space = shared.load(image, cpu);
  process.space.users = 1;
  thread.program = image.programs[0]!;
  thread.executed = 0;
  cpu.core.learned?.switchTo(0);
  kernel.load(cpu, process.space);
  if (last) shared.tearDown(cpu, space, 9);
  giveBack(kernel, process);
  for (const program of image.programs.slice(1)) {
    paths.run(cpu, kernelInstructions.clone, 8);
    kernel.start(new Thread(process, program));
  }
}

/**
 * exit_group: the process ends with all its threads, whatever they are doing; a parent that waits
 * for that goes on.
 */
export function exit(kernel: Kernel, cpu: GuestCpu, { process }: Thread): void {
  const { kernel: profile, paths, vm } = kernel.shared;
  vm.counters.process_exits++;
  paths.run(cpu, profile.instructions.exit, 10);
  closePipes(kernel, process);
  const { parent } = process;
  const waiting = parent?.waiting.shift();
  if (waiting) kernel.unblock(waiting);
  else if (parent) parent.ended++;
  kernel.end(cpu, process);
  giveBack(kernel, process);
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
