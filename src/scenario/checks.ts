import type { Choice } from '../base/registry.ts';
import { showBytes } from '../base/units.ts';
import { mmuModes } from '../hypervisor/mmu/index.ts';
import type { PolicyHost } from '../hypervisor/requirements.ts';
import { schedulers } from '../hypervisor/schedulers/index.ts';
import { tagPolicies } from '../hypervisor/tags/index.ts';
import type { CheckContext } from './check-context.ts';
import { checkCluster } from './cluster-checks.ts';
import { checkDevices } from './device-checks.ts';
import { plannedVm } from './effects.ts';
import { hostOfGroup, hostsOf, isOn, pcpuCount, roomFor, type WrittenHost } from './hosts.ts';
import type { Path } from './located.ts';
import { checkPageSizes } from './page-size-checks.ts';
import { pagingOf } from './paging.ts';
import { checkPlacement } from './placement-checks.ts';
import { processorFaults } from './processor-checks.ts';
import { checkSampling } from './sampling-checks.ts';
import type { ParsedScenario } from './schema.ts';

/** Rules that tie several keys of a scenario together; single values were checked by the schema. */

const MIN_VM = 16 * 2 ** 20;
/** The frame tables of the model hold 64 GiB without a second thought. */
const MAX_HOST = 64 * 2 ** 30;
const MIN_HOST = 64 * 2 ** 20;
const MAX_SAMPLES = 100_000;

export function checkScenario(context: CheckContext): void {
  checkTimes(context);
  checkHosts(context);
  checkPlacement(context);
  checkPolicies(context);
  checkVms(context);
  checkScheduling(context);
  checkPageSizes(context);
  checkMemory(context);
  checkDevices(context);
  checkCluster(context);
  checkSampling(context);
}

function checkTimes({ scenario, sound, written, fault }: CheckContext): void {
  const { duration, warmup, output } = scenario;
  if (duration === 'work' || !sound(['duration'])) return;
  if (sound(['warmup']) && warmup >= duration) {
    const at = written(['warmup']) ? 'warmup' : 'duration';
    fault(
      [at],
      `the warm-up (${ms(warmup)}) must be shorter than the duration (${ms(duration)})`,
      'nothing would be measured',
    );
  }
  const samples = duration / output.timeseries;
  if (sound(['output']) && Number.isFinite(samples) && samples > MAX_SAMPLES) {
    fault(
      ['output', 'timeseries'],
      `${Math.round(samples)} samples are more than ${MAX_SAMPLES}`,
      `write at least ${Math.ceil(duration / MAX_SAMPLES / 1e6)}us`,
    );
  }
}

const ms = (picoseconds: number) => `${picoseconds / 1e9}ms`;

function checkHosts(context: CheckContext): void {
  for (const written of hostsOf(context.scenario)) checkHost(context, written);
}

function checkHost({ sound, fault }: CheckContext, { host, path }: WrittenHost): void {
  const at = (...keys: Path): Path => [...path, ...keys];
  if (sound(at('memory')) && host.memory > MAX_HOST) {
    fault(at('memory'), `at most ${showBytes(MAX_HOST)} of host memory can be simulated`);
  }
  if (sound(at('memory')) && host.memory < MIN_HOST) {
    fault(at('memory'), `a host needs at least ${showBytes(MIN_HOST)} of memory`);
  }
  if (!sound(path)) return;
  const all = host.sockets * host.cpu.diesPerSocket * host.cpu.coresPerDie;
  if (host.pcpus !== undefined && host.pcpus > all) {
    fault(at('pcpus'), `the host has only ${all} pCPUs, got ${host.pcpus}`);
  }
  for (const { path: inside, message } of processorFaults(host.cpu, all)) {
    fault(at('cpu', ...inside), message);
  }
}

/** What the chosen policies say that they need of processor and hypervisor, on every host. */
function checkPolicies(context: CheckContext): void {
  const { scenario, sound } = context;
  if (!sound(['hypervisor', 'profile'], ['hypervisor', 'costs'])) return;
  const { hypervisor, vms } = scenario;
  const hosts = hostsOf(scenario).filter(({ path }) => sound(path));
  for (const written of hosts) {
    // Every VM may have its own: then nobody has that of the hypervisor.
    const users = vms.filter((group) => group.count > 0 && isOn(hosts, group, written));
    const all = users.every(ownPaging) && (users.length > 0 || hosts.length > 1);
    const needed: readonly Choosing[] = [
      ...(all ? [] : [{ path: ['hypervisor', 'mmu'], policies: mmuModes, choice: hypervisor.mmu }]),
      { path: ['hypervisor', 'tags'], policies: tagPolicies, choice: hypervisor.tags },
      ...vms.flatMap((group, i) =>
        ownPaging(group) && isOn(hosts, group, written)
          ? [{ path: ['vms', i, 'mmu'], policies: mmuModes, choice: pagingOf(scenario, group) }]
          : [],
      ),
    ];
    for (const choosing of needed) checkChoice(context, written, choosing);
  }
}

/** A group whose paging is not that of the hypervisor. */
const ownPaging = ({ faultTolerance, mmu }: ParsedScenario['vms'][number]) =>
  mmu !== undefined || faultTolerance !== undefined;

