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
}: PairOptions): Overrides {
  const host = { processor: 'opteron-1354', pcpus, memory: '2GiB' };
  const faultTolerance = { kind: 'record-replay', secondary: 'b', link: 'log', ...params };
  return {
    host: undefined,
    hosts: { a: host, b: host },
    links: [{ name: 'log', between: ['a', 'b'], bandwidth, latency }],
    duration: '1s',
    hypervisor: { profile: 'esx-4' },
    vms: [{ name: 'db', host: 'a', memory, workload, faultTolerance }, ...vms],
    checks: { translations: false },
  };
}

export function protectedPair<T>(
  options: PairOptions,
  use: (simulation: Simulation, pair: RecordReplay) => T,
): T {
  const simulation = buildSimulation(load(pairScenario(options)));
  try {
    return use(simulation, simulation.protections[0] as RecordReplay);
  } finally {
    disposeOf(simulation);
  }
}
