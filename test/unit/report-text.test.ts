import { describe, expect, it } from 'vitest';
import type { Slice, SweepFiles } from '../../src/files/results.ts';
import { flatten } from '../../src/report/html/inputs.ts';
import { htmlText, pageHtml } from '../../src/report/html/page.ts';
import { logScale } from '../../src/report/html/run-latency.ts';
import { stretchOf } from '../../src/report/html/run-trace.ts';
import { policy, script } from '../../src/report/html/script.ts';
import { leaves, onColour, series, vmColours } from '../../src/report/html/style.ts';
import { estimates, rolesOf, shownAs, valueWords } from '../../src/report/html/sweep-data.ts';
import { sweepAnswer } from '../../src/report/sweep-answer.ts';
import { bar, runPlot, sweepPlot } from '../../src/report/text-plot.ts';
import { leafNames } from '../../src/stats/leaves.ts';
import { parseObjective } from '../../src/sweep/objective.ts';
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
      answer: { sentence: 's', numbers: [] },
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

  it('has one colour for each leaf of the ledger, and others for VMs and configurations', () => {
    expect(new Set(leafNames.map(({ leaf }) => leaf))).toEqual(new Set(Object.keys(leaves)));
    const used = [...Object.values(leaves).map(({ colour }) => colour), ...vmColours];
    expect(new Set(used).size).toBe(used.length);
    expect(new Set(series).size).toBe(series.length);
    expect([onColour('#F0E442'), onColour('#0072B2')]).toEqual(['#111', '#fff']);
  });

  it('has a small script, and a policy that allows that script and no request', () => {
    expect(script.length).toBeLessThan(4096);
    expect(script).not.toMatch(/\beval\b|innerHTML|https?:/);
    expect(policy).toMatch(/^default-src 'none'; .*script-src 'sha256-[\w+/]{43}='$/);
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
  const slices: Slice[] = Array.from({ length: 100 }, (_, i) => ({
    pcpu: i % 2,
    vm: `vm-${i % 3}`,
    start: 1000 + i * 10,
    cycles: i === 0 ? 500 : 10,
  }));

  it.each([
    ['all of it', { cycles: 1e6, slices: 1000 }, 100, 2000],
    ['so much time', { cycles: 200, slices: 1000 }, 20, 1200],
    ['so many slices', { cycles: 1e6, slices: 30 }, 30, 1300],
  ])('shows %s, and cuts what goes on at its end', (_, most, count, to) => {
    const stretch = stretchOf(slices, most);
    expect(stretch).toMatchObject({ from: 1000, to });
    expect(stretch.slices).toHaveLength(count);
    expect(Math.max(...stretch.slices.map(({ start, cycles }) => start + cycles))).toBe(to);
    expect(stretch.slices[0]!.cycles).toBe(Math.min(500, to - 1000));
  });
});

describe('a logarithmic axis', () => {
  it.each([
    [
      [5, 5],
      [2, 5, 10],
    ],
    [
      [0.4, 3],
      [0.5, 1, 2],
    ],
    [
      [0.01, 90],
      [0.01, 0.1, 1, 10, 100],
    ],
  ])('has room at its ends and even ticks: %j', (values, ticks) => {
    const { domain, ticks: found } = logScale(values);
    expect(found).toEqual(ticks);
    expect(domain[0]).toBeLessThan(Math.min(...values));
    expect(domain[1]).toBeGreaterThan(Math.max(...values));
  });
});

