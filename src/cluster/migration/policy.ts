import * as z from 'zod';
import { type Definition, registry } from '../../base/registry.ts';

/** What one round of pre-copy has done. Pages are 4 KiB, times picoseconds. */
export interface Round {
  /** From 1. */
  readonly round: number;
  /** Pages of the VM. */
  readonly memory: number;
  /** Pages sent in it, empty ones included, and passed over because they were dirty again. */
  readonly sent: number;
  readonly skipped: number;
  /** Sent in all rounds. */
  readonly total: number;
  /** Bytes sent in it. */
  readonly bytes: number;
  readonly elapsed: number;
  /** Of this the time in which it was sending: the rest it waited for its next turn. */
  readonly sending: number;
  /** Pages stored to during it. Undefined where the log is read only afterwards. */
  readonly dirtied: number | undefined;
  /** Pages that are still to be sent, as far as is known. */
  readonly pending: number;
}

/** How a round sends. */
export interface Pace {
  /** Bytes in a second at most. */
  readonly rate: number;
  /** After so many bytes the round is over, although pages may be left. */
  readonly budget: number;
  /** Picoseconds that a round takes at least. */
  readonly interval: number;
  /** Share of the time in which the guest is held, so that it dirties less. */
  readonly stun: number;
}

/** As fast as the link and the sender can, until all is sent. */
export const flatOut: Pace = { rate: Infinity, budget: Infinity, interval: 0, stun: 0 };

/**
 * What follows a round: another one; the last one, with the VM stopped; giving up; or the VM goes
 * on
 * at the target at once and what it lacks follows on demand.
 */
export type Next =
  | { readonly what: 'round' }
  | { readonly what: 'stop'; readonly why: string }
  | { readonly what: 'fail'; readonly why: string }
  | { readonly what: 'early'; readonly why: string };

export const again: Next = { what: 'round' };
export const stop = (why: string): Next => ({ what: 'stop', why });

/** What a migration puts on the wire, and what that costs a host. */
export interface Wire {
  /** Pages of one message. */
  readonly batch: number;
  /** Bytes beside each page. */
  readonly header: number;
  /** Bytes of a page that has never been stored to; undefined: it is sent like any other. */
  readonly emptyPage: number | undefined;
  /** State of processors and devices. */
  readonly stateBytes: number;
  /** Cycles at either end: of a page, and of each 64 bytes of a message. */
  readonly pageCycles: number;
  readonly lineCycles: number;
}

/**
 * When rounds of pre-copy end. One per migration; pure: it hears what a round did and says what
 * follows.
 */
export interface PreCopyPolicy {
  /** `next` wants to know what was dirtied: the log is read before it is asked. */
  readonly readsLogFirst: boolean;
  /** Pages that are dirty again when their turn comes wait for the next round. */
  readonly skips: boolean;
  next(round: Round): Next;
  /**
   * The pace of the round after `before`, whose `dirtied` is known; of the first if there is none.
   */
  pace(before: Round | undefined): Pace;
}

/** How a VM moves: in rounds while it runs, or at once, with its memory on demand. */
export interface MigrationPolicy {
  readonly wire: Wire;
  /** From stopping the VM to reading the last log, in picoseconds; undefined: at once. */
  readonly suspend?: number;
  /** Undefined: nothing is sent before the VM moves. */
  readonly preCopy: PreCopyPolicy | undefined;
  /** Pages follow unasked, those around the last fault first. */
  readonly prePaging: boolean;
}

export interface MigrationDefinition<P extends z.ZodObject = z.ZodObject>
  extends Definition<MigrationPolicy, undefined, P> {
  /** Products that do it this way: beginnings of the names of profiles. */
  readonly products: readonly string[];
}

// biome-ignore lint/suspicious/noExplicitAny: definitions differ in their parameters
export type AnyMigrationDefinition = MigrationDefinition<any>;

export const migrationRegistry = (definitions: readonly AnyMigrationDefinition[]) =>
  registry<MigrationPolicy, undefined, AnyMigrationDefinition>('migration policy', definitions);

const cycles = () => z.int().min(0).max(1_000_000).meta({ unit: 'cycles' });

/**
 * Parameters that every policy has: what sending costs its product, with where that is from. (A
 * description ends in status, range and source of its number: docs/model-numbers.md collects them.)
 */
export const costParams = (page: number, line: number, from: { page: string; line: string }) => ({
  pageCycles: cycles()
    .prefault(page)
    .describe(
      `at either end, for each page: bookkeeping, mapping, calls; default ${page}; ${from.page}`,
    ),
  lineCycles: cycles()
    .prefault(line)
    .describe(`at either end, for each 64 bytes: copies and TCP; default ${line}; ${from.line}`),
});

export const MBIT = 1e6 / 8;
export const PAGE = 4096;
/** Picoseconds in a second. */
export const SECOND = 1e12;
