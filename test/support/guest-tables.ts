import { PTE_SHIFT, Pte, target } from '../../src/machine/page-tables.ts';
import type { Simulation } from '../../src/scenario/build.ts';

/** All tables of a guest, by the frames they are in, and what they say, A and D included. */
export function tablesOf({ members, tables }: Simulation, member = 0): string[] {
  const { kernel, vm } = members[member]!;
  const entryOf = (node: number, index: number) => tables.entries[(node << 9) | index]!;
  const kernelTable = target(entryOf(kernel.root, 15));
  const out: string[] = [];
  const dump = (node: number, level: number) => {
    for (let i = 0; i < 512; i++) {
      const entry = entryOf(node, i);
      if ((entry & Pte.Present) === 0) continue;
      const flags = entry & ((1 << PTE_SHIFT) - 1);
      const inner = level > 1 && (entry & Pte.Large) === 0;
      const frame = inner ? tables.frame[target(entry)]! : target(entry);
      out.push(`${tables.frame[node]} ${i} ${frame} ${flags}`);
      if (inner) dump(target(entry), level - 1);
    }
  };
  const roots = [...vm.nodeOfFrame].filter(
    (node) => node !== 0 && target(entryOf(node, 15)) === kernelTable,
  );
  for (const root of roots) dump(root, 4);
  return out;
}
