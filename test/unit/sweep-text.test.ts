import { describe, expect, it } from 'vitest';
import { sweepText } from '../../src/cli/sweep-text.ts';
import { alignedAtPoint } from '../../src/cli/text-table.ts';
import { ScenarioTree } from '../../src/scenario/load.ts';
import { parseObjective } from '../../src/sweep/objective.ts';
import { makePlan } from '../../src/sweep/plan.ts';
import { summaryRows, type UnitSource } from '../../src/sweep/tables.ts';
import type { UnitResult, Values } from '../../src/sweep/unit.ts';

const planned = (axes: string, metrics: string) =>
  makePlan(
    new ScenarioTree(
      `name: s
host: { processor: opteron-1354 }
hypervisor: { profile: kvm-2.6.33, mmu: { kind: nested } }
vms:
  - { name: web, memory: 64MiB, workload: { kind: idle } }
sweep: { axes: ${axes}, metrics: [${metrics}] }`,
      { file: 's.yaml' },
    ),
  );

const unit = (values: Values, host: Values = {}): UnitResult => ({
  mhz: 2200,
  windowCycles: 1000,
  host,
  groups: [{ group: 'web', vms: 1, workload: 'idle', unit: 'none', values, ledger: {} }],
  vms: [{ vm: 'web-0', group: 'web', values }],
  findings: [],
});

/** `make(labels, replication)` in three runs of every point, as text. */
function textOf(
  axes: string,
  metrics: string,
  make: (labels: readonly string[], r: number) => UnitResult,
  { runs = 3, objective = '' } = {},
) {
  const plan = planned(axes, metrics);
  const labels = (point: number) => plan.point(point).values.map(({ label }) => label);
  const source: UnitSource = {
    result: (point, r) => (r < runs ? make(labels(point), r) : undefined),
    unit: () => 'u',
    seed: () => '1',
  };
  const asked = objective === '' ? undefined : parseObjective(objective, ['web']);
  const rows = [...summaryRows(plan, source)];
  const text = sweepText({ plan, source, rows, objective: asked, style: (_, words) => words });
  const lines = text.split('\n');
  expect(Math.max(...lines.map((line) => line.length)), text).toBeLessThanOrEqual(100);
  expect(text).not.toMatch(/NaN|Infinity|undefined/);
  // A sentence below the title.
  const sentence = lines.slice(1, lines.indexOf('')).join(' ');
  expect(sentence).toMatch(/^[A-Z].*[^.]\.$/);
  return { text, lines, sentence, table: lines.slice(lines.indexOf('') + 1) };
}

describe('what the terminal shows of a sweep', () => {
  const noise = (r: number) => (r - 1) / 10;

  it('says what is spanned, what differs in pairs, and how far the objective holds', () => {
    const { sentence, table } = textOf(
      '{ hypervisor.mmu.kind: [nested, shadow], vms.web.count: [1, 2, 4] }',
      'latency_p95_ns',
      ([mmu, count], r) => {
        const ms = Number(count) * 2 + (mmu === 'shadow' ? 1 : 0) + noise(r);
        return unit({ latency_p95_ns: ms * 1e6 });
      },
      { objective: 'p95 latency < 6ms' },
    );
    expect(sentence).toBe(
      'P95 latency goes from 2.00 ± 0.25 ms (mmu nested, 1 web VM) to 9.00 ± 0.25 ms (mmu shadow, 4 web VMs); in pairs, it is higher at 3 of 3 points with shadow than with nested; p95 latency < 6ms holds up to 2 web VMs, with 95 % confidence.',
    );
    expect(table.slice(0, 3)).toEqual([
      'mmu     web VMs  p95 latency, ms',
      'nested        1      2.00 ± 0.25',
      'nested        2      4.00 ± 0.25',
    ]);
  });

  it('folds what is equal, aligns points, and says "too few" only where it is', () => {
    const { sentence, table } = textOf(
      '{ hypervisor.tags.kind: [kvm, none], vms.web.count: [1, 20] }',
      'work_per_second, ready_share, host_busy',
      ([, count], r) =>
        unit(
          { work_per_second: 1234.5 * Number(count) + noise(r), ready_share: r / 10 },
          { host_busy: 0.5 },
        ),
    );
    expect(sentence).toContain('no difference is shown between none and kvm');
    expect(table.slice(0, 3)).toEqual([
      'tags       web VMs   work per second        ready share, %  host busy, %',
      'kvm, none        1   1,234.50 ± 0.25  10 (too few: 3 runs)            50',
      'kvm, none       20  24,690.00 ± 0.25  10 (too few: 3 runs)            50',
    ]);
  });

  it('knows no interval of one run, nor a bound of what served nothing', () => {
    const { lines, sentence } = textOf(
      '{ vms.web.count: [1, 2] }',
      'latency_p99_ns',
      ([count]) => unit({ latency_p99_ns: count === '2' ? Number.POSITIVE_INFINITY : 5e6 }),
      { runs: 1, objective: 'p99 latency < 6ms' },
    );
    expect(sentence).toContain('without bound at 1 of 2 points');
    expect(lines.join('\n')).toMatch(/none served\n/);
  });

  it('drops measures that do not fit, and says where more lines are', () => {
    const { text } = textOf(
      `{ vms.web.count: [${Array.from({ length: 60 }, (_, i) => i + 1).join()}], seed: [1, 2] }`,
      'work_per_second, latency_p99_ns, cycles_per_instruction, ready_share, host_overhead',
      ([count], r) =>
        unit({
          work_per_second: 1e6 + Number(count) * 10 + r,
          latency_p99_ns: 1e6 * Number(count) + r,
          cycles_per_instruction: Number(count) + r,
          ready_share: 0.1,
        }),
    );
    expect(text).toMatch(/\n… \d+ more lines in summary\.csv\n/);
  });
});

it('numbers of a column stand with their points below each other', () => {
  const cells = ['1.25 ± 0.10', '10 (too few: 3 runs)', '12,345.0 ± 1,234.5', ''];
  expect(alignedAtPoint(cells).map((cell) => cell.trimEnd())).toEqual([
    '     1.25 ±     0.10',
    '    10 (too few: 3 runs)',
    '12,345.0  ± 1,234.5',
    '',
  ]);
});
