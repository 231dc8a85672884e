import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { writeItem } from '../../src/machine/items.ts';
import { BareCore } from '../support/bare-core.ts';
import { csvRows } from '../support/oracle.ts';

/**
 * Synthetic streams with known miss ratios, against the exact counts of analytic.csv: uniform (law 3), cyclic, and
 * zipf over N pages in one LRU of C entries; and two VMs in turns. `npm run validate` runs every row.
 */
const full = process.env['VALIDATE'] === 'full';

interface Row {
  readonly config: string;
  readonly misses: number;
  /** Closed form; NaN = none. */
  readonly formula: number;
}
interface Stream {
  readonly model: string;
  readonly pages: number;
  readonly alpha: string;
  readonly vms: number;
  readonly sched: string;
  readonly q: number;
  readonly seed: number;
  readonly warmup: number;
  readonly refs: number;
  readonly rows: Row[];
}

function streams(): Map<string, Stream> {
  const found = new Map<string, Stream>();
  for (const row of csvRows('analytic.csv')) {
    const [model, pages, alpha, config, vms, sched, q, seed, warmup, refs, misses, , formula] =
      row as [string, ...string[]];
    const name = `${model} over ${pages} pages${alpha && `, exponent ${alpha}`}${vms === '2' ? `, ${vms} VMs, ${sched}, turns of ${q}` : ''}`;
    const stream = found.get(name) ?? {
      model,
      pages: Number(pages),
      alpha: alpha!,
      vms: Number(vms),
      sched: sched!,
      q: Number(q) || Number.POSITIVE_INFINITY,
      seed: Number(seed),
      warmup: Number(warmup),
      refs: Number(refs),
      rows: [],
    };
    found.set(name, stream);
    // Sizes between those, in a quick run, say nothing new.
    if (!full && name === 'uniform over 96 pages' && /^fa(32|64)$/.test(config!)) continue;
    const ratio = formula ? Number(formula) : Number.NaN;
    stream.rows.push({ config: config!, misses: Number(misses), formula: ratio });
  }
  return found;
}

/** mulberry32: 32-bit draws. */
function mulberry(seed: number): () => number {
  let s = seed | 0;
  return () => {
    s = (s + 0x6d2b79f5) | 0;
    let t = Math.imul(s ^ (s >>> 15), 1 | s);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (t ^ (t >>> 14)) >>> 0;
  };
}

/** The next page of a stream. */
function pagesOf({ model, pages, alpha, seed }: Stream): () => number {
  if (model === 'cyclic') {
    let k = 0;
    return () => k++ % pages;
  }
  const draw = mulberry(seed);
  if (model === 'uniform') return () => Math.floor((draw() * pages) / 2 ** 32);
  const file = new URL(`zipf/zipf-${pages}-${alpha}.txt`, import.meta.url);
  const thresholds = readFileSync(file, 'utf8').trim().split('\n').map(Number);
  return () => {
    const u = draw();
    let low = 0;
    let high = thresholds.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (thresholds[middle]! <= u) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}

function setsFor(config: string): string[] {
  const [, kind, entries, ways] = /^(fa|sa)(\d+)(?:w(\d+))?$/.exec(config)!;
  return [
    `host.cpu.tlb.l1d={ 4K: { entries: ${entries}, ways: ${kind === 'sa' ? ways : 'full'} }, shared: false }`,
    'host.cpu.tlb.l2d.4K={ entries: 0, ways: full }',
  ];
}

const BLOCK = 10_000;

/** Misses of each row's TLB after the warm-up. */
function measure(stream: Stream): number[] {
  const { vms, q, warmup, refs } = stream;
  const shared = new BareCore([], 1, BLOCK);
  const cores = stream.rows.map(({ config }) => new BareCore(setsFor(config), vms));
  try {
    const next = pagesOf(stream);
    const { block } = shared;
    let before = cores.map(() => 0);
    for (let done = 0; done < warmup + refs; done += BLOCK) {
      if (done === warmup) before = cores.map((core) => core.count('l1d_misses'));
      for (let i = 0; i < BLOCK; i++) {
        writeItem(block + i, [next(), 1, 1, 0]);
      }
      for (const core of cores) {
        for (let from = 0; from < BLOCK; from += q) {
          if (vms > 1 && (done + from) % q === 0) {
            core.enter(Math.floor((done + from) / q) % vms);
            if (stream.sched === 'flush') core.flush();
          }
          core.run(block + from, block + Math.min(BLOCK, from + q));
        }
        core.count('visits');
      }
    }
    return cores.map((core, i) => core.count('l1d_misses') - before[i]!);
  } finally {
    for (const core of cores) core.dispose();
    shared.dispose();
  }
}

const QUICK = [
  'cyclic over 96 pages',
  'uniform over 96 pages',
  'uniform over 40 pages, 2 VMs, flush, turns of 100',
];

describe('a synthetic stream', () => {
  const all = streams();
  const seen: string[] = [];
  for (const [name, stream] of all) {
    if (!full && !QUICK.includes(name)) continue;
    it(`misses as often as computed: ${name}`, () => {
      seen.push(name);
      const misses = measure(stream);
      expect(misses).toEqual(stream.rows.map((row) => row.misses));
      for (const [i, { formula }] of stream.rows.entries()) {
        if (Number.isNaN(formula)) continue;
        expect(Math.abs(misses[i]! / stream.refs - formula)).toBeLessThan(0.0015);
      }
    }, 300_000);
  }
  afterAll(() => {
    expect(seen).toHaveLength(full ? all.size : QUICK.length);
  });
});
