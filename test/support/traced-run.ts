import { openScenario } from '../../src/files/scenario-file.ts';
import { traceOpener } from '../../src/files/trace-files.ts';
import { EventCsv } from '../../src/observe/event-csv.ts';
import { EventLog, type Sink } from '../../src/observe/event-log.ts';
import { type Observer, silent } from '../../src/observe/observer.ts';
import { PerfettoTrace } from '../../src/observe/perfetto.ts';
import { XenTrace } from '../../src/observe/xen-trace.ts';
import { type LoadedScenario, loadWithPlaces } from '../../src/scenario/load.ts';
import type { Scenario } from '../../src/scenario/resolve.ts';
import { runScenario } from '../../src/scenario/run.ts';
import type { RunResult } from '../../src/stats/result.ts';

/** Collects what a format writes. */
export class Memory {
  readonly #pieces: Uint8Array[] = [];
  readonly sink: Sink = (bytes) => {
    this.#pieces.push(bytes.slice());
  };

  get bytes(): Buffer {
    return Buffer.concat(this.#pieces);
  }
}

/** A run with every observer method told to all of `observers`. */
export function both(...observers: readonly Observer[]): Observer {
  const all = Object.keys(silent).map((name) => [
    name,
    (...args: never[]) => {
      for (const observer of observers) {
        (observer[name as keyof Observer] as (...args: never[]) => void)(...args);
      }
    },
  ]);
  return Object.fromEntries(all) as unknown as Observer;
}

export interface TracedRun {
  readonly scenario: Scenario;
  readonly result: RunResult;
  readonly perfetto: Buffer;
  readonly xen: Buffer;
  readonly csv: Buffer;
}

/** Runs a scenario with all three traces on, and `watcher` told of the same events. */
export async function tracedRun(
  loaded: LoadedScenario,
  watcher: Observer = silent,
): Promise<TracedRun> {
  const perfetto = new Memory();
  const xen = new Memory();
  const csv = new Memory();
  const log = new EventLog([
    new PerfettoTrace(perfetto.sink),
    new XenTrace(xen.sink),
    new EventCsv(csv.sink),
  ]);
  const result = await runScenario(loaded.scenario, {
    openTrace: traceOpener(loaded),
    observer: both(log, watcher),
  });
  return {
    scenario: loaded.scenario,
    result,
    perfetto: perfetto.bytes,
    xen: xen.bytes,
    csv: csv.bytes,
  };
}

export const fromText = (text: string, set: readonly string[] = []): LoadedScenario =>
  loadWithPlaces(text, {
    file: 'inline.yaml',
    set,
    readFile: (file) => {
      throw new Error(`no file ${file} here`);
    },
  });

export const fromFile = (path: string, set: readonly string[]): Promise<LoadedScenario> =>
  openScenario(path, { set });

/** VMs of every habit: computing, serving requests, faulting, asleep, and one that finishes early. */
export const MIXED = `
name: mixed
duration: 6ms
warmup: 0ms
host: { processor: opteron-1354, pcpus: 2, caches: { data: off } }
hypervisor:
  profile: kvm-2.6.33
  mmu: { kind: shadow }
  scheduler: { kind: round-robin, timeslice: 1ms }
vms:
  - { name: build, count: 2, memory: 96MiB, workload: { kind: kernel-compile } }
  - { name: web, memory: 96MiB, workload: { kind: web-server } }
  - { name: desk, memory: 96MiB, workload: { kind: idle-desktop } }
  - { name: idle, memory: 96MiB, workload: { kind: idle } }
`;
