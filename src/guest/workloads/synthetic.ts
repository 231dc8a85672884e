import { stream, xoshiroNext, xoshiroState } from '../../base/random.ts';
import { MILLION_INSTRUCTIONS } from '../../stats/metrics.ts';
import { type Calls, callClass, callClassNames } from '../system-call-classes.ts';
import { Background, exponential } from './background.ts';
import {
  checkMemory,
  checkRegions,
  diskOf,
  growthOf,
  type Image,
  Images,
  KERNEL_EVENT_REGION,
  type Loaded,
  planOf,
  skipsAll,
} from './images.ts';
import { type Item, operation, visit } from './item.ts';
import { checkRoom, type Layout } from './layout.ts';
import { below } from './patterns.ts';
import { checkPhases } from './phases.ts';
import { ScriptProgram, type Step } from './script.ts';
import { type SyntheticParams, type SyntheticRegion, syntheticParams } from './synthetic-params.ts';
import {
  type Arrivals,
  Op,
  type ProcessImage,
  type Program,
  type Region,
  type WorkloadDefinition,
  type WorkloadDeps,
} from './workload.ts';

/**
 * The general workload: regions visited in patterns, kernel events at given rates, and one of four
 * ways of life: serve requests, work off jobs in a process of their own (fork, exec, wait), work
 * off jobs in place, or just run.
 */
export const synthetic: WorkloadDefinition<typeof syntheticParams> = {
  name: 'synthetic',
  summary: 'regions visited in patterns, kernel events at given rates, jobs or requests',
  params: syntheticParams,
  create(params, deps) {
    check(params);
    checkRoomOf(params, deps);
    const factory = new Factory(params, deps);
    const processes = Array.from({ length: params.processes }, (_, i) => factory.process(i));
    const { requests, jobs } = params;
    return {
      processes,
      arrivals: requests && arrivalsOf(requests.arrivals),
      requestBytes: requests?.requestBytes,
      work: params.work,
      unit: requests ? 'requests' : jobs ? 'jobs' : MILLION_INSTRUCTIONS,
      cpiQ8: Math.round(params.cpi * 256),
      overlapQ8: Math.round(params.overlap * 256),
      kernel: true,
      quantumInstructions: params.quantum,
      hz: params.hz,
      skips: skipsAll(params.regions, jobs?.forks === true),
    };
  },
};

type Jobs = NonNullable<SyntheticParams['jobs']>;
type Requests = NonNullable<SyntheticParams['requests']>;

function arrivalsOf(arrivals: Requests['arrivals']): Arrivals {
  if (arrivals.kind === 'open') return { kind: 'open', perSecond: arrivals.rate };
  return { kind: 'closed', clients: arrivals.clients, thinkPicoseconds: arrivals.think };
}

function check({ regions, phases, jobs, requests }: SyntheticParams): void {
  if (jobs && requests) throw new Error('a workload has jobs or requests, not both');
  checkRegions(regions);
  if (phases) checkPhases(phases, regions);
}

function checkRoomOf(params: SyntheticParams, deps: WorkloadDeps): void {
  const { regions, jobs, processes } = params;
  const own = [...regions, KERNEL_EVENT_REGION];
  const parents = jobs?.forks === true && jobs.exec ? parentRegions(jobs) : [];
  const running = parents.length > 0 ? parents : own;
  checkMemory(deps, processes, running, [...own, ...parents]);
}

const FRESH = 'fresh';

/** A thread: its number in the process, and the name of its random streams. */
interface Place {
  readonly thread: number;
  readonly path: string;
}

/**
 * Makes the processes of one VM. Every program draws from streams named after its place in the
 * tree.
 */
class Factory {
  readonly #params: SyntheticParams;
  readonly #images: Images;
  /** The program that does the work, in a process that has long been running. */
  readonly #worker: Image;
  /** The small program that starts jobs which exec; else the worker itself. */
  readonly #parent: Image;

