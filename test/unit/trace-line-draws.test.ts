import { describe, expect, it } from 'vitest';
import { trace } from '../../src/guest/workloads/trace.ts';
import { nextItems } from '../support/items.ts';
import { textFeed } from '../support/traces.ts';

/** The 64-byte lines that a replay draws, since traces do not record them. */

interface Visit {
  readonly page: number;
  readonly line: number;
  readonly lines: number;
  readonly sequential: boolean;
}

function visitsOf(text: string): Visit[] {
  const { processes } = trace.create(trace.params.parse({ file: 'test.pt' }), {
    seed: 'seed',
    vm: 'vm',
    memoryPages: 1024,
    openTrace: () => textFeed('test.pt', text),
  });
  const program = processes[0]!.programs[0]!;
  const visits: Visit[] = [];
  for (let items = nextItems(program, 256); items.length > 0; items = nextItems(program, 256)) {
    for (const [page, word] of items) {
      if ((word & 255) > 2) continue;
      const [line, lines] = [(word >>> 8) & 63, (word >>> 16) & 127];
      visits.push({ page, line, lines, sequential: word >>> 24 === 1 });
    }
  }
  return visits;
}

const VISITS = 16_000;
const code = visitsOf('I 5 400\nI 5 401\n'.repeat(VISITS / 2));
const data = visitsOf('L 2 900\nL 2 901\n'.repeat(VISITS / 2));

describe('the lines of a replayed trace', () => {
  it.each([
    ['code', code, 0x400, 4],
    ['data', data, 0x900, 16],
  ] as const)('change every few visits to a page: %s', (_, visits, page, burst) => {
    const lines = visits.filter((visit) => visit.page === page).map(({ line }) => line);
    const changes = lines.filter((line, i) => i > 0 && line !== lines[i - 1]).length;
    // A new draw may give the same line again: 1 in 10.
    expect(changes).toBeLessThanOrEqual(lines.length / burst);
    expect(changes).toBeGreaterThan((0.8 * lines.length) / burst);
  });

  it.each([
    ['code', code, 16, 0.8],
    ['data', data, 30, 1.1],
  ] as const)('are as unevenly used as measured: %s', (_, visits, hotLines, skew) => {
    const used = new Map<number, number>();
    const own = visits.filter(({ page }) => page === visits[0]!.page);
    for (const { line } of own) used.set(line, (used.get(line) ?? 0) + 1);
    expect(used.size).toBeGreaterThan(0.7 * hotLines);
    expect(used.size).toBeLessThanOrEqual(hotLines);
    const weights = Array.from({ length: hotLines }, (__, k) => (k + 1) ** -skew);
    const first = 1 / weights.reduce((a, b) => a + b);
    expect(Math.abs(Math.max(...used.values()) / own.length - first)).toBeLessThan(0.07);
  });

  it('are read on: 16 instructions, or 8 words, to the line', () => {
    const long = visitsOf('I 100 400\nL 100 900\nS 7 901\n');
    expect(long.map(({ lines }) => lines)).toEqual([7, 13, 1]);
    expect(long.map(({ sequential }) => sequential)).toEqual([true, true, false]);
  });
});
