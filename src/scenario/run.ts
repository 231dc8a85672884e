import { ModelError } from '../base/errors.ts';
import type { Cycles } from '../base/ids.ts';
import { toCycles } from '../base/units.ts';
import { type EventKind, Outcome, Phase } from '../engine/engine.ts';
import { Edges } from '../hypervisor/edges.ts';
import { countHeld } from '../machine/inspect.ts';
import { silent } from '../observe/observer.ts';
import type { RunProgress, RunResult, SampleRow } from '../stats/result.ts';
import { buildSimulation, disposeOf, type Simulation } from './build.ts';
import type { BuildOptions } from './build-options.ts';
import { collect } from './collect.ts';
import { tickRateOf } from './hosts.ts';
import type { Scenario } from './resolve.ts';
import { Sampler } from './sampler.ts';
import { Sampling } from './sampling.ts';
import type { Measured } from './snapshot.ts';
import { type Snapshot, takeSnapshot } from './snapshot.ts';
import { checkTranslations } from './translations.ts';

/** An `AbortSignal`, or anything that says when it is time to end. */
export interface StopSignal {
  readonly aborted: boolean;
  addEventListener?(type: 'abort', listener: () => void, options: { once: true }): void;
}

export interface RunOptions extends BuildOptions {
  onProgress?: ((progress: RunProgress) => void) | undefined;
  /**
   * Set `aborted` to end the run early; `runScenario` then rejects with `RunAborted`. An
   * `AbortSignal` is heeded even while a trace is slow to come.
   */
  signal?: StopSignal | undefined;
  /** Called now and then, so that whoever drives the run can handle what has happened meanwhile. */
  pause?: (() => Promise<void>) | undefined;
}

/** The run was ended through its signal. */
export class RunAborted extends Error {
  override readonly name = 'RunAborted';
}

/**
 * Simulated picoseconds between two pauses: short enough that the caller can serve a Ctrl-C
 * meanwhile.
 */
const SLICE = 1e9;

/** Slices after which counts of evictions are put by. */
const FOLD = 32;

/**
 * Runs a complete scenario and returns its results. Touches no file, clock or terminal. Throws
 * ModelError when the model breaks one of its own rules or the scenario runs out of simulated
 * memory.
 */
export async function runScenario(
  scenario: Scenario,
  options: RunOptions = {},
): Promise<RunResult> {
  let onMark = (_index: number): void => {};
  const simulation = buildSimulation(scenario, options, (index) => onMark(index));
  try {
    const window = new Window(simulation, options.piece !== undefined);
    const { sampling } = scenario;
    const sampled = sampling && new Sampling(simulation, simulation.learned, sampling);
    onMark = (index) => window.mark(index);
    const result = await drive(simulation, window, options);
    if (!sampled) return result;
    return { ...result, sampling: sampled.outcome(simulation.engine.now) };
  } finally {
    for (const feed of simulation.feeds) feed.close?.();
    disposeOf(simulation);
  }
}

/** The measured part of a run: from the end of the warm-up, or a piece of one VM's work. */
class Window {
  readonly #simulation: Simulation;
  readonly #edges: Edges;
  readonly #open: EventKind;
  readonly #close: EventKind;
  readonly #halve: EventKind;
  #start: Snapshot | undefined;
  #middle: Snapshot | undefined;
  #end: Snapshot | undefined;

  constructor(simulation: Simulation, byWork: boolean) {
    const { engine, scenario, hosts, observer, reference } = simulation;
    this.#simulation = simulation;
    this.#edges = new Edges(hosts.map(({ hypervisor }) => hypervisor));
    this.#open = engine.defineEvent(Phase.Stop, (now) => {
      observer.onWindow(reference.local(now));
      this.#start = takeSnapshot(simulation, this.#edges, now);
    });
    this.#halve = engine.defineEvent(Phase.Stop, (now) => {
      this.#middle = takeSnapshot(simulation, this.#edges, now);
    });
    this.#close = engine.defineEvent(Phase.Stop, (now) => {
      this.#end = takeSnapshot(simulation, this.#edges, now);
      simulation.lanes?.finish(now);
      observer.onEnd(reference.local(now));
      engine.stop();
    });
    if (byWork) return;
    const { duration } = scenario;
    if (duration === 'work') {
      this.#at(0, this.#open);
      return;
    }
    this.#at(scenario.warmup, this.#open);
    const middle = Math.floor((scenario.warmup + duration) / 2);
    if (middle > scenario.warmup) this.#at(middle, this.#halve);
    this.#at(duration, this.#close);
  }

  get measured(): Measured {
    return { start: this.#start!, middle: this.#middle, end: this.#end! };
  }

  /** The VM has reached the beginning (0) or the end (1) of the piece of work. */
  mark(index: number): void {
    this.#at(this.#edges.reachable, index === 0 ? this.#open : this.#close);
  }

  /** All work is done. */
  finish(): void {
    for (const { hypervisor } of this.#simulation.hosts) hypervisor.closing = true;
    this.#at(this.#edges.reachable, this.#close);
  }

  #at(time: Cycles, what: EventKind): void {
    this.#edges.add(time, what !== this.#halve);
    this.#simulation.engine.schedule(time, what, 0);
  }
}

