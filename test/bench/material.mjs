/** What else is measured: page numbers of a stream, and the workloads that ship. */

import { buildSimulation } from '../../dist/scenario/build.js';
import { loadScenario } from '../../dist/scenario/load.js';
import { presets } from '../../dist/scenario/presets.js';
import { singleVm } from './streams.mjs';

/** The first `visits` pages that the VM of a stream visits, from 0, as 32-bit numbers. */
export function pageStream(yaml, visits) {
  const simulation = buildSimulation(loadScenario(yaml, { file: 'bench.yaml' }));
  try {
    const [{ program, regions }] = simulation.members[0].workload.processes;
    const { start } = regions.at(-1);
    const { mixer } = program.options;
    const items = new Int32Array(4 * visits);
    mixer.fill(items, 0, visits, 2 ** 30);
    return Buffer.from(Int32Array.from({ length: visits }, (_, i) => items[4 * i] - start).buffer);
  } finally {
    simulation.machine.dispose();
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
