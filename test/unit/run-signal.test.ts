import { describe, expect, it } from 'vitest';
import type { RefillableFeed } from '../../src/scenario/build.ts';
import { loadScenario } from '../../src/scenario/load.ts';
import { runScenario } from '../../src/scenario/run.ts';
import { smallYaml } from '../support/program.ts';
import { textFeed } from '../support/traces.ts';

/** A run that waits for its trace. */

const yaml = smallYaml({
  duration: '100ms',
  warmup: '0',
  vms: '[{ name: v, memory: 64MiB, workload: { kind: trace, file: t.pt } }]',
});
const scenario = loadScenario(yaml, { file: 's.yaml' });

/** A trace of which nothing ever comes. */
const silentFeed = (refill: () => Promise<void>): RefillableFeed => ({
  name: 't.pt',
  ended: false,
  take: () => undefined,
  rewind: () => {},
  refill,
});

describe('a run whose trace does not come', () => {
  it('ends when its signal is set while it asks again and again', async () => {
    const signal = { aborted: false };
    let asked = 0;
    const feed = silentFeed(async () => {
      signal.aborted = ++asked === 1000;
    });
    const run = runScenario(scenario, { openTrace: () => feed, signal });
    await expect(run).rejects.toThrow(expect.objectContaining({ name: 'RunAborted' }));
    expect(asked).toBe(1000);
  });

  it('pauses between its questions, so that a signal can arrive', async () => {
    const signal = { aborted: false };
    let pauses = 0;
    const pause = async () => {
      signal.aborted = ++pauses === 10;
    };
    const openTrace = () => silentFeed(() => Promise.resolve());
    const run = runScenario(scenario, { openTrace, signal, pause });
    await expect(run).rejects.toThrow(expect.objectContaining({ name: 'RunAborted' }));
    expect(pauses).toBe(10);
  });

  it('ends at once through an AbortSignal although the read it waits for never ends', async () => {
    const controller = new AbortController();
    const openTrace = () => silentFeed(() => new Promise<void>(() => {}));
    const run = runScenario(scenario, { openTrace, signal: controller.signal });
    setTimeout(() => controller.abort(), 10);
    await expect(run).rejects.toThrow(expect.objectContaining({ name: 'RunAborted' }));
  });

  it('says what went wrong with a read', async () => {
    const openTrace = () => silentFeed(() => Promise.reject(new Error('unplugged')));
    await expect(runScenario(scenario, { openTrace })).rejects.toThrow('unplugged');
  });
});

describe('a trace with kernel addresses', () => {
  it('is replayed with as many pages and misses as one whose pages all lie in the lower half', async () => {
    const visits = (kernel: (i: number) => string) =>
      Array.from({ length: 400 }, (_, i) => {
        const at = i % 80;
        const page = at < 40 ? (0x400 + at).toString(16) : kernel(0x400 + at - 40);
        return `I 10 ${page}\nL 3 ${page}\n`;
      }).join('');
    const run = async (text: string) => {
      const result = await runScenario(scenario, { openTrace: (file) => textFeed(file, text) });
      const { walks, l1d_misses, l2d_misses, l1i_misses } = result.vms[0]!.metrics;
      return { walks, l1d_misses, l2d_misses, l1i_misses };
    };
    const upper = await run(visits((page) => (2 ** 36 - 2 ** 20 + page).toString(16)));
    const lower = await run(visits((page) => (2 ** 35 - 2 ** 20 + page).toString(16)));
    expect(upper).toEqual(lower);
    expect(upper.l1d_misses).toBeGreaterThanOrEqual(80);
    // The same low bits in one half only: half the pages.
    const folded = await run(visits((page) => page.toString(16)));
    expect(folded.l1d_misses).toBeLessThan(upper.l1d_misses!);
  });
});
