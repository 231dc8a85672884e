import { describe, expect, it } from 'vitest';
import { writeItem } from '../../src/machine/items.ts';
import { BareCore } from '../support/bare-core.ts';
import { type OracleCase, oracleCases } from '../support/oracle.ts';
import { openShippedTrace } from '../support/traces.ts';

/**
 * What a run does not report: which kind of touch missed, and how many walks a cache of 24 directory entries
 * would not have shortened. Visits go to the core one by one, from a reader of the trace that is not the simulator's.
 */
const full = process.env['VALIDATE'] === 'full';

/** Kind, count and page of the lines of a trace until `limit` touches are reached; pages in 31 bits. */
function* visits(trace: string, limit: number): Generator<[string, number]> {
  const feed = openShippedTrace(`${trace}.pt.gz`);
  const decoder = new TextDecoder();
  const last = new Map<string, number>();
  const tops = new Map<number, number>();
  let left = limit;
  let rest = '';
  for (let chunk = feed.take(); chunk && left > 0; chunk = feed.take()) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop()!;
    for (const line of lines) {
      const [kind, count, hex] = line.split(' ') as [string, string, string | undefined];
      if (!/^[ILSM]$/.test(kind) || left <= 0) continue;
      const stream = kind === 'I' ? 'I' : 'D';
      if (hex !== undefined) {
        const page = Number.parseInt(hex, 16);
        const top = Math.floor(page / 2 ** 27);
        if (!tops.has(top)) tops.set(top, tops.size);
        last.set(stream, tops.get(top)! * 2 ** 27 + (page % 2 ** 27));
      }
      left -= Number(count);
      yield [kind, last.get(stream)!];
    }
  }
}

const OPS: Readonly<Record<string, number>> = { I: 0, L: 1, S: 2, M: 2 };

/** One visit of `page`; returns how many levels missed. */
function visit(core: BareCore, op: number, page: number): number {
  const at = core.block;
  writeItem(at, [page, op, 1, 0]);
  const [before1, before2] = core.missesSoFar;
  core.run(at, at + 1);
  const [after1, after2] = core.missesSoFar;
  return after1 - before1 + after2 - before2;
}

function measure({ traces, limit }: OracleCase): Record<string, number> {
  const tlb = new BareCore([], 1, 1);
  const directory = new BareCore(
    [
      'host.cpu.tlb.l1d={ 4K: { entries: 24, ways: full }, shared: false }',
      'host.cpu.tlb.l2d.4K={ entries: 0, ways: full }',
    ],
    1,
    1,
  );
  try {
    const counts: Record<string, number> = {};
    const add = (key: string) => {
      counts[key] = (counts[key] ?? 0) + 1;
    };
    for (const [kind, page] of visits(traces[0]!, limit)) {
      const missed = visit(tlb, OPS[kind]!, page);
      if (missed === 0) continue;
      if (kind !== 'I') add(`D 4k:fa48>sa512w4 l1_miss_${kind}`);
      if (missed === 1) continue;
      if (kind !== 'I') add(`D 4k:fa48>sa512w4 l2_miss_${kind}`);
      add('ID walks:I4k:fa32>sa512w4+D4k:fa48>sa512w4 walks');
      if (visit(directory, 1, page >>> 9) > 0) add('ID walks>pde:fa24 miss');
    }
    return counts;
  } finally {
    tlb.dispose();
    directory.dispose();
  }
}

describe('a core fed visit by visit', () => {
  for (const oracle of oracleCases()) {
    const { traces, limit, sched, rows } = oracle;
    // The small shell trace changes address spaces: oracle-configs.test.ts has it.
    if (sched !== 'solo' || limit === 0 || traces[0] === 'sh') continue;
    if (!full && traces[0] !== 'gcc' && traces[0] !== 'xz') continue;
    it(`misses by kind, and walks directories, as the oracle says: ${traces[0]}`, () => {
      const wanted = [...rows].filter(
        ([key, value]) => value > 0 && /l[12]_miss_[LSM]$|^ID walks/.test(key),
      );
      // Of loads, stores and modifies one may never miss a level in so short a trace.
      expect(wanted.length).toBeGreaterThanOrEqual(6);
      expect(measure(oracle)).toEqual(Object.fromEntries(wanted));
    });
  }
});
