import type { HostOfRun, LedgerRow, RunResult } from './result.ts';

/** Sums over hosts of unlike clocks: their cycles are not equally long. */

type Hosts = readonly Pick<HostOfRun, 'name' | 'mhz'>[] | undefined;

/** The ledger with the cycles of each row as many as take as long on the host that `of` names. */
function rescaled(
  ledger: readonly LedgerRow[],
  hosts: Hosts,
  of: (row: LedgerRow) => string | undefined,
): readonly LedgerRow[] {
  if (!hosts?.some(({ mhz }) => mhz !== hosts[0]!.mhz)) return ledger;
  const clocks = new Map<string | undefined, number>(hosts.map(({ name, mhz }) => [name, mhz]));
  return ledger.map((row) => {
    const [own, other] = [clocks.get(row.host), clocks.get(of(row))];
    if (own === undefined || other === undefined || own === other) return row;
    return { ...row, cycles: (row.cycles * other) / own };
  });
}

/** The ledger in cycles of the first host: for sums over all of it. */
export const inOneClock = ({ ledger, hosts }: Pick<RunResult, 'ledger' | 'hosts'>) =>
  rescaled(ledger, hosts, () => hosts![0]!.name);

/**
 * The ledger with what each VM did anywhere in cycles of the host that its row names, for sums over
 * a VM; what is done for no VM as it is.
 */
export function inClocksOfVms(
  { ledger, hosts }: Pick<RunResult, 'ledger' | 'hosts'>,
  vms: readonly { readonly vm: string; readonly host?: string | undefined }[],
): readonly LedgerRow[] {
  const hostOf = new Map(vms.map(({ vm, host }) => [vm, host]));
  return rescaled(ledger, hosts, ({ vm, host }) => hostOf.get(vm) ?? host);
}

/** The ledger in cycles of one host, for sums over several. */
export const inClockOf = (result: Pick<RunResult, 'ledger' | 'hosts'>, host: string | undefined) =>
  rescaled(result.ledger, result.hosts, () => host);

/** MHz of a host, or of the one that points of time are counted by. */
export const clockOfHost = (
  { hosts = [], mhz }: Pick<RunResult, 'hosts' | 'mhz'>,
  host: string | undefined,
): number => hosts.find(({ name }) => name === host)?.mhz ?? mhz;
