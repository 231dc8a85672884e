import { LEAVES, leafNames, lineCauseOf } from '../stats/leaves.ts';

/**
 * Twin worlds: the same run with a mechanism whose price is zero. It still happens (entries are
 * flushed, exits are taken, lines are lost), only its cycles neither pass nor are charged. So the
 * ledger says what a mechanism was charged, and the difference between two twins what the world
 * would gain without it: less time also means fewer timer ticks, other turns, other lines in the
 * caches.
 */
export interface Mechanism {
  readonly help: string;
  /** Whether a leaf of the ledger belongs to it. */
  readonly covers: (leaf: string, detail: string) => boolean;
}

/** Causes of loss that come from a flush, or from a new tag in its place. */
const FLUSHES: ReadonlySet<string> = new Set([
  'world-switch',
  'asid-exhausted',
  'cr3',
  'invlpg',
  'shootdown',
  'migration',
]);
const isWalk = (leaf: string) => leaf === 'walk.guest' || leaf === 'walk.nested';

export const mechanisms = {
  exit: {
    help: 'exits: #VMEXIT, VMRUN and the handler',
    covers: (leaf) => leaf.startsWith('exit.'),
  },
  'exit-transition': {
    help: '#VMEXIT, VMRUN, VMSAVE and VMLOAD alone',
    covers: (leaf) => leaf === 'exit.transition',
  },
  'exit-handler': {
    help: 'what the hypervisor does between #VMEXIT and VMRUN',
    covers: (leaf) => leaf === 'exit.handler',
  },
  'vcpu-switch': {
    help: 'scheduler pass and change of state between vCPUs',
    covers: (leaf) => leaf === 'switch',
  },
  'tlb-flush': {
    help:
      'walks for translations lost to any flush or to a new tag, those of the guest kernel ' +
      'included',
    covers: (leaf, detail) => isWalk(leaf) && FLUSHES.has(detail),
  },
  'world-switch-flush': {
    help:
      'walks for translations lost because another vCPU or the hypervisor took the core, or ' +
      'ASIDs ran out',
    covers: (leaf, detail) =>
      isWalk(leaf) && (detail === 'world-switch' || detail === 'asid-exhausted'),
  },
  interference: {
    help: 'walks and data stalls for what other VMs or the host evicted',
    covers: (leaf, detail) =>
      (isWalk(leaf) || leaf === 'data.stall') && lineCauseOf(detail) === 'interference',
  },
  walk: { help: 'page walks, both dimensions', covers: isWalk },
  'nested-walk': {
    help: 'the nested dimension of page walks',
    covers: (leaf) => leaf === 'walk.nested',
  },
  'l2-tlb': {
    help: 'L1 TLB misses that hit the L2',
    covers: (leaf) => leaf === 'tlb.l2hit',
  },
  'data-stall': {
    help: 'waiting for data lines',
    covers: (leaf) => leaf === 'data.stall',
  },
  shootdown: {
    help: 'waiting for remote invalidations',
    covers: (leaf) => leaf === 'shootdown',
  },
  host: {
    help: 'device emulation and interrupts of the host',
    covers: (leaf) => leaf === 'host',
  },
} as const satisfies Record<string, Mechanism>;

export type MechanismName = keyof typeof mechanisms;
export const mechanismNames = Object.keys(mechanisms) as readonly MechanismName[];

/** By number of the leaf, 1 = free; undefined when nothing is. */
export function freeLeaves(names: readonly MechanismName[]): Uint8Array | undefined {
  if (names.length === 0) return undefined;
  const free = new Uint8Array(LEAVES);
  for (const [number, { leaf, detail }] of leafNames.entries()) {
    if (names.some((name) => mechanisms[name].covers(leaf, detail))) free[number] = 1;
  }
  return free;
}
