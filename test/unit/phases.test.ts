import { describe, expect, it } from 'vitest';
import { synthetic } from '../../src/guest/workloads/synthetic.ts';
import { syntheticParams } from '../../src/guest/workloads/synthetic-params.ts';
import { nextItems } from '../support/items.ts';

const REGIONS = [
  { name: 'text', kind: 'code', size: '64KiB', share: 1 },
  { name: 'young', kind: 'anon', size: '64KiB', share: 1, stores: 1 },
  { name: 'old', kind: 'anon', size: '1MiB', share: 0 },
];

function programOf(phases: unknown) {
  const params = syntheticParams.parse({
    regions: REGIONS,
    visit: { references: 2, instructions: 4 },
    phases,
    aslr: false,
  });
  const deps = { vm: 'vm', seed: '1', memoryPages: 4096, openTrace: () => expect.unreachable() };
  const { regions, programs } = synthetic.create(params, deps).processes[0]!;
  return { regions, program: programs[0]! };
}

describe('phases of a program', () => {
  const collecting = [
    { name: 'run', instructions: 10_000 },
    {
      name: 'collect',
      instructions: 2500,
      shares: [
        { region: 'text', share: 1 },
        { region: 'old', share: 3 },
      ],
    },
  ];

  it('take turns after their instructions, each with its own shares', () => {
    const { regions, program } = programOf(collecting);
    const named = (name: string) => regions.find((region) => region.name === name)!;
    const [young, old] = [named('young'), named('old')];
    const within = (page: number, { start, pages }: typeof old) =>
      page >= start && page < start + pages;
    let instructions = 0;
    let wrong = 0;
    const visits = { young: 0, old: 0, text: 0 };
    while (instructions < 50_000) {
      for (const [page, op, , n] of nextItems(program, 256)) {
        if ((op & 255) > 2) continue;
        const collects = instructions % 12_500 >= 10_000;
        // The last visit of a phase may run over by a few instructions, which the next one lacks.
        const near = instructions % 12_500 < 50 || Math.abs((instructions % 12_500) - 10_000) < 50;
        const kind = within(page, young) ? 'young' : within(page, old) ? 'old' : 'text';
        visits[kind]++;
        if (!near && kind === (collects ? 'young' : 'old')) wrong++;
        instructions += n;
      }
    }
    expect(wrong).toBe(0);
    // Four fifths of the visits are half young; of the others three quarters are old.
    const all = visits.young + visits.old + visits.text;
    expect(visits.young / all).toBeCloseTo(0.4, 1);
    expect(visits.old / all).toBeCloseTo(0.15, 1);
  });

  it('draw the same as the regions alone when there is one that changes nothing', () => {
    const items = (phases: unknown) => nextItems(programOf(phases).program, 200).length;
    expect(items([{ name: 'only', instructions: 1e6 }])).toBe(items(undefined));
  });

  it.each([
    ['a region that is not there', [{ region: 'yung', share: 1 }], 'there is no region yung'],
    [
      'a region twice',
      [
        { region: 'old', share: 1 },
        { region: 'old', share: 2 },
      ],
      'names region old twice',
    ],
    ['nothing at all', [{ region: 'old', share: 0 }], 'visits nothing'],
  ])('refuse %s', (_, shares, message) => {
    expect(() => programOf([{ name: 'p', instructions: 1000, shares }])).toThrow(message);
  });

  it('refuse two of the same name', () => {
    expect(() => programOf([collecting[0], collecting[0]])).toThrow('two phases are called run');
  });
});