  constructor(params: SyntheticParams, deps: WorkloadDeps) {
    this.#params = params;
    this.#images = new Images(params.aslr, deps);
    const regions = [...params.regions, KERNEL_EVENT_REGION];
    const { jobs, threads } = params;
    const freshPages = (jobs?.freshPages ?? 0) * (jobs?.forks ? 1 : threads);
    if (freshPages > 0) {
      const size = freshPages * 4096;
      regions.push({ ...KERNEL_EVENT_REGION, name: FRESH, size, populated: false });
    }
    const { heap, mappings } = growthOf(params.per1M);
    checkRoom(regions, threads * heap, threads * mappings);
    this.#worker = this.#images.make('program', regions, params);
    const execs = params.jobs?.forks === true && params.jobs.exec;
    if (execs) {
      const small = parentRegions(params.jobs!);
      checkRoom(small, 0, 0);
      this.#parent = this.#images.make('parent', small, { visit: params.visit });
    } else this.#parent = this.#worker;
  }

  process(index: number): ProcessImage {
    const path = `${this.#images.base}/process/${index}`;
    const loaded = this.#images.load(this.#parent, path, true);
    const programs = Array.from({ length: this.#params.threads }, (_, thread) => {
      const own = thread === 0 ? path : `${path}/thread/${thread}`;
      return this.#thread({ thread, path: own }, loaded);
    });
    return { regions: loaded.layout.regions, programs };
  }

