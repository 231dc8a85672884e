/** What else is measured: page numbers of a stream, and the workloads that ship. */

import { acquireBlock, ITEM_PAGE, releaseBlock } from '../../dist/machine/items.js';
import { buildSimulation, disposeOf } from '../../dist/scenario/build.js';
import { loadScenario } from '../../dist/scenario/load.js';
import { presets } from '../../dist/scenario/presets.js';
import { singleVm } from './streams.mjs';

const BLOCK = 4096;

/** The first `visits` pages that the VM of a stream visits, from 0, as 32-bit numbers. */
export function pageStream(yaml, visits) {
  const simulation = buildSimulation(loadScenario(yaml, { file: 'bench.yaml' }));
  try {
    const [{ programs, regions }] = simulation.members[0].workload.processes;
    const { start } = regions.at(-1);
    const { mixer } = programs[0].options;
    const pages = new Int32Array(visits);
    const block = acquireBlock(BLOCK);
    for (let at = 0; at < visits; ) {
      const n = mixer.fill(block, Math.min(BLOCK, visits - at), 2 ** 30);
      for (let i = 0; i < n; i++) pages[at++] = ITEM_PAGE[block + i] - start;
    }
    releaseBlock(block);
    return Buffer.from(pages.buffer);
  } finally {
    disposeOf(simulation);
  }
}

/** One VM of each workload preset, by `(data) => yaml`. */
export function workloadPresets() {
  return Object.keys(presets.workloads).map((name) => ({
    name,
    yaml: (data) =>
      singleVm({
        mode: 'nested',
        data,
        warmup: '50ms',
        duration: '400ms',
        workload: `{ kind: ${name} }`,
      }),
  }));
}