async function drive(
  simulation: Simulation,
  window: Window,
  options: RunOptions,
): Promise<RunResult> {
  const { scenario, engine, hosts, members, reference } = simulation;
  const byWork = options.piece !== undefined;
  const untilWork = scenario.duration === 'work' || byWork;
  const end = untilWork ? Infinity : (scenario.duration as number);
  const samples: SampleRow[] = [];
  const sampler = new Sampler(simulation, samples);
  const period = samplePeriod(scenario);
  if (period > 0) engine.every(period, Phase.Sample, (now) => sampler.sample(now));

  if (untilWork && !byWork) {
    const working = members.filter(({ workload }) => workload.work !== undefined);
    const waiting = new Set(working.map(({ vm }) => vm));
    if (waiting.size === 0) {
      throw new ModelError('duration: work, but no VM has an amount of work to finish');
    }
    for (const { hypervisor } of hosts) {
      hypervisor.onVmDone = (vm) => {
        waiting.delete(vm);
        if (waiting.size === 0) window.finish();
      };
    }
  }

  const slice = toCycles(SLICE, tickRateOf(scenario) / 1e6);
  let next = slice;
  let slices = 0;
  const wait = waiter(simulation.feeds, options.signal);
  const heed = async () => {
    if (options.pause) await options.pause();
    if (options.signal?.aborted) throw new RunAborted('the run was ended early');
  };
  for (;;) {
    const outcome = engine.run(Math.min(next, end));
    if (outcome === Outcome.Starved) {
      await wait();
      await heed();
      continue;
    }
    if (outcome === Outcome.Stopped) break;
    if (scenario.checks.translations) checkTranslations(simulation);
    next += slice;
    if (++slices % FOLD === 0) {
      for (const { machine } of hosts) machine.evictions.fold();
    }
    reportReached(simulation);
    const fraction = untilWork ? workDone(simulation) : engine.now / end;
    options.onProgress?.({ fraction, cycle: reference.passed(engine.now) });
    await heed();
  }
  return collect(simulation, window.measured, samples);
}

/** Samples of a long run, at most: their number is not to grow with its length. */
const MOST_SAMPLES = 500;

function samplePeriod({ duration, output: { timeseries }, sampling }: Scenario): Cycles {
  if (!sampling || timeseries === 0 || duration === 'work') return timeseries;
  return timeseries * Math.ceil(duration / MOST_SAMPLES / timeseries);
}

/** Returns what waits for traces to come, or for the signal. */
function waiter(feeds: Simulation['feeds'], signal: RunOptions['signal']): () => Promise<void> {
  let awake = (): void => {};
  signal?.addEventListener?.('abort', () => awake(), { once: true });
  return () =>
    new Promise((resolve, reject) => {
      awake = resolve;
      Promise.all(feeds.map((feed) => feed.refill())).then(() => resolve(), reject);
    });
}

/** Tells the observer how far the run has come and, once per slice, who holds the TLBs. */
function reportReached(simulation: Simulation): void {
  const { engine, hosts, lanes, members, observer, reference } = simulation;
  if (observer === silent) return;
  const held = new Int32Array(members.length);
  for (const { machine } of hosts) for (const core of machine.cores) countHeld(core, held);
  const now = reference.passed(engine.now);
  for (const [vm, entries] of held.entries()) observer.onTlbOccupancy(now, vm, entries);
  lanes?.sample(engine.now);
  observer.onReached(now);
}

/** Share of its work that the VM furthest behind has done. */
function workDone({ members }: Simulation): number {
  const shares = members.map(({ vm, workload }) => vm.counters.work / (workload.work ?? 0));
  return Math.min(1, ...shares.filter(Number.isFinite));
}
