import type { Cycles } from '../base/ids.ts';
import type { GuestCpu } from '../hypervisor/guest-port.ts';
import { acksOf, packetsOf, SEND_WINDOW } from '../hypervisor/packets.ts';
import { kernelInstructions as cost } from './kernel-costs.ts';
import { type Process, State } from './process.ts';
import type { Kernel } from './system-calls.ts';

/**
 * Bytes that a process still has to move. They move in pieces, between which other processes may
 * run: what the kernel executes for them depends on their number alone, and when it does so on the
 * devices.
 */
export interface Transfer {
  readonly kind: 'receive' | 'send' | 'disk';
  /** Bytes the kernel has not started on. */
  left: number;
  /** Bytes the disk has been asked for. */
  fetched: number;
  /** Time of the disk for each byte. */
  readonly pace: Cycles;
}

/** Bytes of disk I/O in flight for one process. assumed (128 KiB-4 MiB) */
const DISK_WINDOW = 2 ** 20;

export const receiving = (bytes: number): Transfer => transfer('receive', bytes);
export const sending = (bytes: number): Transfer => transfer('send', bytes);
function transfer(kind: Transfer['kind'], left: number): Transfer {
  return { kind, left, fetched: 0, pace: 0 };
}

/**
 * An I/O operation of the process begins, which takes the disk `latency` in all. It waits even if
 * there are no bytes.
 */
export function startDiskIo(
  kernel: Kernel,
  cpu: GuestCpu,
  process: Process,
  bytes: number,
  latency: Cycles,
): void {
  kernel.vm.counters.io_requests++;
  const io: Transfer = {
    kind: 'disk',
    left: bytes,
    fetched: 0,
    pace: latency / Math.max(1, bytes),
  };
  process.transfer = io;
  ask(kernel, cpu, process, io, bytes > 0 ? 0 : latency);
}

/** The next piece of the running process's transfer: it may have to wait, or be done. */
export function moveOn(kernel: Kernel, cpu: GuestCpu, process: Process): void {
  const transfer = process.transfer!;
  if (transfer.kind === 'receive') receive(kernel, cpu, process, transfer);
  else if (transfer.kind === 'send') send(kernel, cpu, process, transfer);
  else fetched(kernel, cpu, process, transfer);
}

function receive({ paths }: Kernel, cpu: GuestCpu, process: Process, transfer: Transfer): void {
  const bytes = Math.min(transfer.left, SEND_WINDOW);
  paths.run(cpu, packetsOf(bytes) * cost.receive, 18);
  paths.copy(cpu, bytes);
  transfer.left -= bytes;
  if (transfer.left === 0) process.transfer = null;
}

function send(kernel: Kernel, cpu: GuestCpu, process: Process, transfer: Transfer): void {
  const { paths, vm, requests, sendBytes } = kernel;
  const bytes = Math.min(transfer.left, SEND_WINDOW);
  if (bytes > 0) {
    const pieces = Math.ceil(bytes / sendBytes);
    const acks = acksOf(packetsOf(bytes));
    paths.copy(cpu, bytes);
    paths.run(cpu, pieces * cost.sendPiece + acks * cost.acknowledgement, 19);
    transfer.left -= bytes;
    const due = cpu.send(bytes);
    if (transfer.left > 0) {
      process.due = due;
      kernel.block(cpu, process, State.Io);
      return;
    }
  }
  process.transfer = null;
  vm.counters.requests++;
  if (!Number.isNaN(process.request)) requests?.finish(process.request, cpu.core.now);
  process.request = Number.NaN;
}

/** The disk has delivered: the kernel copies, and asks for more if anything is left. */
function fetched(kernel: Kernel, cpu: GuestCpu, process: Process, io: Transfer): void {
  kernel.paths.copy(cpu, io.fetched);
  io.fetched = 0;
  if (io.left > 0) ask(kernel, cpu, process, io, 0);
  else process.transfer = null;
}

/** `latency` is that of an operation without bytes (a flush). */
function ask(kernel: Kernel, cpu: GuestCpu, process: Process, io: Transfer, latency: Cycles): void {
  const bytes = Math.min(io.left, DISK_WINDOW);
  const requests = Math.max(1, Math.ceil(bytes / kernel.diskBytes));
  kernel.paths.run(cpu, requests * cost.diskRequest, 11);
  io.left -= bytes;
  io.fetched = bytes;
  process.due = cpu.startIo(bytes, latency + Math.round(bytes * io.pace));
  kernel.block(cpu, process, State.Io);
}