  #thread(place: Place, loaded: Loaded): Program {
    const { jobs, requests } = this.#params;
    if (jobs?.forks) return this.#starter(place.path, jobs, loaded);
    const script = requests
      ? this.#serve(requests, place.path)
      : jobs
        ? this.#jobsInPlace(jobs, loaded.layout, place.thread)
        : run();
    return this.#working(place, script, loaded);
  }

  /** A program that runs an image's mix and kernel events under a script. */
  #working({ path, thread }: Place, script: Iterator<Step>, loaded: Loaded): Program {
    const mixer = this.#images.mixer(loaded, path);
    if (loaded.image !== this.#worker) return new ScriptProgram({ script, mixer });
    const plan = planOf(this.#params.per1M, this.#params, loaded.layout, thread);
    const background = new Background(plan, this.#images.seed, `${path}/events`);
    return new ScriptProgram({ script, mixer, background });
  }

  /** The parent of jobs; its n-th child is named after n. */
  #starter(path: string, jobs: Jobs, loaded: Loaded): Program {
    let children = 0;
    const fork = () => this.#child(`${path}/child/${children++}`, jobs, loaded);
    return new ScriptProgram({
      script: start(jobs),
      mixer: this.#images.mixer(loaded, path),
      fork,
    });
  }

  /** A fork keeps the addresses of its parent; a program it executes gets new ones. */
  #child(path: string, jobs: Jobs, parent: Loaded): Program {
    const written = parent.layout.regions.find((r) => r.kind === 'anon' && r.pages > 0)!;
    const place: Place = { path, thread: 0 };
    if (!jobs.exec) return this.#working(place, this.#oneJob(jobs, written, parent.layout), parent);
    const exec = (): ProcessImage => {
      const loaded = this.#images.load(this.#worker, path, false);
      const program = this.#working(place, this.#job(jobs, loaded.layout, 0), loaded);
      return { regions: loaded.layout.regions, programs: [program] };
    };
    const script = (function* (): Generator<Step> {
      yield* writeTo(written, jobs.cowPages);
      yield operation(Op.Exec);
    })();
    return new ScriptProgram({ script, exec });
  }

  *#oneJob(jobs: Jobs, written: Region, layout: Layout): Generator<Step> {
    yield* writeTo(written, jobs.cowPages);
    yield* this.#job(jobs, layout, 0);
  }

  /** The body of a job: its instructions, with stores to new pages spread evenly over them. */
  *#job(jobs: Jobs, layout: Layout, thread: number): Generator<Step> {
    const { instructions, freshPages } = jobs;
    const fresh = freshOf(layout, freshPages, thread);
    if (fresh === undefined) return yield instructions;
    for (let i = 0; i < freshPages; i++) {
      yield instructions / freshPages;
      // A new page is usually filled: all its lines. assumed
      yield visit(Op.Store, fresh + i, 64, 64, 0, 64);
    }
  }

  *#jobsInPlace(jobs: Jobs, layout: Layout, thread: number): Generator<Step> {
    const fresh = freshOf(layout, jobs.freshPages, thread);
    for (;;) {
      yield* this.#job(jobs, layout, thread);
      if (fresh !== undefined) yield operation(Op.Discard, fresh, jobs.freshPages);
      yield operation(Op.WorkDone, 1);
    }
  }

  *#serve(requests: Requests, path: string): Generator<Step> {
    const state = xoshiroState(this.#images.seed, `${path}/requests`);
    const random = stream(this.#images.seed, `${path}/io`);
    const calls = callsOf(requests.syscalls);
    const parts = calls.length + 1;
    for (;;) {
      yield operation(Op.AwaitRequest, requests.requestBytes);
      const bits = xoshiroNext(state);
      const mean = requests.instructions;
      const instructions = requests.distribution === 'fixed' ? mean : exponential(mean, bits);
      const waits = random() < requests.ioProbability ? below(parts, xoshiroNext(state)) : -1;
      for (let part = 0; part < parts; part++) {
        yield instructions / parts;
        if (part === waits) yield diskOf(this.#params, writes(requests.ioWrites, random));
        if (part < calls.length) yield calls[part]!;
      }
      yield operation(Op.RequestDone, requests.responseBytes);
      yield operation(Op.WorkDone, 1);
    }
  }
}

/** So many calls of each class, spread evenly over each other. */
function callsOf(counts: Calls): Item[] {
  return callClassNames
    .flatMap((name) =>
      Array.from({ length: counts[name] }, (_, i) => ({ name, at: (i + 0.5) / counts[name] })),
    )
    .sort((one, other) => one.at - other.at)
    .map(({ name }) => operation(Op.Syscall, callClass(name)));
}

/** Nothing is drawn where all do the same. */
const writes = (share: number, random: () => number): boolean =>
  share > 0 && (share >= 1 || random() < share);

/** The first page of the new memory of one thread; undefined = jobs have none. */
function freshOf({ regions }: Layout, pages: number, thread: number): number | undefined {
  const fresh = regions.find((region) => region.name === FRESH);
  return fresh && fresh.start + thread * pages;
}

/** A program that runs forever. */
function* run(): Generator<Step> {
  for (;;) {
    yield 1e6;
    yield operation(Op.WorkDone, 1);
  }
}

/** A parent: a little work, a child, wait for it. */
function* start(jobs: Jobs): Generator<Step> {
  for (;;) {
    yield jobs.parentInstructions;
    yield operation(Op.Fork);
    yield operation(Op.Wait);
    yield operation(Op.WorkDone, 1);
  }
}

/** Stores to the first pages of a region: copy-on-write breaks after a fork. */
function* writeTo(region: Region, pages: number): Generator<Step> {
  for (let i = 0; i < Math.min(pages, region.pages); i++) {
    yield visit(Op.Store, region.start + i, 8, 100); // assumed (50-1000 instructions a page)
  }
}

function parentRegions(jobs: Jobs): SyntheticRegion[] {
  const region = {
    ...KERNEL_EVENT_REGION,
    pattern: { kind: 'zipf', exponent: 1, order: 'shuffled' },
  };
  return [
    { ...region, name: 'parent-code', kind: 'code', size: jobs.parentCode, share: 1 },
    { ...region, name: 'parent-data', size: jobs.parentData, share: 1, stores: 0.3 },
  ] as SyntheticRegion[];
}
