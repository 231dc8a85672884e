/**
 * The leaves of the ledger. Every cycle of every pCPU lands in exactly one of them, so their sum is
 * the elapsed time. A leaf is a small integer, so that HOT code can charge it without a lookup.
 */

/** Why a translation or a data line was not where it was looked for. */
export const Cause = {
  /** This core has never held it for this address space. */
  Cold: 0,
  /** Evicted by the same VM. */
  Capacity: 1,
  /** Evicted by another VM or the host. */
  Interference: 2,
  /** Flushed because another vCPU or the hypervisor took the core. */
  WorldSwitch: 3,
  /** Flushed because the ASIDs ran out. */
  AsidExhausted: 4,
  /** Flushed by a write to CR3. */
  Cr3: 5,
  /** Flushed by INVLPG: the page, or (shadow paging without tags to spare) the whole ASID. */
  Invlpg: 6,
  /** Flushed by a remote invalidation: the hypervisor dropped or write-protected a mapping. */
  Shootdown: 7,
  /** The vCPU came back to a core it had left. */
  Migration: 8,
  /** Held, but not for a store: the walk that sets the dirty bit or finds write permission. */
  Dirty: 9,
} as const;
export type Cause = (typeof Cause)[keyof typeof Cause];

export const causeNames = [
  'cold',
  'capacity',
  'interference',
  'world-switch',
  'asid-exhausted',
  'cr3',
  'invlpg',
  'shootdown',
  'migration',
  'dirty',
] as const;
export const CAUSES = causeNames.length;

/**
 * Why a translation can be missing. `dirty` is not among the causes: a walk that only sets a dirty
 * bit finds the translation where it was.
 */
export type LossCause = Exclude<(typeof causeNames)[number], 'dirty'>;
export const lossCauses = causeNames.filter((name): name is LossCause => name !== 'dirty');

/** `world-switch` -> `world_switch`: as part of a column's name. */
export type Snake<Name extends string> = Name extends `${infer Head}-${infer Tail}`
  ? `${Head}_${Snake<Tail>}`
  : Name;
export const snake = <Name extends string>(name: Name): Snake<Name> =>
  name.replaceAll('-', '_') as Snake<Name>;

/** Why the guest exited. */
export const ExitReason = {
  Npf: 0,
  PageFault: 1,
  PteWrite: 2,
  Cr3Write: 3,
  Invlpg: 4,
  Hlt: 5,
  Intr: 6,
  Ioio: 7,
  ApicAccess: 8,
  /** A store to a page that the dirty log protects. */
  DirtyLog: 9,
} as const;
export type ExitReason = (typeof ExitReason)[keyof typeof ExitReason];

export const exitNames = [
  'npf',
  'page-fault',
  'pte-write',
  'cr3-write',
  'invlpg',
  'hlt',
  'intr',
  'ioio',
  'apic-access',
  'dirty-log',
] as const;
export const EXITS = exitNames.length;

/** Why a line that a visit waits for was in none of the core's own caches: a part of `Cause`. */
export const lineCauses = ['cold', 'capacity', 'interference', 'migration'] as const;
const LINE_CAUSES = lineCauses.length;

/** Detail of a leaf of `data.stall` -> the cause that it tells: `l3-capacity` -> `capacity`. */
export const lineCauseOf = (detail: string): string => detail.replace(/^(?:l3|memory)-/, '');

/** First leaves after those of walks, and after those of data lines. */
const STALLS = 3 + 2 * CAUSES;
const AFTER_STALLS = STALLS + 2 + 2 * LINE_CAUSES;

export const Leaf = {
  GuestUser: 0,
  GuestKernel: 1,
  TlbL2Hit: 2,
  /** Plus a cause. */
  WalkGuest: 3,
  /** Plus a cause. */
  WalkNested: 3 + CAUSES,
  /** A line that the L2 had. */
  StallL2: STALLS,
  /** Plus a cause by `lineCauses`. */
  StallL3: STALLS + 1,
  /** Plus a cause by `lineCauses`. */
  StallMemory: STALLS + 1 + LINE_CAUSES,
  /** Waiting until the channels of a node have room. */
  StallQueue: STALLS + 1 + 2 * LINE_CAUSES,
  /** Plus an exit reason. */
  ExitTransition: AFTER_STALLS,
  /** Plus an exit reason. */
  ExitHandler: AFTER_STALLS + EXITS,
  Switch: AFTER_STALLS + 2 * EXITS,
  ShootdownGuest: 1 + AFTER_STALLS + 2 * EXITS,
  ShootdownHypervisor: 2 + AFTER_STALLS + 2 * EXITS,
  HostDevice: 3 + AFTER_STALLS + 2 * EXITS,
  HostInterrupt: 4 + AFTER_STALLS + 2 * EXITS,
  Idle: 5 + AFTER_STALLS + 2 * EXITS,
  /** Tasks of the host (host-task.ts): live migration, both ends. */
  HostMigration: 6 + AFTER_STALLS + 2 * EXITS,
  /** The same of fault tolerance: the log's sender and receiver. */
  HostFt: 7 + AFTER_STALLS + 2 * EXITS,
  /** A protected vCPU writes the log, or takes from it. */
  FtLog: 8 + AFTER_STALLS + 2 * EXITS,
  /** The host has lost power. */
  Off: 9 + AFTER_STALLS + 2 * EXITS,
} as const;
export const LEAVES = Leaf.Off + 1;

/** Name and detail of every leaf, by number. */
export const leafNames: readonly { readonly leaf: string; readonly detail: string }[] = [
  { leaf: 'guest.user', detail: '' },
  { leaf: 'guest.kernel', detail: '' },
  { leaf: 'tlb.l2hit', detail: '' },
  ...causeNames.map((detail) => ({ leaf: 'walk.guest', detail })),
  ...causeNames.map((detail) => ({ leaf: 'walk.nested', detail })),
  { leaf: 'data.stall', detail: 'l2' },
  ...lineCauses.map((cause) => ({ leaf: 'data.stall', detail: `l3-${cause}` })),
  ...lineCauses.map((cause) => ({ leaf: 'data.stall', detail: `memory-${cause}` })),
  { leaf: 'data.stall', detail: 'queue' },
  ...exitNames.map((detail) => ({ leaf: 'exit.transition', detail })),
  ...exitNames.map((detail) => ({ leaf: 'exit.handler', detail })),
  { leaf: 'switch', detail: '' },
  { leaf: 'shootdown', detail: 'guest' },
  { leaf: 'shootdown', detail: 'hypervisor' },
  { leaf: 'host', detail: 'device' },
  { leaf: 'host', detail: 'interrupt' },
  { leaf: 'idle', detail: '' },
  { leaf: 'host', detail: 'migration' },
  { leaf: 'host', detail: 'ft' },
  { leaf: 'ft', detail: 'log' },
  { leaf: 'off', detail: '' },
];
