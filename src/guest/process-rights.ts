import { softWalk, walkSoftly } from '../hypervisor/mmu/guest-tables.ts';
import { Pte } from '../machine/page-tables.ts';
import type { AddressSpace } from './address-space.ts';
import { type PageRights, Right } from './workloads/page-rights.ts';

const walk = softWalk();

/** What the tables of an address space say. */
export class SpaceRights implements PageRights {
  readonly #space: AddressSpace;

  constructor(space: AddressSpace) {
    this.#space = space;
  }

  rightsOf(page: number): number {
    const { guest, root } = this.#space;
    const { entry, level } = walkSoftly(guest.tables, root, page, walk);
    if (level === 0) return Right.None;
    return (entry & Pte.Writable) !== 0 ? Right.Store : Right.Load;
  }

  watch(changed: (start: number, end: number) => void): void {
    this.#space.onChange.push(changed);
  }
}
