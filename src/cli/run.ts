import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError } from '../base/errors.ts';
import { toCycles } from '../base/units.ts';
import { visible } from '../base/visible.ts';
import { checkOutput } from '../files/check-output.ts';
import { EventFiles, type EventFormat } from '../files/event-files.ts';
import { manifestJson } from '../files/manifest.ts';
import { writeOutput } from '../files/output.ts';
import { openScenario } from '../files/scenario-file.ts';
import { scenarioIn, traceOpener } from '../files/trace-files.ts';
import { summary } from '../report/summary.ts';
import { runBaseline } from '../scenario/baseline.ts';
import { clockOf } from '../scenario/hosts.ts';
import { placed } from '../scenario/load.ts';
import { scenarioYaml } from '../scenario/resolve.ts';
import { runScenario } from '../scenario/run.ts';
import type { AnySetting } from '../scenario/settings.ts';
import { runTableNames, runTables } from '../tables/csv.ts';
import { fastSettings } from './fast-option.ts';
import { mechanismsOf } from './free-option.ts';
import { onInterrupt, settle } from './interrupt.ts';
import { sayDeprived, sayEmptyGroups } from './notes.ts';
import { ProgressBar } from './progress.ts';
import { print, style } from './terminal.ts';

export interface RunCommandOptions {
  readonly set: readonly string[];
  readonly seed?: string;
  readonly free?: string;
  readonly out?: string;
  readonly trace?: readonly EventFormat[];
  readonly baseline?: boolean;
  readonly fast?: boolean;
  readonly report?: boolean;
  readonly plot?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** For the timeline of the report: some 250 kB of slices.csv at most. */
const MOST_SLICES = 8000;

/** Everything that a run with these options writes. */
function filesOf({ trace = [], report }: RunCommandOptions): string[] {
  const more = [...trace.map((format) => `trace.${format}`), ...(report ? ['report.html'] : [])];
  return [...runTableNames, 'resolved.yaml', 'manifest.json', ...more];
}

export async function run(file: string, options: RunCommandOptions): Promise<void> {
  const startedAt = new Date();
  const start = performance.now();
  const free = options.free === undefined ? [] : mechanismsOf(options.free);
  const set: AnySetting[] = [...fastSettings(options), ...options.set];
  if (free.length > 0) {
    set.push({ option: '--free', text: `[${free.join(', ')}]`, form: 'yaml', key: 'free' });
  }
  const loaded = await openScenario(file, { ...options, set });
  const { scenario } = loaded;
  const out = options.out ?? join('results', scenario.name);
  checkOutput(out, '--out', { files: filesOf(options) });
  if (scenario.hosts.length > 1 && options.trace?.includes('xen')) {
    const message = '--trace xen has the pCPUs of one host, and this scenario has several';
    throw new ConfigError([loaded.diagnose(['hosts'], message, 'use --trace perfetto or csv')]);
  }
  if (!options.quiet) {
    sayEmptyGroups(loaded);
    sayDeprived(loaded);
  }
  if (scenario.sweep && !options.quiet) {
    process.stderr.write(
      'worldswitch: this runs the scenario alone; `worldswitch sweep` runs the points of its ' +
        '`sweep:`\n',
    );
  }

  const interrupt = onInterrupt();
  await settle(interrupt);
  const bar = new ProgressBar(scenario.name, { quiet: options.quiet ?? false });
  const mhz = clockOf(scenario) / 1e6;
  const hooks = {
    openTrace: traceOpener(loaded),
    signal: interrupt.signal,
    pause: interrupt.pause,
  };
  const events = options.trace?.length ? new EventFiles(out, options.trace) : undefined;
  try {
    let result = await runScenario(scenario, {
      ...hooks,
      observer: events?.observer,
      slices: MOST_SLICES,
      onProgress: ({ fraction, cycle }) =>
        bar.update(fraction, `${Math.floor(cycle / toCycles(1e9, mhz))} ms simulated`),
    });
    if (options.baseline) {
      const native = new ProgressBar('native runs', { quiet: options.quiet ?? false });
      bar.stop();
      result = await runBaseline(scenario, result, {
        ...hooks,
        onProgress: ({ fraction }) => native.update(fraction),
      });
      native.stop();
    }
    bar.stop();
    await settle(interrupt);
    const files = new Map<string, string | Iterable<string>>(runTables(result));
    files.set('resolved.yaml', scenarioYaml(scenarioIn(out, loaded)));
    files.set(
      'manifest.json',
      manifestJson({
        name: scenario.name,
        seed: scenario.seed,
        resolved: scenarioYaml(scenario),
        startedAt,
        wallSeconds: Number(((performance.now() - start) / 1000).toFixed(3)),
        command: process.argv.slice(2),
        notes: result.findings.map(({ message }) => message),
        sampling: result.sampling,
      }),
    );
    writeOutput(out, files);
    // Of another run that wrote to the same directory.
    if (!files.has('evictions.csv')) rmSync(join(out, 'evictions.csv'), { force: true });
    events?.keep();
    if (options.report) await (await import('./report.ts')).reportBeside(out);
    if (options.json) print(`${JSON.stringify({ ...result, slices: undefined })}\n`);
    else if (!options.quiet) {
      const plot = options.plot
        ? `\n${(await import('../report/text-plot.ts')).runPlot(result)}`
        : '';
      print(`${summary(scenario, result, { style })}${plot}\nresults in ${visible(out)}/\n`);
    }
  } catch (error) {
    throw placed(error, loaded);
  } finally {
    events?.discard();
    bar.stop();
    interrupt.dispose();
  }
}
