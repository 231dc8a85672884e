import { showBytes } from '../base/units.ts';
import { mmuModes } from '../hypervisor/mmu/index.ts';
import type { PolicyHost } from '../hypervisor/requirements.ts';
import { schedulers } from '../hypervisor/schedulers/index.ts';
import { tagPolicies } from '../hypervisor/tags/index.ts';
import type { CheckContext } from './check-context.ts';
import { plannedVm } from './effects.ts';
import type { Path } from './located.ts';
import { checkPageSizes } from './page-size-checks.ts';
import { processorFaults } from './processor-checks.ts';
import type { ParsedScenario } from './schema.ts';

/** Rules that tie several keys of a scenario together; single values were checked by the schema. */

const MIN_VM = 16 * 2 ** 20;
/** The frame tables of the model hold 64 GiB without a second thought. */
const MAX_HOST = 64 * 2 ** 30;
const MIN_HOST = 64 * 2 ** 20;
/**
 * Share of host memory kept for the hypervisor and its tables: assumed, 2 to 5 % (KVM alone allows
 * shadow pages 2 %).
 */
const RESERVED = 1 / 32;
const MAX_SAMPLES = 100_000;

export function pcpuCount({ host }: ParsedScenario): number {
  const all = host.sockets * host.cpu.diesPerSocket * host.cpu.coresPerDie;
  return Math.min(host.pcpus ?? all, all);
}

export function checkScenario(context: CheckContext): void {
  checkTimes(context);
  checkHost(context);
  checkPolicies(context);
  checkVms(context);
  checkScheduling(context);
  checkPageSizes(context);
  checkMemory(context);
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

function checkHost({ scenario, sound, fault }: CheckContext): void {
  const { host } = scenario;
  if (sound(['host', 'memory']) && host.memory > MAX_HOST) {
    fault(['host', 'memory'], `at most ${showBytes(MAX_HOST)} of host memory can be simulated`);
  }
  if (sound(['host', 'memory']) && host.memory < MIN_HOST) {
    fault(['host', 'memory'], `a host needs at least ${showBytes(MIN_HOST)} of memory`);
  }
  if (!sound(['host'])) return;
  const all = host.sockets * host.cpu.diesPerSocket * host.cpu.coresPerDie;
  if (host.pcpus !== undefined && host.pcpus > all) {
    fault(['host', 'pcpus'], `the host has only ${all} pCPUs, got ${host.pcpus}`);
  }
  for (const { path, message } of processorFaults(host.cpu, all)) {
    fault(['host', 'cpu', ...path], message);
  }
}

/** What the chosen policies say that they need of processor and hypervisor. */
function checkPolicies({ scenario, sound, fault }: CheckContext): void {
  if (!sound(['host'], ['hypervisor', 'profile'], ['hypervisor', 'costs'])) return;
  const { host, hypervisor } = scenario;
  const place: PolicyHost = {
    processorName: host.processor,
    processor: host.cpu,
    profile: hypervisor.profile,
    costs: hypervisor.costs,
  };
  for (const [role, policies] of [
    ['mmu', mmuModes],
    ['tags', tagPolicies],
  ] as const) {
    if (!sound(['hypervisor', role])) continue;
    const { kind, ...params } = hypervisor[role];
    for (const { param, message, suggestion } of policies.of(kind).requires?.(params, place) ??
      []) {
      fault(['hypervisor', role, param ?? 'kind'], message, suggestion);
    }
  }
}

function checkVms({ scenario, sound, fault }: CheckContext): void {
  const names: string[] = [];
  const pcpus = pcpuCount(scenario);
  const numberOfPcpus: Path[] = [
    ...['processor', 'sockets'].map((key) => ['host', key]),
    ...['diesPerSocket', 'coresPerDie'].map((key) => ['host', 'cpu', key]),
  ];
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
    if (!sound(...numberOfPcpus, at('pin'))) continue;
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
  if (!definition?.check || !sound(['host'], ['hypervisor', 'scheduler'], ...own)) return;
  const plan = { pcpus: pcpuCount(scenario), vms: scenario.vms.map(plannedVm) };
  for (const [i, vm] of plan.vms.entries()) {
    const found = vm.count > 0 ? definition.check(vm, plan) : undefined;
    if (found) fault([...own[i]!, found.key], found.message, found.suggestion);
  }
}

function checkMemory({ scenario, sound, written, fault }: CheckContext): void {
  const { host, vms } = scenario;
  const inputs = vms.flatMap((_, i) => [
    ['vms', i, 'memory'],
    ['vms', i, 'count'],
  ]);
  if (!sound(['host', 'memory'], ...inputs)) return;
  const room = Math.floor(host.memory * (1 - RESERVED));
  const asked = vms.reduce((sum, vm) => sum + vm.memory * vm.count, 0);
  if (asked <= room) return;
  let sum = 0;
  const tipping = vms.findIndex((vm) => (sum += vm.memory * vm.count) > room);
  const { memory, count } = vms[tipping]!;
  const key =
    memory <= room && count > 1 && written(['vms', tipping, 'count']) ? 'count' : 'memory';
  fault(
    ['vms', tipping, key],
    `the VMs ask for ${showBytes(asked)} together, the host has ${showBytes(host.memory)} ` +
      `and ${showBytes(room)} of it for VMs`,
    'use fewer or smaller VMs, or more host.memory',
  );
}
