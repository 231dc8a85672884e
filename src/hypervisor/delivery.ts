import type { Core } from '../machine/core.ts';
import { DRAIN_AFTER } from '../machine/counters.ts';
import { ExitReason, Leaf } from '../stats/leaves.ts';
import { Vector } from './guest-port.ts';
import type { PcpuHost } from './pcpu-host.ts';
import type { Vcpu } from './vm.ts';

/**
 * Interrupts reach a running guest: an INTR exit, injection at the entry, then the guest's handler.
 */
export function deliver(host: PcpuHost, core: Core, vcpu: Vcpu): void {
  const vectors = vcpu.pending;
  host.observer.onInterrupt(core.now, core.id, vcpu.id, vectors, vcpu.entered);
  vcpu.pending = 0;
  vcpu.vm.counters.interrupts++;
  if (host.world.virtualized) {
    // Right after an entry the event is injected by that entry; otherwise the interrupt forces an
    // exit.
    const fresh = vcpu.entered;
    if (!fresh) host.world.exit(vcpu, core, ExitReason.Intr);
    host.world.perform(core, ExitReason.Intr, 'injectEvent');
    if ((vectors & Vector.Timer) !== 0) host.world.perform(core, ExitReason.Intr, 'timer');
    if (host.work.interruptsHere(vcpu.vm, vectors)) host.world.takeInterrupt(core, 'hostInterrupt');
    if (!fresh) bringIn(host, core, vcpu);
    if (!fresh) host.world.resume(vcpu, core, ExitReason.Intr);
  }
  vcpu.entered = false;
  if ((vectors & Vector.Network) !== 0) host.work.taken(vcpu, core.now);
  vcpu.guest.interrupt(vcpu.port, vectors);
  core.settle();
}

/**
 * The host's work on packets that have arrived for the vCPU: before its entry, or in the exit they
 * force.
 */
export function bringIn(host: PcpuHost, core: Core, vcpu: Vcpu): void {
  if (!host.world.virtualized) return;
  const cycles = Math.min(vcpu.hostWork, DRAIN_AFTER);
  core.charge(Leaf.HostInterrupt, cycles);
  vcpu.hostWork -= cycles;
}
