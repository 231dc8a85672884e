import { visible } from '../base/visible.ts';
import { faultIn } from '../files/faults.ts';
import { openScenario } from '../files/scenario-file.ts';
import { openTraceInput, openTraceOutput } from '../files/trace-streams.ts';
import { workloads } from '../guest/workloads/index.ts';
import { didYouMean } from '../scenario/findings.ts';
import { loadScenario } from '../scenario/load.ts';
import { presets } from '../scenario/presets.ts';
import { RunAborted } from '../scenario/run.ts';
import { PageTraceWriter } from '../trace/page-trace-writer.ts';
import { TraceProfiler } from '../trace/profile.ts';
import { Synthesis } from '../trace/synth.ts';
import { onInterrupt } from './interrupt.ts';
import { ProgressBar } from './progress.ts';
import { print } from './terminal.ts';
import { profileText } from './trace-text.ts';

export interface InfoOptions {
  readonly entries: readonly number[];
  readonly references: number;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** Entries of a TLB that are always predicted for. */
const SIZES = Array.from({ length: 13 }, (_, i) => 2 ** i);

export async function traceInfo(file: string, options: InfoOptions): Promise<void> {
  let profiler: TraceProfiler | undefined;
  const input = await openTraceInput(file, () => profiler?.line ?? 0);
  profiler = new TraceProfiler(input.name, options.references);
  const interrupt = onInterrupt();
  interrupt.signal.addEventListener('abort', () => input.close(), { once: true });
  const bar = new ProgressBar(input.name, { quiet: options.quiet ?? false });
  try {
    for await (const chunk of input.chunks) {
      profiler.push(chunk);
      if (interrupt.signal.aborted) throw new RunAborted();
      bar.update(input.size ? input.read() / input.size : 0);
    }
    const entries = [...new Set([...SIZES, ...options.entries])].sort((a, b) => a - b);
    const profile = profiler.finish(entries);
    bar.stop();
    if (options.json) print(`${JSON.stringify({ file: input.name, ...profile }, null, 2)}\n`);
    else print(profileText(visible(input.name), profile));
  } catch (error) {
    throw interrupt.signal.aborted ? new RunAborted() : error;
  } finally {
    bar.stop();
    interrupt.dispose();
    input.close();
  }
}

export interface SynthCommandOptions {
  readonly vm?: string;
  readonly out?: string;
  readonly seed?: string;
  readonly references: number;
  readonly quiet?: boolean;
}

/** `what`: a scenario file, or the name of a workload. */
export async function synthTrace(what: string, options: SynthCommandOptions): Promise<void> {
  const { group, seed, member } = await workloadOf(what, options);
  const interrupt = onInterrupt();
  const bar = new ProgressBar(what, { quiet: options.quiet ?? false });
  const output = openTraceOutput(options.out);
  try {
    const writer = new PageTraceWriter(output.write, {
      workload: `${what} ${member}`,
      producer: `worldswitch trace synth --seed ${seed} --references ${options.references}`,
    });
    const synthesis = new Synthesis(
      {
        workload: group.workload,
        seed,
        vm: member,
        memoryPages: Math.floor(group.memory / 4096),
        references: options.references,
      },
      writer,
    );
    while (synthesis.step()) {
      await output.drained();
      await interrupt.pause();
      if (interrupt.signal.aborted) throw new RunAborted();
      bar.update(synthesis.references / options.references);
    }
    if (synthesis.references === 0) throw faultIn(what, 'the workload makes no references');
    writer.finish();
    await output.finish();
  } catch (error) {
    await output.discard();
    throw error;
  } finally {
    bar.stop();
    interrupt.dispose();
  }
}

async function workloadOf(what: string, options: SynthCommandOptions) {
  const { vm } = options;
  const scenario = /\.ya?ml$|\//.test(what)
    ? (await openScenario(what, { seed: options.seed })).scenario
    : loadScenario(scenarioFor(what), { file: what, set: [`seed=${options.seed ?? 1}`] });
  const { vms, seed } = scenario;
  const group =
    vm === undefined && vms.length === 1
      ? vms[0]
      : vms.find(({ name }) => name === vm || name === vm?.replace(/-\d+$/, ''));
  if (!group) {
    const names = vms.map(({ name }) => name);
    const message = vm === undefined ? 'name one of its VMs' : `it has no VM called "${vm}"`;
    throw faultIn(
      what,
      message,
      `${didYouMean(vm ?? '', names) ?? ''} VMs: ${names.join(', ')}`.trim(),
    );
  }
  if (group.workload.kind === 'trace') {
    throw faultIn(what, `VM ${group.name} replays a trace: there is nothing to make up`);
  }
  const member = vm === undefined || vm === group.name ? `${group.name}-0` : vm;
  return { group, seed, member };
}

/** A scenario around a workload that is named alone. */
function scenarioFor(workload: string): string {
  const kinds = workloads.definitions.map(({ name }) => name).filter((name) => name !== 'trace');
  const names = [...Object.keys(presets.workloads), ...kinds];
  if (!names.includes(workload)) {
    const guess = didYouMean(workload, names);
    throw faultIn(
      workload,
      'there is no such workload, and a scenario file ends in .yaml',
      guess ?? `workloads: ${names.join(', ')}`,
    );
  }
  return [
    'name: synthetic-trace',
    'host: { processor: opteron-1354, memory: 64GiB }',
    'hypervisor: { profile: kvm-2.6.33 }',
    `vms: [{ name: ${workload}, memory: 16GiB, workload: { kind: ${workload} } }]`,
  ].join('\n');
}
