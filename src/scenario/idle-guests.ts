import type { ProcessTreeParams } from '../guest/workloads/process-tree-params.ts';
import type { SyntheticParams } from '../guest/workloads/synthetic-params.ts';
import { takesKernel } from '../guest/workloads/trace-params.ts';
import { cardOf, diskOf } from '../hypervisor/devices.ts';
import type { Path } from './located.ts';
import type { ParsedScenario } from './schema.ts';

/** Keys of a VM's kernel and devices that its workload leaves without effect: see effects.ts. */

/** A key without effect. */
export interface Idle {
  readonly path: Path;
  /** Why, as the rest of the sentence `this has no effect: …`. */
  readonly reason: string;
  /** Who writes one of these too has turned it off himself: `mmap: { calls: 0, pages: 8 }`. */
  readonly unless?: readonly Path[] | undefined;
}

type Group = ParsedScenario['vms'][number];
type Rates = SyntheticParams['per1M'];

/** What a trace says, as far as it matters here. */
interface TraceParams {
  readonly events: string;
  readonly kernel?: boolean | undefined;
  readonly populate?: boolean | undefined;
  readonly per1M?: Rates | undefined;
}

const NO_KERNEL = 'the trace is replayed without a guest kernel: see populate, events and kernel';
const TICKS_ALONE =
  'the trace is replayed without a guest kernel, of which there are timer ticks alone';
const OWN_TICKS = 'the workload says how many ticks there are: see its hz';
const NO_TICKS = 'there are no timer ticks: hz is 0';

const hasKernel = ({ workload }: Group): boolean =>
  workload.kind !== 'trace' || takesKernel(workload as unknown as TraceParams);

/** The keys below `value` that hold no map. */
const leavesOf = (value: unknown, path: Path): Path[] =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.entries(value).flatMap(([key, inner]) => leavesOf(inner, [...path, key]))
    : [path];

/** `vms[].kernel` and `vms[].os`. */
export function idleInKernel(group: Group, vm: Path): Idle[] {
  const { hz } = group.workload as { readonly hz?: number };
  const ticks = hz ?? group.os.hz;
  const why = (reason: string, ...keys: readonly string[]): Idle[] =>
    keys.map((key) => ({ path: [...vm, 'os', ...key.split('.')], reason }));
  if (!hasKernel(group)) {
    const used = ticks > 0 ? ['cpi', 'instructions.exception', 'instructions.timerTick'] : [];
    const idle = leavesOf(group.os, [])
      .map((leaf) => leaf.join('.'))
      .filter((key) => !used.includes(key));
    return ticks > 0
      ? why(TICKS_ALONE, ...idle)
      : [{ path: [...vm, 'kernel'], reason: NO_KERNEL }, ...why(NO_KERNEL, ...idle)];
  }
  return [
    ...(hz === undefined ? [] : why(OWN_TICKS, 'hz')),
    ...(ticks > 0 ? [] : why(NO_TICKS, 'tickless', 'tickPorts', 'instructions.timerTick')),
  ];
}

/** A program of the workload waits for the disk. */
function usesDisk({ workload }: Group): boolean {
  const params = workload as unknown;
  if (workload.kind === 'process-tree') {
    return (params as ProcessTreeParams).programs.some(({ per1M }) => per1M.blockingIo > 0);
  }
  const { per1M, requests } = params as Partial<SyntheticParams>;
  return (per1M?.blockingIo ?? 0) > 0 || (requests?.ioProbability ?? 0) > 0;
}

/** Something comes or goes through the network card. */
const usesNetwork = ({ workload }: Group): boolean =>
  workload.kind === 'net-stream' || workload['requests'] !== undefined;

/** `vms[].network` and `vms[].disk`. */
export function idleDevices(group: Group, vm: Path): Idle[] {
  const card = usesNetwork(group) ? [] : ['network'];
  const disk = usesDisk(group) ? [] : ['disk'];
  return [
    ...card.map((key) => ({ path: [...vm, key], reason: 'the VM sends and receives nothing' })),
    ...disk.map((key) => ({ path: [...vm, key], reason: 'nothing in the VM waits for the disk' })),
  ];
}

/** Dom0 serves a device of these VMs. */
export function usesDom0({ hypervisor }: ParsedScenario, group: Group): boolean {
  const { disk, network } = hypervisor.devices;
  const card = cardOf(hypervisor.devices, group.network ?? network.kind);
  const own = diskOf(hypervisor.devices, group.disk ?? disk.kind);
  return (
    (card?.worker === 'dom0' && usesNetwork(group)) || (own?.worker === 'dom0' && usesDisk(group))
  );
}

/** What handlers would touch, when they touch nothing. */
export function idleFootprint({ hypervisor }: ParsedScenario): Idle[] {
  const { touches, ...rest } = hypervisor.footprint;
  if (touches) return [];
  const reason = 'handlers touch nothing: touches is false';
  return leavesOf(rest, ['hypervisor', 'footprint']).map((path) => ({ path, reason }));
}
