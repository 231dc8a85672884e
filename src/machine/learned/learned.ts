import { Cells, type Faded, UNITS } from './cells.ts';
import { spanOf } from './circumstances.ts';

/** What a host does at a time. */
export const Phase = {
  /** Every visit, line and walk; nothing is learned, since it follows a time without. */
  Detail: 0,
  /** The same, and prices are learned. */
  Count: 1,
  /** Pieces of work pay what they have cost in detail. */
  Skip: 2,
} as const;
export type Phase = (typeof Phase)[keyof typeof Phase];

/**
 * Kinds of work of a group of VMs: mixes of its programs, paths of its kernel, steps of the host.
 * What the host does for none is of a group of its own.
 */
const KINDS = 128;
const PATHS = 32;
const STEPS = 96;
/** Paths from here on are no paths of their own, or have a price for each line. */
export const COPIES = 60;
const ANY_PATH = KINDS - 1;
const ANY_MIX = PATHS - 1;

const FRESH: Faded = { walks: 1, lines: 1 };

/**
 * Units by which means of cells are drawn towards their neighbours; instructions are a share of the
 * time for which circumstances last: a few of them tell nothing of a long time.
 */
const PRIOR_SHARE = 0.1;
const PRIOR_VISITS = 8;
const PRIOR_STEPS = 0.5;

/** What the cores of a host have learned, and which way they work now. */
export class Learned {
  phase: Phase = Phase.Detail;
  readonly cells: Cells;
  /** By vCPU: its group. */
  readonly groupOf: Int32Array;
  /** By vCPU: the core that had it last. */
  readonly lastCore: Int32Array;
  /** By group: instructions of its programs since power-on, and of these in detail. */
  readonly executed: Float64Array;
  readonly inDetail: Float64Array;
  readonly faded: Faded[];
  readonly hostGroup: number;

  constructor(groupOf: readonly number[]) {
    this.groupOf = Int32Array.from(groupOf);
    this.lastCore = new Int32Array(groupOf.length).fill(-1);
    const groups = Math.max(...groupOf) + 1;
    this.executed = new Float64Array(groups);
    this.inDetail = new Float64Array(groups);
    this.faded = new Array<Faded>(groups).fill(FRESH);
    this.hostGroup = groups;
    this.cells = new Cells(
      (kind, circumstances) =>
        this.isStep(kind)
          ? PRIOR_STEPS
          : kind % KINDS < PATHS
            ? PRIOR_SHARE * spanOf(circumstances)
            : PRIOR_VISITS,
      (kind) => this.faded[this.groupOfKind(kind)] ?? FRESH,
    );
  }

  /** Visits of a mix of a group's programs. */
  userKind(group: number, mix: number): number {
    return group * KINDS + Math.min(ANY_MIX - 1, mix);
  }

  /** Kinds of visits of a group's programs: from the first to before the end. */
  userKinds(group: number): readonly [number, number] {
    return [group * KINDS, group * KINDS + ANY_MIX];
  }

  /** Instructions of a group's programs that prices are learned from. */
  learnedFrom(group: number): number {
    return this.cells.sumsOf(this.anyMix(group))?.[UNITS] ?? 0;
  }

  isUser(kind: number): boolean {
    return kind % KINDS < ANY_MIX;
  }

  /** A path of its kernel; `anyPath`: all of them. */
  pathKind(group: number, path: number): number {
    return group * KINDS + Math.min(STEPS - 1, PATHS + path);
  }

  /** Visits of any of its programs. */
  anyMix(group: number): number {
    return group * KINDS + ANY_MIX;
  }

  anyPath(group: number): number {
    return group * KINDS + ANY_PATH;
  }

  /** Counted twice: as kinds of their own, too. */
  isAny(kind: number): boolean {
    return kind % KINDS === ANY_PATH || kind % KINDS === ANY_MIX;
  }

  /** A step of the host, for a VM of a group. */
  stepKind(group: number, step: number): number {
    return group * KINDS + STEPS + step;
  }

  isStep(kind: number): boolean {
    return kind % KINDS >= STEPS && kind % KINDS !== ANY_PATH;
  }

  /** Group of the VMs whose work a kind is, or `hostGroup`. */
  groupOfKind(kind: number): number {
    return Math.floor(kind / KINDS);
  }
}
