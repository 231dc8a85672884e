import { lineCauseOf } from '../stats/leaves.ts';
import type { LedgerRow } from '../stats/result.ts';
import { groupBy } from './table.ts';

/** Which cycles of the ledger would not have been spent without a hypervisor, and what they are. */

/** Causes of loss that a program alone on a machine does not have. */
const foreign = ['interference', 'world-switch', 'asid-exhausted', 'shootdown', 'migration'];

export interface Cost {
  readonly leaf: string;
  /** Empty when all details are taken together. */
  readonly detail: string;
  readonly cycles: number;
  /** The VM that bears most of it. */
  readonly worst: { readonly vm: string; readonly cycles: number };
}

/** Every cost of virtualization, largest first. */
export function virtualizationCosts(ledger: readonly LedgerRow[]): Cost[] {
  const told = (leaf: string, detail: string) =>
    leaf === 'walk.nested' ? '' : leaf === 'data.stall' ? lineCauseOf(detail) : detail;
  const byName = groupBy(
    ledger.filter(isVirtualization),
    ({ leaf, detail }) => `${leaf} ${told(leaf, detail)}`,
  );
  return [...byName.values()]
    .map((rows) => {
      const { leaf, detail } = rows[0]!;
      const byVm = new Map<string, number>();
      for (const { vm, cycles } of rows) byVm.set(vm, (byVm.get(vm) ?? 0) + cycles);
      const [vm, cycles] = [...byVm].toSorted((a, b) => b[1] - a[1])[0]!;
      return {
        leaf,
        detail: told(leaf, detail),
        cycles: rows.reduce((sum, row) => sum + row.cycles, 0),
        worst: { vm, cycles },
      };
    })
    .filter(({ cycles }) => cycles > 0)
    .toSorted((a, b) => b.cycles - a.cycles);
}

function isVirtualization({ leaf, detail }: Pick<LedgerRow, 'leaf' | 'detail'>): boolean {
  if (leaf === 'idle' || leaf === 'off' || leaf.startsWith('guest.') || leaf === 'tlb.l2hit')
    return false;
  if (leaf === 'data.stall') return foreign.includes(lineCauseOf(detail));
  if (leaf === 'walk.guest') return foreign.includes(detail);
  return leaf !== 'shootdown' || detail === 'hypervisor';
}

/** What a cost of virtualization is for, in the words of the first screen. */
export const kindWords = {
  'nested-walks': 'nested page walks',
  'nested-faults': 'first touches of guest memory (nested page faults)',
  shadow: 'keeping shadow page tables',
  exits: 'exits for interrupts, I/O and halts',
  host: 'interrupts, packets and devices of the host',
  switches: 'switches between vCPUs and what they flush',
  migrations: 'moves of vCPUs to other cores',
  neighbours: 'what neighbours evict from caches and TLBs',
  shootdowns: 'invalidations of other cores',
  protection: 'fault tolerance',
} as const;
export type CostKind = keyof typeof kindWords;

const shadowExits = ['page-fault', 'pte-write', 'cr3-write', 'invlpg'];
const kindOfCause: Readonly<Record<string, CostKind>> = {
  interference: 'neighbours',
  migration: 'migrations',
  shootdown: 'shootdowns',
};

/** Undefined for cycles that the work would take without a hypervisor and alone. */
export function kindOfCost(row: Pick<LedgerRow, 'leaf' | 'detail'>): CostKind | undefined {
  if (!isVirtualization(row)) return undefined;
  const { leaf, detail } = row;
  if (leaf === 'walk.nested') return 'nested-walks';
  if (leaf === 'data.stall') return kindOfCause[lineCauseOf(detail)] ?? 'switches';
  if (leaf === 'walk.guest') return kindOfCause[detail] ?? 'switches';
  if (leaf === 'switch') return 'switches';
  if (leaf === 'shootdown') return 'shootdowns';
  if (leaf === 'ft' || (leaf === 'host' && detail === 'ft')) return 'protection';
  if (leaf === 'host') return 'host';
  if (detail === 'npf') return 'nested-faults';
  return shadowExits.includes(detail) ? 'shadow' : 'exits';
}

/** A cost in words, as the summary names it: what the cycles went to. */
export function costWords(leaf: string, detail: string): string {
  switch (leaf) {
    case 'walk.nested':
      return 'reading nested tables';
    case 'walk.guest':
      return `page walks: ${afterLoss[detail] ?? detail}`;
    case 'data.stall':
      return `data lines: ${afterLoss[detail] ?? detail}`;
    case 'exit.transition':
      return '#VMEXIT and VMRUN';
    case 'shootdown':
      return 'invalidating translations on other cores';
    default:
      return leafHelp(leaf, detail);
  }
}

/** How a translation or a data line came to be missing. */
const afterLoss: Readonly<Record<string, string>> = {
  interference: 'evicted by neighbours',
  'world-switch': 'after world switches',
  'asid-exhausted': 'no ASID left',
  shootdown: 'remapped by the hypervisor',
  migration: 'vCPU moved to this core',
};

/** What a leaf is, in a few words. */
export function leafHelp(leaf: string, detail: string): string {
  switch (leaf) {
    case 'walk.nested':
      return 'reading nested tables';
    case 'walk.guest':
      return 'reading page tables';
    case 'data.stall':
      return 'waiting for data lines';
    case 'exit.transition':
      return '#VMEXIT and VMRUN';
    case 'exit.handler':
      return handlerHelp[detail] ?? 'hypervisor code for exits';
    case 'switch':
      return 'switching to another vCPU';
    case 'host':
      return hostHelp[detail] ?? 'host interrupts and packets';
    case 'ft':
      return 'writing or taking the log of fault tolerance';
    default:
      return '';
  }
}

const hostHelp: Readonly<Record<string, string>> = {
  device: 'device emulation',
  migration: 'threads of live migration',
  ft: 'threads of fault tolerance',
};

const handlerHelp: Readonly<Record<string, string>> = {
  npf: 'allocating memory at first touch',
  'page-fault': 'shadow page faults',
  'pte-write': 'emulating page-table writes',
  'cr3-write': 'switching shadow tables, resync',
  invlpg: 'resync of a page',
  hlt: 'putting a halted vCPU to sleep',
  intr: 'interrupts while it runs',
  ioio: 'I/O instructions',
  'apic-access': 'emulating the APIC',
  'dirty-log': 'noting first stores to pages',
};
