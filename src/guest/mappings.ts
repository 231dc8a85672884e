import type { Region } from './workloads/workload.ts';

/** A region for a page nobody mapped: a program image or stack that predates a trace. */
export function anonymousPage(vpn: number): Region {
  return {
    name: `page-${vpn}`,
    start: vpn,
    pages: 1,
    kind: 'anon',
    writable: true,
    pageShift: 12,
    populated: false,
  };
}

/** A mapping of an address space. */
export interface Mapping {
  readonly start: number;
  readonly pages: number;
  readonly kind: Region['kind'];
  readonly writable: boolean;
  readonly pageShift: number;
  /** Names the file or shared object that backs it, with `fileStart` the first page of it there. */
  readonly object: string;
  readonly fileStart: number;
  /** It has had a page of its own: fork copies its entries (Linux: it has an anon_vma). */
  owned: boolean;
}

/** The mappings of an address space, in order of address and apart from each other. */
export class Mappings {
  #list: Mapping[] = [];

  get all(): readonly Mapping[] {
    return this.#list;
  }

  /** The mapping that holds page `vpn`. */
  at(vpn: number): Mapping | undefined {
    const mapping = this.#list[this.#firstEndingAfter(vpn)];
    return mapping && mapping.start <= vpn ? mapping : undefined;
  }

  /** Nothing may be mapped there: see `cut`. An empty mapping is left out. */
  add(mapping: Mapping): void {
    if (mapping.pages === 0) return;
    this.#list.splice(this.#firstEndingAfter(mapping.start), 0, mapping);
  }

  /** Removes [start, end); returns the pieces that were there. */
  cut(start: number, end: number): Mapping[] {
    const first = this.#firstEndingAfter(start);
    let last = first;
    while (last < this.#list.length && this.#list[last]!.start < end) last++;
    const hit = this.#list.slice(first, last);
    const kept: Mapping[] = [];
    const removed: Mapping[] = [];
    for (const mapping of hit) {
      const from = Math.max(start, mapping.start);
      const to = Math.min(end, mapping.start + mapping.pages);
      if (mapping.start < from) kept.push(piece(mapping, mapping.start, from));
      removed.push(piece(mapping, from, to));
      if (mapping.start + mapping.pages > to) {
        kept.push(piece(mapping, to, mapping.start + mapping.pages));
      }
    }
    this.#list.splice(first, hit.length, ...kept);
    return removed;
  }

  /** Index of the first mapping that ends after page `vpn`. */
  #firstEndingAfter(vpn: number): number {
    let low = 0;
    let high = this.#list.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const { start, pages } = this.#list[middle]!;
      if (start + pages > vpn) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

/** The part [from, to) of a mapping. */
function piece(mapping: Mapping, from: number, to: number): Mapping {
  const fileStart = mapping.fileStart + from - mapping.start;
  return { ...mapping, start: from, pages: to - from, fileStart };
}
