import * as z from 'zod';

/** How a shadow pager tracks the guest's writes to its tables. */
export interface ShadowProfile {
  /** One line, printed by `worldswitch list shadow-profiles`. */
  readonly summary: string;
  /** Leaf tables may lag until the next flush point instead of trapping every write. */
  readonly outOfSync: boolean;
  /** Emulated writes in a row to one table after which it is unshadowed; 0 = never. */
  readonly floodLimit: number;
  /** An emulated write that makes an entry present installs its shadow at once. */
  readonly eagerInstall: boolean;
  /**
   * Every emulated write takes a new tag (KVM), not only those that drop or restrict a translation.
   */
  readonly flushEveryWrite: boolean;
  /**
   * Clearing writes in a row to one leaf table after which its trace and shadow are dropped; 0 =
   * never.
   */
  readonly exitRun: number;
  /** Stores of zero in a row to one table below the top after which it is unshadowed; 0 = never. */
  readonly zeroRun: number;
  /** Tables that may be out of sync at once; 0 = any number. */
  readonly unsyncLimit: number;
  /** Synchronizing takes over the guest's new entries; otherwise each faults on its first use. */
  readonly pullIn: boolean;
  /**
   * Entries that a hidden fault looks at besides its own: the aligned group around it, or those
   * that follow, up to the first that is there or needs a bit of the guest's set. 0 = none.
   */
  readonly prefetch: { readonly group: number; readonly following: number };
  /** INVLPG installs the guest's entry again, if there is one. */
  readonly refillAtInvlpg: boolean;
  /** All shadows are dropped each time the dirty log is taken, not the right to store alone. */
  readonly dropsAtLog: boolean;
}

const PLAIN = {
  outOfSync: false,
  floodLimit: 0,
  eagerInstall: true,
  flushEveryWrite: false,
  exitRun: 0,
  zeroRun: 0,
  unsyncLimit: 0,
  pullIn: false,
  prefetch: { group: 0, following: 0 },
  refillAtInvlpg: false,
  dropsAtLog: false,
} as const;

/** Out-of-sync leaf tables; three emulated writes in a row to an upper table unshadow it. */
const KVM = {
  ...PLAIN,
  outOfSync: true,
  floodLimit: 3,
  flushEveryWrite: true, // mmu_pte_write_flush_tlb: remote flush or local flush, never none
} as const;

export const shadowProfiles = {
  /** Every write to a table traps and is emulated, and nothing is filled ahead (2006). */
  'write-protect': {
    ...PLAIN,
    summary: 'every write to a guest table traps and is emulated',
  },
  /** KVM before 2.6.28: the same, with the flood detector of kvm_mmu_pte_write. */
  'kvm-2.6.26': {
    ...KVM,
    summary: 'every write to a guest table traps and is emulated; three in a row unshadow it',
    outOfSync: false,
  },
  /** KVM 2.6.28 to 2.6.34. */
  'kvm-2.6.33': {
    ...KVM,
    summary: 'last-level tables go out of sync until the next flush; upper ones are emulated',
  },
  /**
   * KVM 2.6.37 to 3.2: FNAME(pte_prefetch) fills an aligned group of 8, and INVLPG goes on to
   * kvm_mmu_pte_write, which reads the guest's entry again.
   */
  'kvm-3.2': {
    ...KVM,
    summary: 'as kvm-2.6.33; a hidden fault fills up to 8 entries, INVLPG fills its own again',
    prefetch: { group: 8, following: 0 },
    refillAtInvlpg: true,
  },
  /**
   * Xen 3.1 and 3.2 (private.h: SHADOW_OPTIMIZATIONS 0x3f): as 3.3, but no table is ever out of
   * sync. Cleaning the dirty log unshadows all (common.c of 3.1 to 4.1: shadow_blow_tables).
   */
  'xen-3.1': {
    ...PLAIN,
    summary: 'every write to a guest table traps and is emulated; faults fill up to 31 more (Xen)',
    prefetch: { group: 0, following: 31 },
    zeroRun: 2,
    dropsAtLog: true,
  },
  /**
   * Xen 3.3 to 4.1 (multi.c, common.c): three leaf tables of a vCPU out of sync, each with a
   * snapshot; a resync takes over all that differs; sh_prefetch looks at 31 entries; two emulated
   * stores of zero in a row unshadow a table.
   */
  'xen-3.3': {
    ...PLAIN,
    summary: 'three last-level tables out of sync, compared whole; faults fill up to 31 more (Xen)',
    outOfSync: true,
    unsyncLimit: 3,
    pullIn: true,
    prefetch: { group: 0, following: 31 },
    zeroRun: 2,
    dropsAtLog: true,
  },
  /**
   * VMware's software MMU under hardware exits: traces on all tables, mappings installed by the
   * traced write (Adams & Agesen 2006).
   */
  'vmware-trace-3.5': {
    ...PLAIN,
    summary: 'every write to a guest table traps and installs its mapping at once (ESX to 3.5)',
  },
  /**
   * The same, and traces of an exiting process are dropped after 4 clearing writes (US 8,359,422,
   * filed in June 2009).
   */
  'vmware-trace': {
    ...PLAIN,
    summary: 'every write to a guest table traps; process exit drops traces (VMware since ESX 4)',
    exitRun: 4,
  },
} as const satisfies Record<string, ShadowProfile>;

export const shadowProfileNames = Object.keys(shadowProfiles) as [
  keyof typeof shadowProfiles,
  ...(keyof typeof shadowProfiles)[],
];

/** What a scenario says of shadow paging. */
export const shadowParams = z.object({
  profile: z
    .enum(shadowProfileNames)
    .meta({ usual: 'that of the hypervisor, `shadowProfile`' })
    .optional()
    .describe('how writes to guest tables are followed'),
  pageBudget: z
    .int()
    .min(64)
    .max(1 << 22)
    .meta({ unit: 'pages', usual: '2 % of the memory pages of the VM, at least 64' })
    .optional()
    .describe('shadow pages per VM; default 2 % of its memory pages, at least 64'),
  floodLimit: z
    .int()
    .min(0)
    .max(1 << 20)
    .meta({ unit: 'writes', usual: 'from the profile' })
    .optional()
    .describe('emulated writes in a row to one table after which it is unshadowed; 0 = never'),
});
