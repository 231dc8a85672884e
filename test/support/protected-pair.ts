import { recordReplayParams } from '../../src/cluster/fault-tolerance/params.ts';
import type { RecordReplay } from '../../src/cluster/fault-tolerance/record-replay-pair.ts';
import { Link } from '../../src/cluster/link.ts';
import { buildSimulation, disposeOf, type Simulation } from '../../src/scenario/build.ts';
import type { Scenario } from '../../src/scenario/resolve.ts';
import { load, type Overrides } from './scenarios.ts';

export interface PairOptions {
  readonly workload: Overrides;
  readonly params?: object;
  readonly bandwidth?: number;
  readonly latency?: number;
  readonly vms?: readonly Overrides[];
  readonly pcpus?: number;
  readonly mmu?: Overrides;
  readonly memory?: string;
}

export function protectedPair<T>(
  {
    workload,
    params = {},
    bandwidth = 1e9,
    latency = 75e6,
    vms = [],
    pcpus = 2,
    memory = '256MiB',
  }: PairOptions,
  use: (simulation: Simulation, pair: RecordReplay) => T,
): T {
  const host = { processor: 'opteron-1354', pcpus, memory: '2GiB' };
  const plain: Scenario = load({
    host: undefined,
    hosts: { a: host, b: host },
    duration: '1s',
    hypervisor: { profile: 'esx-4', mmu: { kind: 'shadow', profile: 'vmware-trace' } },
    vms: [{ name: 'db', host: 'a', memory, workload }, ...vms],
    checks: { translations: false },
  });
  const [group, ...others] = plain.vms;
  const faultTolerance = {
    kind: 'record-replay',
    secondary: 'b',
    link: 'log',
    ...recordReplayParams.parse(params),
  };
  const scenario: Scenario = { ...plain, vms: [{ ...group!, faultTolerance }, ...others] };
  const simulation = buildSimulation(scenario, {
    links: (engine) => [
      new Link(engine, 2200, { name: 'log', between: [0, 1], bandwidth, latency }),
    ],
  });
  try {
    return use(simulation, simulation.protections[0] as RecordReplay);
  } finally {
    disposeOf(simulation);
  }
}