interface Choosing {
  readonly path: Path;
  readonly policies: typeof mmuModes | typeof tagPolicies;
  readonly choice: Choice;
}

function checkChoice(
  { scenario: { hypervisor }, sound, fault }: CheckContext,
  { host }: WrittenHost,
  { path, policies, choice }: Choosing,
): void {
  if (!sound(path)) return;
  const place: PolicyHost = {
    processorName: host.processor,
    processor: host.cpu,
    profile: hypervisor.profile,
    costs: hypervisor.costs,
  };
  const { kind, ...params } = choice;
  for (const { param, message, suggestion } of policies.of(kind).requires?.(params, place) ?? []) {
    fault([...path, param ?? 'kind'], message, suggestion);
  }
}

const numberOfPcpus = (host: Path): Path[] => [
  ...['processor', 'sockets'].map((key) => [...host, key]),
  ...['diesPerSocket', 'coresPerDie'].map((key) => [...host, 'cpu', key]),
];

function checkVms({ scenario, sound, fault }: CheckContext): void {
  const names: string[] = [];
  const hosts = hostsOf(scenario);
  for (const [i, vm] of scenario.vms.entries()) {
    const at = (key: string) => ['vms', i, key];
    if (sound(at('name')) && names.includes(vm.name)) {
      fault(at('name'), `two groups of VMs are called "${vm.name}"`);
    }
    names.push(vm.name);
    if (sound(at('vcpus')) && vm.vcpus !== 1) {
      fault(
        at('vcpus'),
        `VMs with ${vm.vcpus} vCPUs are not supported yet: guests have one vCPU`,
        'write vcpus: 1, and more VMs with count',
      );
    }
    if (sound(at('memory')) && vm.memory < MIN_VM) {
      fault(at('memory'), `a VM needs at least ${showBytes(MIN_VM)}, got ${showBytes(vm.memory)}`);
    }
    const on = hostOfGroup(hosts, vm);
    if (!on || !sound(...numberOfPcpus(on.path), at('pin'))) continue;
    const pcpus = pcpuCount(on.host);
    for (const [j, pcpu] of (vm.pin ?? []).entries()) {
      if (pcpu < pcpus) continue;
      const range = pcpus === 1 ? 'the only one is 0' : `they are numbered 0 to ${pcpus - 1}`;
      fault([...at('pin'), j], `there is no pCPU ${pcpu}`, range);
    }
  }
  const counts = scenario.vms.map((_, i) => ['vms', i, 'count']);
  if (sound(['vms'], ...counts) && scenario.vms.every((vm) => vm.count === 0)) {
    fault(['vms'], 'there is no VM: every count is 0');
  }
}

/** What the scheduler has to say of the parameters that it was given for VMs. */
function checkScheduling({ scenario, sound, fault }: CheckContext): void {
  const definition = schedulers.find(scenario.hypervisor.scheduler.kind);
  const own = scenario.vms.map((_, i): Path => ['vms', i, 'scheduler']);
  if (!definition?.check || !sound(['hypervisor', 'scheduler'], ...own)) return;
  const hosts = hostsOf(scenario);
  for (const written of hosts) {
    if (!sound(written.path)) continue;
    const groups = [...scenario.vms.entries()].filter(([, vm]) => isOn(hosts, vm, written));
    const vms = groups.map(([, vm]) => plannedVm(vm));
    const plan = { pcpus: pcpuCount(written.host), vms };
    for (const [n, [i]] of groups.entries()) {
      const vm = vms[n]!;
      const found = vm.count > 0 ? definition.check(vm, plan) : undefined;
      if (found) fault([...own[i]!, found.key], found.message, found.suggestion);
    }
  }
}

/** The VMs of each host have room there. */
function checkMemory(context: CheckContext): void {
  const { scenario, sound } = context;
  const inputs = scenario.vms.flatMap((_, i) => [
    ['vms', i, 'memory'],
    ['vms', i, 'count'],
  ]);
  if (!sound(...inputs)) return;
  const hosts = hostsOf(scenario);
  for (const written of hosts) {
    if (sound([...written.path, 'memory'])) checkRoom(context, hosts, written);
  }
}

function checkRoom(
  { scenario, written, fault }: CheckContext,
  hosts: readonly WrittenHost[],
  on: WrittenHost,
): void {
  const groups = [...scenario.vms.entries()].filter(([, vm]) => isOn(hosts, vm, on));
  const room = roomFor(on.host.memory);
  const asked = groups.reduce((sum, [, vm]) => sum + vm.memory * vm.count, 0);
  if (asked <= room) return;
  let sum = 0;
  const [tipping, { memory, count }] = groups.find(
    ([, vm]) => (sum += vm.memory * vm.count) > room,
  )!;
  const key =
    memory <= room && count > 1 && written(['vms', tipping, 'count']) ? 'count' : 'memory';
  const [who, whose] =
    hosts.length > 1 ? [`the VMs on ${on.name} ask`, on.name] : ['the VMs ask', 'the host'];
  fault(
    ['vms', tipping, key],
    `${who} for ${showBytes(asked)} together, ${whose} has ${showBytes(on.host.memory)} ` +
      `and ${showBytes(room)} of it for VMs`,
    `use fewer or smaller VMs, or more ${on.path.join('.')}.memory`,
  );
}
