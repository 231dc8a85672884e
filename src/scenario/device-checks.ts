import { cardOf, diskOf } from '../hypervisor/devices.ts';
import { mmuModes } from '../hypervisor/mmu/index.ts';
import type { CheckContext } from './check-context.ts';
import { hostOfGroup, hostsOf, pcpuCount } from './hosts.ts';
import type { Path } from './located.ts';
import { pagingOf } from './paging.ts';

/** The devices of VMs: those that the profile has, on hosts that can give them. */
export function checkDevices(context: CheckContext): void {
  const { scenario, sound, fault } = context;
  checkDom0(context);
  const { devices, profile } = scenario.hypervisor;
  if (!sound(['hypervisor', 'devices'])) return;
  for (const [i, group] of scenario.vms.entries()) {
    const at = (key: string): Path => ['vms', i, key];
    const ofAll: Path = ['hypervisor', 'devices'];
    if (!sound(at('network'), at('disk'))) continue;
    const card = group.network ?? devices.network.kind;
    const disk = group.disk ?? devices.disk.kind;
    const cardPath = group.network ? at('network') : [...ofAll, 'network', 'kind'];
    if (!cardOf(devices, card)) {
      fault(
        cardPath,
        `${profile} has no network card of the kind ${card}`,
        `describe one under hypervisor.devices.network.${card}, or choose another kind`,
      );
    } else if (card === 'passthrough') checkPassthrough(context, i, cardPath);
    if (!diskOf(devices, disk)) {
      fault(
        group.disk ? at('disk') : [...ofAll, 'disk', 'kind'],
        `${profile} has no disk of the kind ${disk}`,
        `describe one under hypervisor.devices.disk.${disk}, or choose another kind`,
      );
    }
  }
}

/** A VM has a card of its host for itself, and stays where that is. */
function checkPassthrough({ scenario, sound, fault }: CheckContext, i: number, path: Path): void {
  const group = scenario.vms[i]!;
  if (group.count === 0) return;
  const hosts = hostsOf(scenario);
  const written = sound(['vms', i, 'host']) ? hostOfGroup(hosts, group) : undefined;
  const virtualized = sound(['vms', i, 'mmu'], ['hypervisor', 'mmu'])
    ? mmuModes.of(pagingOf(scenario, group).kind).virtualized
    : false;
  if (written && sound(written.path) && virtualized && !written.host.iommu) {
    fault(
      path,
      'a card of its own takes an IOMMU, and the host has none',
      `write iommu: true under ${written.path.join('.')}: AMD boards have one from the ` +
        'SR5690 chipset on (Opteron 4100, 6100)',
    );
  }
  if (group.faultTolerance) {
    fault(path, 'a VM with a card of its own cannot be protected: the card stays on its host');
  }
  for (const [e, event] of (scenario.events ?? []).entries()) {
    const { vm } = event as { readonly vm?: unknown };
    if (event.kind !== 'migrate' || typeof vm !== 'string') continue;
    if (!sound(['events', e]) || !new RegExp(`^${group.name}-\\d+$`).test(vm)) continue;
    fault(['events', e, 'vm'], `${vm} has a card of its own, which stays on its host`);
  }
}

function checkDom0({ scenario, sound, fault }: CheckContext): void {
  for (const { host, path } of hostsOf(scenario)) {
    const at: Path = [...path, 'dom0', 'pin'];
    if (!sound(path) || !host.dom0.pin) continue;
    const pcpus = pcpuCount(host);
    const far = host.dom0.pin.find((pcpu) => pcpu >= pcpus);
    if (far === undefined) continue;
    fault(at, `there is no pCPU ${far}: the host uses 0 to ${pcpus - 1}`);
  }
}
