import { describe, expect, it } from 'vitest';
import type { RunResult } from '../../src/stats/result.ts';
import fc from '../support/property.ts';
import { load, metric, type Overrides, run, runs, treeOf } from '../support/scenarios.ts';

/** Programs that start each other. */

const vmWith = (workload: Overrides): Overrides => ({
  duration: 'work',
  vms: [{ name: 'vm', memory: '32MiB', workload }],
  checks: { translations: false },
});
const build = (more: Overrides = {}, output?: string): Promise<RunResult> =>
  run(vmWith(treeOf(more, output)));

const regions = [{ name: 'heap', kind: 'anon', size: '16KiB', share: 1, stores: 0.5 }];
const command = (name: string, more: Overrides = {}) => ({
  name,
  instructions: 2000,
  regions,
  ...more,
});
const tree = (programs: readonly object[], more: Overrides = {}): Overrides => ({
  kind: 'process-tree',
  hz: 0,
  work: 3,
  programs,
  ...more,
});

describe('a build', () => {
  it('runs make, a shell, a compiler with its assembler, mv, and a linker every other file', async () => {
    const result = await build();
    // Four files of sh, cc1, as and mv; two links, of which one may have begun.
    expect(metric(result, 'work')).toBe(4);
    expect(metric(result, 'execs')).toBe(4 * 4 + 2);
    expect(metric(result, 'forks')).toBe(metric(result, 'execs'));
    expect(metric(result, 'process_exits')).toBe(metric(result, 'execs'));
    expect(result.vms[0]!.unit).toBe('files');
  });

  it('switches between compiler and assembler as often as the pipe is full or empty', async () => {
    const switches = async (output: string) =>
      metric(await build({ quantum: 1e9 }, output), 'guest_process_switches');
    const none = await switches('0B');
    const some = await switches('160KiB');
    // Three whole files fill it twice each; no piece makes more than two switches.
    expect(some - none).toBeGreaterThanOrEqual(3 * 3);
    expect(some - none).toBeLessThanOrEqual(4 * 2 * 41);
  });

  it('faults on what a forked child executes of its text, as far as there is any', async () => {
    const text = { name: 'text', kind: 'code', size: '24KiB', share: 1 };
    const first = (more: Overrides) =>
      command('sh', { regions: [...regions, text], runs: [{ commands: ['mv'] }], ...more });
    const faults = async (usedPages: number) => {
      const programs = [first({ usedPages, cowPages: 0 }), command('mv')];
      const result = await run(vmWith(tree(programs)));
      return metric(result, 'guest_faults') / metric(result, 'forks');
    };
    const none = await faults(0);
    expect((await faults(4)) - none).toBeCloseTo(4, 1);
    expect((await faults(99)) - none).toBeCloseTo(6, 1);
    const lent = [first({ starts: 'vfork', usedPages: 4 }), command('mv')];
    expect(() => load(vmWith(tree(lent)))).toThrow('no child of the program has a copy');
  });

  it('has several jobs running at a time, and finishes as many', async () => {
    const jobs = (count: number) => {
      const first = command('make', { runs: [{ commands: ['cc1'] }] });
      const cc1 = command('cc1', { instructions: 40_000 });
      return run(vmWith(tree([first, cc1], { jobs: count, work: 6, quantum: 2000 })));
    };
    const [one, three] = [await jobs(1), await jobs(3)];
    expect(metric(three, 'work')).toBe(6);
    expect(metric(three, 'execs')).toBeGreaterThan(metric(one, 'execs'));
    expect(metric(three, 'execs')).toBeLessThanOrEqual(metric(one, 'execs') + 3);
    // Alone a compiler keeps the processor; three take turns of 2000 of their 40,000 instructions.
    expect(metric(one, 'guest_process_switches')).toBeLessThan(6 * 4);
    expect(metric(three, 'guest_process_switches')).toBeGreaterThan(6 * 15);
  });

  it('takes as much longer as its files are larger', async () => {
    const user = async (size: number) =>
      metric(await build({ work: 8, size }), 'user_instructions');
    expect((await user(4)) - (await user(2))).toBeGreaterThan(7 * 2 * 26_000);
  });
});

