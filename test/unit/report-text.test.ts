import { describe, expect, it } from 'vitest';
import type { Slice, SweepFiles } from '../../src/files/results.ts';
import { flatten } from '../../src/report/html/inputs.ts';
import { htmlText, pageHtml } from '../../src/report/html/page.ts';
import { fillPieces, PIECES } from '../../src/report/html/run-trace.ts';
import { leafColours } from '../../src/report/html/style.ts';
import { estimates, rolesOf, shownAs } from '../../src/report/html/sweep-data.ts';
import { bar, runPlot, sweepPlot } from '../../src/report/text-plot.ts';
import { leafNames } from '../../src/stats/leaves.ts';
import { run } from '../support/scenarios.ts';

const axis = (path: string, ...values: string[]) => ({ path, column: path, values });

/** Slowdown of 1, 2, 4 VMs by paging mode, two replications each. */
function sweepFiles(): SweepFiles {
  const axes = [
    axis('vms.web.count', '4', '1', '2'),
    axis('hypervisor.mmu.kind', 'nested', 'shadow'),
  ];
  const places = axes[0]!.values.flatMap((vms) => axes[1]!.values.map((mmu) => ({ vms, mmu })));
  const value = ({ vms, mmu }: { vms: string; mmu: string }) =>
    Number(vms) * (mmu === 'shadow' ? 2 : 1);
  const cells = places.map((place, point) => ({
    point: `${point}`,
    'vms.web.count': place.vms,
    'hypervisor.mmu.kind': place.mmu,
    group: 'web',
    value: value(place),
  }));
  return {
    kind: 'sweep',
    scenario: undefined,
    manifest: { version: '1', scenario: 's', seed: '1', axes },
    summary: cells.map(({ value, ...cell }) => ({
      ...cell,
      metric: 'slowdown',
      unit: 'ratio',
      mean: `${value}`,
      half_width: '0.25',
      n: '2',
    })),
    points: cells.flatMap(({ value, ...cell }) =>
      [0, 2].map((more, replication) => ({
        ...cell,
        replication: `${replication}`,
        latency_p99_ns: `${1e6 * (value + more)}`,
        host_busy: '0.5',
      })),
    ),
  };
}

describe('a bar of text', () => {
  it('has eighths of characters, and something for whatever is not nothing', () => {
    expect(bar(0.5, 4)).toBe('██');
    expect(bar(17 / 32, 4)).toBe('██▏');
    expect([bar(1e-6, 4), bar(0, 4), bar(7, 4)]).toEqual(['▏', '', '████']);
  });

  it('shows a VM that runs all the time from end to end', async () => {
    const [, line, legend] = runPlot(await run()).split('\n');
    expect(line).toMatch(/^ {2}vm-0 {2}[█▓▒░]{48} {2}100\.0$/);
    expect(legend).toBe('  █ own instructions   ▓ TLB and page walks   ▒ memory   ░ hypervisor');
  });

  it('puts the points of a sweep in order, line by line', () => {
    expect(sweepPlot(sweepFiles()).split('\n')).toEqual([
      'slowdown, by vms.web.count',
      '  hypervisor.mmu.kind nested',
      `    1  ${'█'.repeat(6).padEnd(48)}  1.00 ± 0.25`,
      `    2  ${'█'.repeat(12).padEnd(48)}  2.00 ± 0.25`,
      `    4  ${'█'.repeat(24).padEnd(48)}  4.00 ± 0.25`,
      '  hypervisor.mmu.kind shadow',
      `    1  ${'█'.repeat(12).padEnd(48)}  2.00 ± 0.25`,
      `    2  ${'█'.repeat(24).padEnd(48)}  4.00 ± 0.25`,
      `    4  ${'█'.repeat(48).padEnd(48)}  8.00 ± 0.25`,
      '',
    ]);
  });
});

describe('the data of a sweep', () => {
  it('takes a measure that the summary leaves out from the points, in the unit shown', () => {
    const [first] = estimates(sweepFiles(), shownAs('latency_p99_ns'));
    // 4 ms and 6 ms: Student's t for one degree of freedom is 12.706, the standard error 1 ms.
    expect(first).toMatchObject({ labels: ['4', 'nested'], group: 'web', mean: 5, n: 2 });
    expect(first!.half).toBeCloseTo(12.706, 3);
    expect(estimates(sweepFiles(), shownAs('host_busy'))[0]).toMatchObject({
      group: 'host',
      mean: 50,
    });
  });

  it('counts VMs to the right, wherever that axis stands, and reads quantities as numbers', () => {
    const axes = [
      axis('hypervisor.scheduler.timeslice', '5ms', '30ms', '300us'),
      axis('hypervisor.tags.kind', 'none', 'kvm'),
      axis('vms.web.count', '1', '2'),
      axis('seed', '7'),
    ];
    const { x, second, colour, facets, consolidation } = rolesOf(axes);
    expect([x!.index, second!.index, colour, facets, consolidation]).toEqual([2, 0, 0, [1], true]);
    expect(second!.values.get('30ms')! / second!.values.get('300us')!).toBe(100);
    expect(rolesOf([axis('hypervisor.tags.kind', 'none', 'kvm')]).x).toBeUndefined();
  });
});

describe('the page', () => {
  it('shows signs that mean something in HTML as they are, and drops control characters', () => {
    expect(htmlText('<b a="1">&\u0000\u001b[1m\'')).toBe('&lt;b a=&quot;1&quot;&gt;&amp;[1m&#39;');
  });

  it('aligns numbers to the right and leaves words alone', () => {
    const html = pageHtml({
      title: 't',
      lead: [],
      sections: [
        {
          id: 's',
          title: 's',
          tables: [
            {
              caption: 'c',
              head: ['name', 'n', 'kind'],
              rows: [
                ['a', '1.5 ± 2', 'x'],
                ['b', '', '2'],
              ],
            },
          ],
        },
      ],
    });
    expect(html).toContain('<th scope="col" class="number">n</th><th scope="col">kind</th>');
  });

  it('knows a colour for every leaf of the ledger', () => {
    expect(new Set(leafNames.map(({ leaf }) => leaf))).toEqual(new Set(Object.keys(leafColours)));
    expect(new Set(Object.values(leafColours)).size).toBe(Object.keys(leafColours).length);
  });

  it('writes a scenario as paths and values', () => {
    expect(flatten({ a: { b: 1, c: [] }, d: [{ e: 'x' }, {}], f: [1, 2], g: null })).toEqual([
      ['a.b', '1'],
      ['a.c', '[]'],
      ['d[0].e', 'x'],
      ['d[1]', '{}'],
      ['f', '1, 2'],
      ['g', 'null'],
    ]);
  });
});

describe('the timeline of a core', () => {
  it('has every cycle of every slice in its piece', async () => {
    // Widths that no binary fraction hits, slices one after the other without a gap.
    const width = 88_000_000 / 480 + 1 / 3;
    const slices: Slice[] = [];
    for (let start = 0, i = 0; start < PIECES * width; i++) {
      const cycles = Math.min(1 + ((i * 7919) % 900_001), Math.ceil(PIECES * width) - start);
      slices.push({ pcpu: 1, vm: i % 2 === 0 ? 'a' : 'b', start, cycles });
      start += cycles;
    }
    async function* each() {
      yield* slices;
    }
    const cores = await fillPieces(each(), (vm) => ['a', 'b'].indexOf(vm), 2, width);
    const [a, b] = cores.get(1)!;
    for (let piece = 0; piece < PIECES; piece++)
      expect(a![piece]! + b![piece]!).toBeCloseTo(width, 3);
  });
});
