import type { GuestCpu } from '../hypervisor/guest-port.ts';
import type { Kernel } from './kernel.ts';
import { Pipe, type PipeTransfer, type Process, State, type Thread } from './process.ts';

/**
 * Pipes as Linux has them: a buffer of so many bytes between those that hold its write end and
 * those that hold its read end. Who finds it full or empty sleeps until the other side has moved
 * something. Without a writer left, readers find the end of the file; without a reader left, a
 * writer is killed (SIGPIPE). Bytes move through the kernel: copied in, copied out.
 */

/** Bytes a pipe holds. published: 16 pages, Linux since 2.6.11 (pipe(7)) */
export const PIPE_BYTES = 16 * 4096;

/** The process gets both ends of a new pipe under `number`, which was free or is given up. */
export function openPipe(kernel: Kernel, process: Process, number: number): void {
  closeEnds(kernel, process, number, true, true);
  process.pipes.set(number, { pipe: new Pipe(), reads: true, writes: true });
}

/** fork: the child holds what its parent holds. */
export function inheritPipes(child: Process, parent: Process): void {
  for (const [number, ends] of parent.pipes) {
    child.pipes.set(number, ends);
    if (ends.reads) ends.pipe.readers++;
    if (ends.writes) ends.pipe.writers++;
  }
}

/** Gives up ends of pipe `number`, as far as the process holds them. */
export function closeEnds(
  kernel: Kernel,
  process: Process,
  number: number,
  reads: boolean,
  writes: boolean,
): void {
  const ends = process.pipes.get(number);
  if (!ends) return;
  const { pipe } = ends;
  const kept = { pipe, reads: ends.reads && !reads, writes: ends.writes && !writes };
  if (kept.reads || kept.writes) process.pipes.set(number, kept);
  else process.pipes.delete(number);
  if (ends.writes && writes && --pipe.writers === 0) wake(kernel, pipe.reading);
  if (ends.reads && reads && --pipe.readers === 0) wake(kernel, pipe.writing);
}

/** exit: whoever waits for the process learns that it is gone. */
export function closePipes(kernel: Kernel, process: Process): void {
  for (const number of [...process.pipes.keys()]) closeEnds(kernel, process, number, true, true);
}

/**
 * The bytes that the running thread is to move through pipe `number`; null if it does not hold that
 * end.
 */
export function throughPipe(
  { process }: Thread,
  kind: PipeTransfer['kind'],
  number: number,
  bytes: number,
): PipeTransfer | null {
  const ends = process.pipes.get(number);
  if (!ends || !(kind === 'read' ? ends.reads : ends.writes)) return null;
  return { kind, pipe: ends.pipe, left: bytes };
}

/**
 * Moves as many bytes as the pipe has, or has room for. False: a store into a pipe that nobody
 * reads, of which the process dies.
 */
export function movePiped(
  kernel: Kernel,
  cpu: GuestCpu,
  thread: Thread,
  transfer: PipeTransfer,
): boolean {
  const { kind, pipe } = transfer;
  const reads = kind === 'read';
  if (!reads && pipe.readers === 0) return false;
  const bytes = Math.min(transfer.left, reads ? pipe.held : PIPE_BYTES - pipe.held);
  if (bytes > 0) {
    kernel.shared.paths.copy(cpu, bytes);
    pipe.held += reads ? -bytes : bytes;
    transfer.left -= bytes;
    wake(kernel, reads ? pipe.writing : pipe.reading);
  }
  const ended = reads && pipe.held === 0 && pipe.writers === 0;
  if (transfer.left === 0 || ended) {
    thread.transfer = null;
    return true;
  }
  kernel.shared.paths.run(cpu, kernel.shared.kernel.instructions.wait, 12);
  (reads ? pipe.reading : pipe.writing).push(thread);
  kernel.block(cpu, thread, State.Pipe);
  return true;
}

/** A thread that is gone waits for no pipe. */
export function leavePipe(thread: Thread): void {
  const { transfer } = thread;
  if (transfer?.kind !== 'read' && transfer?.kind !== 'write') return;
  for (const list of [transfer.pipe.reading, transfer.pipe.writing]) {
    const place = list.indexOf(thread);
    if (place >= 0) list.splice(place, 1);
  }
}

function wake(kernel: Kernel, sleepers: Thread[]): void {
  for (const thread of sleepers.splice(0)) kernel.unblock(thread);
}