describe('the answer of a sweep', () => {
  /** Latencies of 1, 2 and 4 VMs on two cores, by paging mode, three replications each. */
  function swept(latency: (vms: number, mmu: string, replication: number) => number): SweepFiles {
    const axes = [
      axis('vms.web.count', '1', '2', '4'),
      axis('hypervisor.mmu.kind', 'nested', 'shadow'),
    ];
    const points = axes[0]!.values.flatMap((vms, i) =>
      axes[1]!.values.flatMap((mmu, j) =>
        [0, 1, 2].map((replication) => ({
          point: `${2 * i + j}`,
          'vms.web.count': vms,
          'hypervisor.mmu.kind': mmu,
          group: 'web',
          replication: `${replication}`,
          vms_per_core: `${Number(vms) / 2}`,
          latency_p95_ns: `${1e6 * latency(Number(vms), mmu, replication)}`,
        })),
      ),
    );
    return {
      kind: 'sweep',
      scenario: undefined,
      manifest: { version: '1', scenario: 's', seed: '1', axes },
      summary: [],
      points,
    };
  }
  const answer = (files: SweepFiles, text?: string) => {
    const objective = text === undefined ? undefined : parseObjective(text, ['web']);
    const shown = shownAs('latency_p95_ns');
    const limit = objective && { objective, value: objective.limit * shown.factor };
    const sweep = { axes: files.manifest.axes, roles: rolesOf(files.manifest.axes) };
    return sweepAnswer(files, sweep, shown, limit);
  };
  const TEXT = 'p95 latency < 4ms';

  it('names how far the best and the worst configuration hold, and the difference in pairs', () => {
    const found = answer(
      swept((vms, mmu, r) => vms * (mmu === 'shadow' ? 1.2 : 0.9) + r / 100),
      TEXT,
    );
    expect(found.sentence).toBe(
      'p95 latency < 4ms surely holds up to 4 web VMs (2 per core) with nested paging, and only up to 2 web VMs (1 per core) with shadow paging; compared with nested paging, shadow paging has a higher p95 latency at 3 of 3 points.',
    );
    expect(found.numbers.map(({ value }) => value).slice(0, 2)).toEqual(['4 web VMs', '2 web VMs']);
    expect(found.numbers[2]!.value).toMatch(/^\+33/);
  });

  it('does not take one noisy interval for a difference between configurations', () => {
    // Alike in pairs; at 4 VMs one replication of three takes twice as long in both.
    const noisy = swept((vms, mmu, r) => {
      const shift = mmu === 'shadow' ? [0.01, -0.02, 0.01][r]! : 0;
      return vms * (vms === 4 && r === 0 ? 2 : 0.7) + r / 100 + shift;
    });
    const { sentence, numbers } = answer(noisy, TEXT);
    expect(sentence).toBe(
      'p95 latency < 4ms surely holds up to 2 web VMs (1 per core) in both configurations, and may hold up to 4 web VMs; compared in pairs, no difference beyond chance is shown for paging.',
    );
    expect(numbers[1]!.text).toMatch(/^2 per core: may meet it .*undecided$/);
  });

  it('says when nothing holds, and what a measure spans without an objective', () => {
    const files = swept((vms, mmu, r) => vms * (mmu === 'shadow' ? 6 : 5) + r / 100);
    expect(answer(files, TEXT).sentence).toMatch(
      /^Nothing that was tried surely meets p95 latency < 4ms in both configurations; compared/,
    );
    expect(answer(files).sentence).toMatch(
      /^p95 latency runs from 5.01 ms \(1 web VM, nested paging\) to 24 ms \(4 web VMs, shadow paging\); /,
    );
  });

  it('names the configurations that meet an objective where no axis is a number', () => {
    const files = swept((_, mmu, r) => (mmu === 'shadow' ? 6 : 3) + r / 100);
    const { axes } = files.manifest;
    const one = files.points.filter((row) => row['vms.web.count'] === '1');
    const kinds = { ...files, points: one, manifest: { ...files.manifest, axes: [axes[1]!] } };
    const { sentence, numbers } = answer(kinds, TEXT);
    expect(sentence).toMatch(
      /^p95 latency < 4ms surely holds in 1 of 2 configurations \(nested paging\); /,
    );
    expect(numbers[1]).toEqual({ value: '1 of 2', text: 'surely fail it: shadow paging' });
  });

  it('calls values what people call them', () => {
    const of = (path: string, label: string) => valueWords(axis(path, label), label);
    expect([
      of('vms.web.count', '1'),
      of('vms.count', '8'),
      of('hypervisor.tags.kind', 'none'),
      of('hypervisor.scheduler.timeslice', '30ms'),
      of('vms.web.workload.regions.data.size', '1MiB'),
      valueWords({ path: 'vms.web.workload.aslr', column: 'random_places', values: [] }, 'true'),
    ]).toEqual([
      '1 web VM',
      '8 VMs',
      'no tags',
      'timeslice 30ms',
      'size 1MiB',
      'random places true',
    ]);
  });
});
