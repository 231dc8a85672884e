import { ModelError } from '../base/errors.ts';
import type { Vcpu } from '../hypervisor/vm.ts';
import type { Core } from '../machine/core.ts';
import { heldTableFrames, heldTranslations, heldUpperEntries } from '../machine/inspect.ts';
import { type PageTables, Pte, target } from '../machine/page-tables.ts';
import type { Simulation } from './build.ts';
import type { Member } from './build-guest.ts';

/**
 * Equivalence law: whatever the hardware may use for a vCPU is what its guest tables say, composed
 * with where the hypervisor put the guest's frames: TLB entries, walk-cache entries, nested-TLB
 * entries, and the tables that the hypervisor derived. The guest kernel flushes whenever it removes
 * or restricts a mapping, so there is no legal staleness to allow for. Entries of a vCPU that has
 * moved to another core do not count: it takes a new tag when it comes back.
 */
export function checkTranslations(simulation: Simulation): void {
  const { hosts, members } = simulation;
  for (const { hypervisor, machine } of hosts) {
    const residents = members.filter(({ vm }) => vm.host.index === hypervisor.host.index);
    for (const core of machine.cores) {
      for (const member of residents) if (member.vcpu.pcpu === core.id) checkTlbs(core, member);
      const { current } = hypervisor.pcpus[core.id]!;
      if (current) checkWalkCaches(core, current, machine.tables, members[current.vm.id]!);
    }
    for (const { vm, kernel } of residents) {
      const wrong = hypervisor.mmuOf[vm.id]?.inspect(kernel.root);
      if (wrong !== undefined) throw new ModelError(`${vm.name}: ${wrong}`);
    }
  }
}

const hex = (page: number) => page.toString(16);

function checkTlbs(core: Core, { vm, vcpu, kernel }: Member): void {
  for (const held of heldTranslations(core, vcpu.id, vcpu.context.space)) {
    const { vpn, frame, writable, dirty } = held;
    const expected = kernel.translate(vpn);
    const host = expected.frame < 0 ? -1 : vm.p2m[expected.frame]!;
    const rights = (w: boolean, d: boolean) => `${w ? ' writable' : ''}${d ? ' dirty' : ''}`;
    const stores = writable && dirty;
    if (host !== frame || (stores && !(expected.writable && expected.dirty))) {
      throw new ModelError(
        `${vm.name}: pCPU ${core.id} caches page ${hex(vpn)} as host frame ` +
          `${frame}${rights(writable, dirty)}, ` +
          `the guest tables say ${host}${rights(expected.writable, expected.dirty)}`,
      );
    }
  }
}

function checkWalkCaches(core: Core, vcpu: Vcpu, tables: PageTables, { vm }: Member): void {
  const { root, nestedRoot } = vcpu.context;
  const upper = tablesOf(tables, [root, nestedRoot], 3);
  const withLeaves = core.walker.pwcNestedLeaves === 0 ? [] : [nestedRoot];
  const nested = tablesOf(tables, withLeaves, 4);
  for (const slot of heldUpperEntries(core)) {
    const entry = tables.entries[slot]!;
    const table = slot >> 9;
    const isRead = ((entry & Pte.Large) === 0 && upper.has(table)) || nested.has(table);
    if ((entry & Pte.Present) === 0 || !isRead) {
      throw new ModelError(
        `${vm.name}: pCPU ${core.id} has entry ${slot & 511} of table ${slot >> 9} in its ` +
          'page-walk cache, and no walk reads it',
      );
    }
  }
  for (const { gfn, frame } of heldTableFrames(core)) {
    if (vm.p2m[gfn] !== frame) {
      throw new ModelError(
        `${vm.name}: pCPU ${core.id} has guest frame ${gfn} as ${frame} in its nested TLB, ` +
          `it is ${vm.p2m[gfn]}`,
      );
    }
  }
}

/** Tables of the first `levels` levels that a walk from one of `roots` can pass through. */
function tablesOf(tables: PageTables, roots: readonly number[], levels: number): Set<number> {
  const reachable = new Set<number>();
  let level = roots.filter((root) => root !== 0);
  for (let depth = 1; depth <= levels; depth++) {
    const next: number[] = [];
    for (const table of level) {
      reachable.add(table);
      for (let i = 0; depth < levels && i < 512; i++) {
        const entry = tables.entries[(table << 9) | i]!;
        if ((entry & Pte.Present) !== 0 && (entry & Pte.Large) === 0) next.push(target(entry));
      }
    }
    level = next;
  }
  return reachable;
}
