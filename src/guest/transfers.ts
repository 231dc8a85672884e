import type { Cycles } from '../base/ids.ts';
import { type GuestCpu, UNAWAITED } from '../hypervisor/guest-port.ts';
import { acksOf, packetsOf, SEND_WINDOW } from '../hypervisor/packets.ts';
import type { Kernel } from './kernel.ts';
import { movePiped } from './pipes.ts';
import { State, type Thread, type Transfer } from './process.ts';
import { exit } from './process-life.ts';

/** Bytes of disk I/O in flight for one thread. assumed (128 KiB-4 MiB) */
const DISK_WINDOW = 2 ** 20;

export const receiving = (bytes: number): Transfer => transfer('receive', bytes);
/** `waits`: until the other side has acknowledged all of it. */
export const sending = (bytes: number, waits: boolean): Transfer => transfer('send', bytes, waits);
function transfer(kind: Transfer['kind'], left: number, waits = false): Transfer {
  return { kind, left, waits, fetched: 0, pace: 0, write: false };
}

/**
 * An I/O operation of the thread begins, which takes the disk `latency` in all. It waits, even for
 * no bytes.
 */
export function startDiskIo(
  kernel: Kernel,
  cpu: GuestCpu,
  thread: Thread,
  { bytes, latency, write }: { bytes: number; latency: Cycles; write: boolean },
): void {
  kernel.shared.vm.counters.io_requests++;
  const io: Transfer = {
    kind: 'disk',
    waits: true,
    write,
    left: bytes,
    fetched: 0,
    pace: latency / Math.max(1, bytes),
  };
  thread.transfer = io;
  ask(kernel, cpu, thread, io, bytes > 0 ? 0 : latency);
}

/** The next piece of the transfer of the running thread: it may have to wait, or be done. */
export function moveOn(kernel: Kernel, cpu: GuestCpu, thread: Thread): void {
  const transfer = thread.transfer!;
  switch (transfer.kind) {
    case 'receive':
      receive(kernel, cpu, thread, transfer);
      break;
    case 'send':
      send(kernel, cpu, thread, transfer);
      break;
    case 'disk':
      fetched(kernel, cpu, thread, transfer);
      break;
    default:
      // Who writes to a pipe that nobody reads is killed.
      if (!movePiped(kernel, cpu, thread, transfer)) exit(kernel, cpu, thread);
  }
}

function receive(
  { shared: { kernel, paths } }: Kernel,
  cpu: GuestCpu,
  thread: Thread,
  transfer: Transfer,
): void {
  const bytes = Math.min(transfer.left, SEND_WINDOW);
  paths.run(cpu, packetsOf(bytes) * kernel.instructions.receive, 18);
  paths.copy(cpu, bytes);
  transfer.left -= bytes;
  if (transfer.left === 0) thread.transfer = null;
}

function send(kernel: Kernel, cpu: GuestCpu, thread: Thread, transfer: Transfer): void {
  const { kernel: profile, paths, sendBytes } = kernel.shared;
  const { instructions: cost } = profile;
  const bytes = Math.min(transfer.left, SEND_WINDOW);
  if (bytes > 0) {
    const pieces = Math.ceil(bytes / sendBytes);
    const acks = acksOf(packetsOf(bytes));
    paths.copy(cpu, bytes);
    paths.run(cpu, pieces * cost.sendPiece + acks * cost.acknowledgement, 19);
    transfer.left -= bytes;
    const waits = transfer.left > 0 || transfer.waits;
    const io = waits ? kernel.shared.newIo() : UNAWAITED;
    cpu.send(bytes, io);
    if (waits) {
      thread.io = io;
      kernel.block(cpu, thread, State.Io);
      return;
    }
  }
  thread.transfer = null;
  endRequest(kernel, cpu, thread);
}

/** The answer is with the network card. */
export function endRequest({ shared: { vm } }: Kernel, cpu: GuestCpu, thread: Thread): void {
  vm.counters.requests++;
  if (!Number.isNaN(thread.request)) cpu.endRequest(thread.request);
  thread.request = Number.NaN;
}

/**
 * The disk has answered: the kernel copies, and asks for more if there is any. What is written was
 * copied before, which costs the same.
 */
function fetched(kernel: Kernel, cpu: GuestCpu, thread: Thread, io: Transfer): void {
  kernel.shared.paths.copy(cpu, io.fetched);
  io.fetched = 0;
  if (io.left > 0) ask(kernel, cpu, thread, io, 0);
  else thread.transfer = null;
}

/** `latency` is that of an operation without bytes (a flush). */
function ask(kernel: Kernel, cpu: GuestCpu, thread: Thread, io: Transfer, latency: Cycles): void {
  const bytes = Math.min(io.left, DISK_WINDOW);
  const requests = Math.max(1, Math.ceil(bytes / kernel.shared.diskBytes));
  const { kernel: profile, paths } = kernel.shared;
  paths.run(cpu, requests * profile.instructions.diskRequest, 11);
  io.left -= bytes;
  io.fetched = bytes;
  const takes = latency + Math.round(bytes * io.pace);
  thread.io = kernel.shared.newIo();
  cpu.startIo({ bytes, latency: takes, write: io.write || bytes === 0 }, thread.io);
  kernel.block(cpu, thread, State.Io);
}
