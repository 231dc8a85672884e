import type { Protection } from '../../src/cluster/cluster.ts';
import type { Checkpointing } from '../../src/cluster/fault-tolerance/checkpoint/checkpointing.ts';
import type { RecordReplay } from '../../src/cluster/fault-tolerance/record-replay-pair.ts';
import { buildSimulation, disposeOf, type Simulation } from '../../src/scenario/build.ts';
import { load, type Overrides } from './scenarios.ts';

export interface PairOptions {
  readonly workload: Overrides;
  /** Of the protection, besides its kind and places. */
  readonly params?: object;
  readonly bandwidth?: string;
  readonly latency?: string;
  readonly vms?: readonly Overrides[];
  readonly pcpus?: number;
  readonly memory?: string;
  /** How it is protected. */
  readonly kind?: string;
  readonly hypervisor?: Overrides;
}

/** A VM `db` on host a, protected on b over a link with a round trip of 150 us, and others. */
export function pairScenario({
  workload,
  params = {},
  bandwidth = '1Gb/s',
  latency = '75us',
  vms = [],
  pcpus = 2,
  memory = '256MiB',
  kind = 'record-replay',
  hypervisor = { profile: 'esx-4' },
}: PairOptions): Overrides {
  const host = { processor: 'opteron-1354', pcpus, memory: '2GiB' };
  const faultTolerance = { kind, secondary: 'b', link: 'log', ...params };
  return {
    host: undefined,
    hosts: { a: host, b: host },
    links: [{ name: 'log', between: ['a', 'b'], bandwidth, latency }],
    duration: '1s',
    hypervisor,
    vms: [{ name: 'db', host: 'a', memory, workload, faultTolerance }, ...vms],
    checks: { translations: false },
  };
}

function withPair<P, T>(options: PairOptions, use: (simulation: Simulation, pair: P) => T): T {
  const simulation = buildSimulation(load(pairScenario(options)));
  try {
    return use(simulation, simulation.protections[0] as P);
  } finally {
    disposeOf(simulation);
  }
}

export const protectedPair = <T>(
  options: PairOptions,
  use: (simulation: Simulation, pair: RecordReplay) => T,
): T => withPair(options, use);

/** The same on Xen, by checkpoints. */
export const checkpointedPair = <T>(
  options: PairOptions,
  use: (simulation: Simulation, pair: Checkpointing) => T,
): T => {
  const xen = { kind: 'checkpoint', hypervisor: { profile: 'xen-3.4' } };
  return withPair({ ...xen, ...options }, use);
};

/** A host loses its power now. */
export function loseHost(simulation: Simulation, pair: Protection, host: number): void {
  const { engine, hosts } = simulation;
  const lost = hosts[host]!;
  lost.hypervisor.stop(engine.now);
  lost.alive = false;
  pair.hostLost(lost.name, engine.now);
}
