import { ModelError } from '../../base/errors.ts';
import type { Cycles } from '../../base/ids.ts';
import type { Choice } from '../../base/registry.ts';
import { type Cluster, hostNamed, linkNamed, memberNamed } from '../cluster.ts';
import { type Host, type HostThread, threadOn } from '../host.ts';
import { Hold } from './hold.ts';
import { migrationPolicies } from './index.ts';
import { PlacedVm } from './placed-vm.ts';
import { PostCopy } from './post-copy.ts';
import { PreCopy } from './pre-copy.ts';
import type { MigrationRecord } from './rows.ts';

/** A migration that a scenario asks for. */
export interface MigrationPlan {
  readonly vm: string;
  readonly to: string;
  readonly link: string;
  readonly policy: Choice;
}

/** The thread of a host that sends and receives VMs. */
const THREAD = 'migration';
/** As a VM that says nothing. */
const WEIGHT = 256;

/** Gives a host its migration thread. Before its scheduler is made; twice is once. */
export function addMigrationThread({ hypervisor: { tasks } }: Host): void {
  if (!tasks.all.some(({ name }) => name === THREAD)) tasks.add({ name: THREAD, weight: WEIGHT });
}

/** The migration thread of a host. Throws ModelError when it has none. */
export function threadOf(host: Host): HostThread {
  const found = host.hypervisor.tasks.all.find((task) => task.name === THREAD);
  if (!found) throw new ModelError(`${host.name} has no migration thread`);
  return threadOn(host, found);
}

/** Why a VM cannot move now; undefined if it can. */
function obstacle(cluster: Cluster, { vm, to, link: name }: MigrationPlan): string | undefined {
  const target = hostNamed(cluster, to);
  const link = linkNamed(cluster, name);
  const { host } = memberNamed(cluster, vm).vm;
  const source = cluster.hosts[host.index]!;
  if (!source.alive) return `${source.name} has failed`;
  if (!target.alive) return `${target.name} has failed`;
  if (source === target) return `it is on ${to} already`;
  if (!link.between.includes(source.index)) return `it is on ${source.name}`;
  if (!link.up) return `the link ${name} is cut`;
  const guarded = cluster.protections.some((one) => one.vm.name === vm && one.guarded);
  if (guarded) return 'it is protected, and a protected VM does not move';
  if (cluster.migrations.some(({ record }) => record.vm === vm && isUnderWay(record))) {
    return 'it is on its way already';
  }
  return undefined;
}

export const isUnderWay = ({ outcome }: MigrationRecord) => outcome === 'unfinished';

/** Starts a migration at `now`. What it comes to is noted in the migrations of the cluster. */
export function startMigration(cluster: Cluster, plan: MigrationPlan, now: Cycles): void {
  const { engine, migrations, mhz } = cluster;
  const member = memberNamed(cluster, plan.vm);
  const from = cluster.hosts[member.vm.host.index]!;
  const to = hostNamed(cluster, plan.to);
  const link = linkNamed(cluster, plan.link);
  const record: MigrationRecord = {
    ...{ vm: plan.vm, from: from.name, to: to.name, policy: plan.policy.kind },
    ...{ start: now, end: now, downtime: 0, bytes: 0, outcome: 'unfinished', why: '' },
    ...{ rounds: [], faults: 0, waited: 0 },
  };
  const why = obstacle(cluster, plan);
  if (why !== undefined) {
    Object.assign(record, { outcome: 'aborted', why });
    migrations.push({ record, hostFailed: () => {} });
    return;
  }
  const policy = migrationPolicies.create(plan.policy, undefined);
  const vm = new PlacedVm(member, from, to);
  const ends = {
    ...{ engine, link, from: from.index, to: to.index },
    ...{ source: threadOf(from), target: threadOf(to) },
  };
  let unlisten = () => {};
  const common = { ends, vm, policy, record, onEnd: () => unlisten() };
  const hold = new Hold(engine, vm, mhz);
  let current: PreCopy | PostCopy;
  if (policy.preCopy) {
    const early: ConstructorParameters<typeof PreCopy>[0]['early'] = (missing, held, since) => {
      current = new PostCopy({ ...common, hold: held, missing, since });
      current.start();
    };
    current = new PreCopy({ ...common, mhz, early });
  } else current = new PostCopy({ ...common, hold });
  unlisten = link.onCut((at) => current.abort(at, `the link ${link.name} was cut`));
  migrations.push({
    record,
    hostFailed: (host, at) => {
      if (host === from || host === to) current.abort(at, `${host.name} failed`, host === from);
    },
  });
  current.start(now);
}
