import { expect, test } from 'vitest';
import { load, run } from '../support/scenarios.ts';

/** Handler cycles of one exit for `reason` of a guest that maps and unmaps under shadow paging. */
async function handlerCycles(reason: string, decodeAssists: boolean): Promise<number> {
  const result = await run({
    host: { processor: 'opteron-6276' },
    hypervisor: {
      mmu: { kind: 'shadow', profile: 'write-protect' },
      costs: { decodeAssists },
      footprint: { touches: false },
    },
    vms: [{ name: 'vm', memory: '32MiB', workload: { kind: 'mmap-loop' } }],
  });
  const exits = result.exits.filter((row) => row.reason === reason);
  const sum = (key: 'count' | 'handlerCycles') => exits.reduce((n, row) => n + row[key], 0);
  expect(sum('count')).toBeGreaterThan(50);
  return sum('handlerCycles') / sum('count');
}

test('decode assists save decoding a CR3 write, whose operand the exit reports, and not a store', async () => {
  const { decode } = load({ host: { processor: 'opteron-6276' } }).costs;
  const saved = async (reason: string) =>
    (await handlerCycles(reason, false)) - (await handlerCycles(reason, true));
  expect(await saved('cr3-write')).toBe(decode);
  expect(await saved('pte-write')).toBe(0);
});
