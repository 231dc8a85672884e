import type { Cycles } from '../../base/ids.ts';

/**
 * What executes the guest on one side of a pair. The protocol tells it when it may go on; it asks
 * the protocol's side (`PrimarySide`, `SecondarySide`) for everything else.
 */
export interface Replica {
  /** Primary: the log is full. It executes nothing more until `go`. */
  stall(now: Cycles): void;
  /** Primary: the log has room again. Secondary: there are entries to replay. */
  go(now: Cycles): void;
  /** Primary: it may take so much of a pCPU, 1 = all that it wants. */
  limit(share: number, now: Cycles): void;
  /**
   * Secondary: from here on it is the primary. Whatever it replays was acknowledged; outputs that
   * the log does not report as done are done again.
   */
  goLive(now: Cycles): void;
  /** The other side goes on, or the host is lost: it never executes again. */
  halt(now: Cycles): void;
}
