import { createHash } from 'node:crypto';
import { createReadStream, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { packageVersion } from '../files/package-files.ts';
import { checkTraces, tracePaths } from '../files/trace-files.ts';
import { allPcpus, clockOf, tickRateOf } from '../scenario/hosts.ts';
import type { LoadedScenario } from '../scenario/load.ts';
import type { PlacedValue } from '../scenario/overrides.ts';
import type { Scenario } from '../scenario/resolve.ts';
import { checkPointsPausing, type Plan, replicationSeed } from './plan.ts';
import { UnitStore } from './store.ts';
import type { UnitJob, UnitResult } from './unit.ts';

/** The units of a point under other settings. */
export interface Variant {
  unit(replication: number): string;
  job(replication: number): UnitJob;
}

/** A plan with a directory: what its units are called, what they cost, which of them are there. */
export class Campaign {
  readonly plan: Plan;
  readonly store: UnitStore;
  /** 32 bytes for each point: the name of its units without the seed. */
  readonly #names: Buffer;
  readonly #weights: Float64Array;
  readonly #traces: TraceHashes;

  /** Checks every point: throws ConfigError with all problems. */
  static async open(plan: Plan, directory: string): Promise<Campaign> {
    const names = Buffer.alloc(32 * plan.points);
    const weights = new Float64Array(plan.points);
    const traces = new TraceHashes();
    const withTraces = new Map<string, LoadedScenario>();
    const version = codeVersion();
    const tracesOf = new Map<number, readonly string[]>();
    await checkPointsPausing(plan, (point, loaded) => {
      weights[point.index] = weightOf(loaded.scenario, plan.native);
      namedAfter(plan, version, loaded.scenario).copy(names, 32 * point.index);
      const files = [...tracePaths(loaded).values()];
      if (files.length === 0) return;
      withTraces.set(files.join('\0'), loaded);
      tracesOf.set(point.index, files);
    });
    for (const loaded of withTraces.values()) await checkTraces(loaded);
    for (const [index, files] of tracesOf) {
      const name = names.subarray(32 * index, 32 * index + 32);
      (await traces.added(name, files)).copy(name);
    }
    return new Campaign(plan, directory, names, weights, traces);
  }

  private constructor(
    plan: Plan,
    directory: string,
    names: Buffer,
    weights: Float64Array,
    traces: TraceHashes,
  ) {
    this.plan = plan;
    this.#traces = traces;
    this.store = new UnitStore(directory);
    this.#names = names;
    this.#weights = weights;
  }

  /** Name of a unit: 32 hexadecimal digits that stand for scenario, seed and version. */
  unit(point: number, replication: number): string {
    const name = this.#names.subarray(32 * point, 32 * point + 32);
    return withSeed(name, this.seed(point, replication));
  }

  /** A point with other settings besides. Throws ConfigError when they do not fit. */
  async variant(point: number, settings: readonly PlacedValue[]): Promise<Variant> {
    const loaded = this.plan.point(point).load(settings);
    const files = [...tracePaths(loaded).values()];
    const own = namedAfter(this.plan, codeVersion(), loaded.scenario);
    const name = files.length > 0 ? await this.#traces.added(own, files) : own;
    return {
      unit: (replication) => withSeed(name, this.seed(point, replication)),
      job: (replication) => this.#job(loaded, this.seed(point, replication)),
    };
  }

  seed(point: number, replication: number): string {
    const { space, base } = this.plan;
    const swept = space.axes.findIndex(({ path }) => path === 'seed');
    const seed = swept < 0 ? base.seed : this.plan.point(point).values[swept]!.label;
    return replicationSeed(seed, replication);
  }

  job(point: number, replication: number): UnitJob {
    return this.#job(this.plan.point(point).load(), this.seed(point, replication));
  }

  #job(loaded: LoadedScenario, seed: string): UnitJob {
    const { native, requests } = this.plan;
    const scenario = { ...loaded.scenario, seed };
    return { scenario, native, requests, traces: [...tracePaths(loaded)] };
  }

  result(point: number, replication: number): UnitResult | undefined {
    return this.store.read(this.unit(point, replication))?.result;
  }

  /**
   * How much work a unit of a point is, in pCPU cycles to simulate: for estimates and for the
   * order.
   */
  weight(point: number): number {
    return this.#weights[point]!;
  }
}

/** What a unit is called, but for its seed and its traces. */
function namedAfter({ native, requests }: Plan, version: string, scenario: Scenario): Buffer {
  return createHash('sha256')
    .update(version)
    .update(`${native ? ' native' : ''}${requests ? ' requests' : ''} `)
    .update(meaningOf(scenario))
    .digest();
}

const withSeed = (name: Buffer, seed: string) =>
  createHash('sha256').update(name).update(seed).digest('hex').slice(0, 32);

/** What a result depends on besides the seed, the program and the traces, as text. */
function meaningOf({ input }: Scenario): string {
  const { name, description, seed, sweep, find, ...rest } = input;
  return JSON.stringify(rest);
}

function weightOf(scenario: Scenario, native: boolean): number {
  const { duration, vms } = scenario;
  const count = vms.reduce((sum, group) => sum + group.count, 0);
  // How long finishing the work takes is not known beforehand; only the order of the points matters
  // then.
  const clock = clockOf(scenario);
  const cycles = duration === 'work' ? clock : duration * (clock / tickRateOf(scenario));
  return cycles * Math.min(count, allPcpus(scenario)) * (native ? 2 : 1);
}

class TraceHashes {
  readonly #known = new Map<string, Buffer>();

  /** A name that stands for the contents of files too. */
  async added(name: Buffer, files: readonly string[]): Promise<Buffer> {
    const hash = createHash('sha256').update(name);
    for (const file of files) hash.update(await this.of(file));
    return hash.digest();
  }

  async of(file: string): Promise<Buffer> {
    const known = this.#known.get(file);
    if (known) return known;
    const hash = createHash('sha256');
    for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
    const digest = hash.digest();
    this.#known.set(file, digest);
    return digest;
  }
}

/** Folders whose code decides what a unit yields. */
const SIMULATING = [
  'base',
  'engine',
  'stats',
  'observe',
  'machine',
  'hypervisor',
  'guest',
  'scenario',
];

let version: string | undefined;

/**
 * Version of the package and a digest of the code that simulates: results of a program that was
 * changed are not taken for those of the present one.
 */
export function codeVersion(): string {
  if (version !== undefined) return version;
  const hash = createHash('sha256');
  const root = fileURLToPath(new URL('../', import.meta.url));
  for (const folder of SIMULATING) {
    const names = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' });
    for (const name of names.filter((file) => /(?<!\.d)\.[jt]s$/.test(file)).sort()) {
      hash.update(name).update(readFileSync(join(root, folder, name)));
    }
  }
  hash.update(
    readFileSync(fileURLToPath(new URL(`./unit${import.meta.url.slice(-3)}`, import.meta.url))),
  );
  version = `${packageVersion()}+${hash.digest('hex').slice(0, 12)}`;
  return version;
}
