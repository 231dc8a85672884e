import * as z from 'zod';
import { duration } from '../../base/units.ts';
import type { Plan, PlannedVm } from './scheduler.ts';

export const params = z.object({
  quantum: duration()
    .refine((ps) => ps >= 1e9, 'a quantum is at least 1ms')
    .prefault('50ms') // Cpu.Quantum: 50 ms in ESX 3 and 4 (a book), 200 ms in the lists of ESXi 6
    .describe('longest turn; 50ms in ESX 3 and 4, 200ms since 5; default 50ms'),
});
export type Params = z.output<typeof params>;

export const vmParams = z.object({
  reservation: z
    .int()
    .min(0)
    .max(1600)
    .meta({ unit: 'per cent of one pCPU' })
    .prefault(0)
    .describe('processor time it is entitled to in any case, in per cent of one pCPU; default 0'),
});
export type VmParams = z.output<typeof vmParams>;

/** A reservation that cannot be kept. */
export function checkReservation(vm: PlannedVm<VmParams>, { pcpus, vms }: Plan<VmParams>) {
  const { vcpus, cap, params } = vm;
  const fault = (message: string, suggestion: string) => ({
    key: 'reservation',
    message,
    suggestion,
  });
  if (params.reservation > vcpus * 100) {
    const what = vcpus === 1 ? 'its vCPU' : `its ${vcpus} vCPUs`;
    return fault(`that is more than ${what} can use`, `at most ${vcpus * 100}`);
  }
  if (cap > 0 && params.reservation > cap) {
    return fault('the reservation is above the limit of the VM, its cap', `at most ${cap}`);
  }
  // ESX does not start a VM whose reservation it cannot keep.
  const upTo = vms.slice(0, vms.indexOf(vm) + 1);
  const asked = upTo.reduce((sum, { count, params }) => sum + count * params.reservation, 0);
  const before = asked - vm.count * params.reservation;
  return asked > pcpus * 100 && before <= pcpus * 100
    ? fault(
        `the VMs up to this one reserve ${asked} per cent, the host has ${pcpus * 100}`,
        'reserve less: ESX does not start a VM whose reservation it cannot keep',
      )
    : undefined;
}
