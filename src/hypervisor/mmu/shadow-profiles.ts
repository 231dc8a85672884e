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
}

export const shadowProfiles = {
  /**
   * Every write to a table traps and is emulated (Xen before 3.3; KVM before 2.6.28, without its
   * flood detector).
   */
  'write-protect': {
    summary: 'every write to a guest table traps and is emulated (Xen before 3.3)',
    outOfSync: false,
    floodLimit: 0,
    eagerInstall: true,
    flushEveryWrite: false,
    exitRun: 0,
  },
  /**
   * KVM 2.6.33: out-of-sync leaf tables; three emulated writes in a row to an upper table unshadow
   * it.
   */
  'kvm-2.6.33': {
    summary: 'last-level tables go out of sync until the next flush; upper ones are emulated',
    outOfSync: true,
    floodLimit: 3,
    eagerInstall: true,
    flushEveryWrite: true, // mmu_pte_write_flush_tlb: remote flush or local flush, never none
    exitRun: 0,
  },
  /**
   * VMware's software MMU under hardware exits: traces on all tables, mappings installed by the
   * traced write (Adams & Agesen 2006), traces of an exiting process dropped after 4 clearing
   * writes (US 8,359,422).
   */
  'vmware-trace': {
    summary: 'every write to a guest table traps and installs its mapping at once (VMware)',
    outOfSync: false,
    floodLimit: 0,
    eagerInstall: true,
    flushEveryWrite: false,
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
    .prefault('kvm-2.6.33')
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
