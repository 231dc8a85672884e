import type { Cycles } from '../base/ids.ts';
import type { HostEngine } from '../engine/host-engine.ts';
import type { Observer } from '../observe/observer.ts';
import type { HypervisorCosts } from './costs.ts';
import type { DeviceWork } from './device-work.ts';
import type { Holding } from './holding.ts';
import type { HostTasks } from './host-task.ts';
import type { Interrupts } from './interrupts.ts';
import type { Ledger } from './ledger.ts';
import type { Scheduler } from './schedulers/scheduler.ts';
import type { TagPolicy } from './tags/tag-policy.ts';
import type { VcpuRequests } from './vcpu-requests.ts';
import type { Vcpu, Vm } from './vm.ts';
import type { WorldSwitch } from './world-switch.ts';

/** What a pCPU uses of its host. */
export interface PcpuHost {
  readonly engine: HostEngine;
  readonly observer: Observer;
  readonly costs: HypervisorCosts;
  readonly tags: TagPolicy;
  readonly vcpus: readonly Vcpu[];
  readonly tasks: HostTasks;
  readonly world: WorldSwitch;
  readonly ledger: Ledger;
  readonly requests: VcpuRequests;
  readonly interrupts: Interrupts;
  readonly holding: Holding;
  readonly work: DeviceWork;
  readonly scheduler: Scheduler;
  /** No new turn begins. */
  readonly closing: boolean;
  onVmDone(vm: Vm): void;
  /** The turn on that pCPU ends at `at`. */
  scheduleSlice(pcpu: number, at: Cycles): number;
}
