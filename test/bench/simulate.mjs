/**
 * One simulation in a process of its own, as `worldswitch run` would do it: `simulate.mjs FILE [--again]`.
 * Prints as JSON what it took: CPU seconds of loadScenario + runScenario, the same for the measured
 * window alone, and the counts of the first VM in the window. `--again`: a second time in the same process.
 */
import { readFileSync } from 'node:fs';
import { loadScenario } from '../../dist/scenario/load.js';
import { runScenario } from '../../dist/scenario/run.js';
import { cpuSeconds } from './measure.mjs';

const [file, ...flags] = process.argv.slice(2);

async function simulate(name) {
  const text = readFileSync(name, 'utf8');
  const begin = cpuSeconds();
  const scenario = loadScenario(text, { file: name });
  // The run is advanced in 200 steps and reports after each; warm-up ends with one of them, nearly.
  let atWarmup = begin;
  let warm = 0;
  const onProgress = ({ cycle }) => {
    if (cycle > scenario.warmup) return;
    atWarmup = cpuSeconds();
    warm = cycle;
  };
  const result = await runScenario(scenario, { onProgress });
  const end = cpuSeconds();
  const [vm] = result.vms;
  const visits = result.vms.reduce((sum, { metrics }) => sum + metrics.visits, 0);
  return {
    visits,
    cpu: end - begin,
    // Less than a step of the warm-up may be in it.
    windowCpu:
      ((end - atWarmup) * result.windowCycles) / (result.windowCycles + scenario.warmup - warm),
    windowCycles: result.windowCycles,
    allCycles: scenario.duration,
    counts: vm.metrics,
    ledger: vm.ledger,
    maxRssMiB: process.resourceUsage().maxRSS / 1024,
  };
}

const out = [await simulate(file)];
for (const flag of flags) out.push(await simulate(flag === '--again' ? file : flag));
console.log(JSON.stringify(out));