describe('a pipeline', () => {
  const pipeline = (left: Overrides, right: Overrides): Overrides =>
    tree([
      command('sh', { runs: [{ commands: ['left', 'right'] }] }),
      command('left', left),
      command('right', right),
    ]);

  it('goes on when its reader has read enough: the writer is killed', async () => {
    const all = await run(vmWith(pipeline({ output: '400KiB' }, {})));
    const head = await run(vmWith(pipeline({ output: '400KiB' }, { input: '4KiB' })));
    expect(metric(head, 'work')).toBe(3);
    expect(metric(head, 'process_exits')).toBe(6);
    expect(metric(head, 'user_instructions')).toBeLessThan(metric(all, 'user_instructions') * 0.8);
  });

  it('ends, whatever passes it and whoever is faster', async () => {
    const bytes = fc.constantFrom('0B', '1B', '4096B', '65536B', '65537B', '200KiB');
    await fc.assert(
      fc.asyncProperty(
        fc.array(bytes, { minLength: 1, maxLength: 4 }),
        fc.option(bytes, { nil: undefined }),
        fc.record({
          jobs: fc.constantFrom(1, 3),
          quantum: fc.constantFrom(1000, 1e6),
          sizes: fc.constantFrom('fixed', 'exponential'),
        }),
        fc.constantFrom('fork', 'vfork'),
        async (outputs, input, more, starts) => {
          const names = outputs.map((_, i) => `stage-${i}`);
          const stages = outputs.map((output, i) =>
            command(names[i]!, {
              output,
              scaled: i % 2 === 0,
              ...(i > 0 && input !== undefined && { input }),
            }),
          );
          const last = command('last');
          const shell = command('sh', { starts, runs: [{ commands: [...names, 'last'] }] });
          const first = command('make', { runs: [{ commands: ['sh'] }] });
          const result = await run(vmWith(tree([first, shell, ...stages, last], more)));
          expect(metric(result, 'work')).toBe(3);
          expect(metric(result, 'process_exits')).toBeGreaterThanOrEqual(3 * (outputs.length + 2));
        },
      ),
      { numRuns: runs(6) },
    );
  });
});

describe('what is refused', () => {
  const sh = (...commands: string[]) => command('sh', { runs: [{ commands }] });
  it.each<[string, readonly object[], Overrides?]>([
    ['two programs are called sh', [sh('ls'), command('ls'), command('sh')]],
    ['program sh runs sl, there are sh, ls', [sh('sl'), command('ls')]],
    ['program cat is started by none', [sh('ls'), command('ls'), command('cat')]],
    [
      'programs start each other without end: sh, make, sh',
      [sh('make'), command('make', { runs: [{ commands: ['sh'] }] })],
    ],
    ['programs start each other without end: sh, sh', [sh('sh')]],
    [
      'with jobs: 2, sh can start single commands, not ls | wc: let a shell do that',
      [sh('ls', 'wc'), command('ls', { output: '1KiB' }), command('wc')],
      { jobs: 2 },
    ],
    ['program ls has output, but nothing reads it', [sh('ls'), command('ls', { output: '1KiB' })]],
    ['program ls has input, but nothing writes it', [sh('ls'), command('ls', { input: '1KiB' })]],
    [
      'program ls: two regions are called heap',
      [sh('ls'), command('ls', { regions: [...regions, ...regions] })],
    ],
    ['"cowPages" has no effect here', [sh('ls'), command('ls', { cowPages: 3 })]],
    ['"starts" has no effect here', [sh('ls'), command('ls', { starts: 'vfork' })]],
    ['"size" has no effect here', [sh('ls'), command('ls')], { size: 2 }],
  ])('%s', (message, programs, more) => {
    expect(() => load(vmWith(tree(programs, more)))).toThrow(message);
  });
});
