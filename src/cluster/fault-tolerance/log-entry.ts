import type { Cycles } from '../../base/ids.ts';
import { Vector } from '../../hypervisor/guest-port.ts';
import type { LogSizes } from './log-params.ts';
import type { Sequenced } from './messages.ts';

/** What a log entry reports: an event that the guest's own program does not determine. */
export const EntryKind = {
  /** A timer interrupt. */
  Timer: 0,
  /** An interrupt of a device that brings no data: a disk write done, packets sent. */
  Device: 1,
  /** A disk read done, with what was read. */
  DiskRead: 2,
  /** Packets received, with their bytes. */
  Packets: 3,
  /** What the guest read from a clock. */
  Clock: 4,
  /** The guest has sent something: it leaves the host when this entry is acknowledged. */
  Output: 5,
  /**
   * Something that a real guest works out from what it was told before (which request its packets
   * hold, when its disk will have answered) and a simulated one is told: no bytes, no cost.
   */
  Told: 6,
} as const;
export type EntryKind = (typeof EntryKind)[keyof typeof EntryKind];

/** An interrupt comes between two steps; everything else within one. */
export const isInterrupt = (kind: EntryKind): boolean => vectorOf(kind) !== 0;

/** The interrupt that an entry reports; 0: none. */
export function vectorOf(kind: EntryKind): number {
  switch (kind) {
    case EntryKind.Timer:
      return Vector.Timer;
    case EntryKind.Device:
    case EntryKind.DiskRead:
      return Vector.Device;
    case EntryKind.Packets:
      return Vector.Network;
    default:
      return 0;
  }
}

/** An event of the primary, to be repeated by the secondary at the same point of the program. */
export interface LogEntry extends Sequenced {
  /** Steps of its program that the guest has completed before it. */
  readonly point: number;
  readonly kind: EntryKind;
  /** What the event brings besides bytes: the clock's value, interrupt vectors. */
  readonly value: number;
  /** How long the primary had executed when it wrote the entry. */
  readonly stamp: Cycles;
}

/** Bytes of an entry. `pieces`: packets or disk requests in it; `payload`: bytes of their data. */
export function entryBytes(
  sizes: LogSizes,
  kind: EntryKind,
  pieces: number,
  payload: number,
): number {
  switch (kind) {
    case EntryKind.Timer:
      return sizes.timerBytes;
    case EntryKind.Device:
      return sizes.deviceBytes;
    case EntryKind.DiskRead:
      return pieces * sizes.diskRequestBytes + payload;
    case EntryKind.Packets:
      return pieces * sizes.packetBytes + payload;
    case EntryKind.Clock:
      return sizes.clockBytes;
    case EntryKind.Output:
      return sizes.outputBytes;
    case EntryKind.Told:
      return 0;
  }
}
