import type { Cycles } from '../../base/ids.ts';
import { Runstate } from '../../hypervisor/vm.ts';
import type { Cluster, Resident } from '../cluster.ts';
import { type Awaited, GuestCopy } from '../copy/guest-copy.ts';
import type { Host } from '../host.ts';
import type { Link } from '../link.ts';
import { FT_VMOTION, ftVmotion } from '../migration/ft-vmotion.ts';
import { threadOf } from '../migration/migrate.ts';
import { PlacedVm } from '../migration/placed-vm.ts';
import { PreCopy } from '../migration/pre-copy.ts';
import type { MigrationRecord } from '../migration/rows.ts';

export interface CloningPlan {
  /** The VM, as results call it. */
  readonly name: string;
  /** The copy that runs. */
  readonly original: Resident;
  /** What becomes the second one: on no host yet. */
  readonly spare: Resident;
  readonly from: Host;
  readonly to: Host;
  readonly link: Link;
}

/** A VM of which a second copy comes to another host, while it stays where it is. */
class ClonedVm extends PlacedVm {
  readonly #plan: CloningPlan;
  readonly #arrived: (awaited: Awaited, now: Cycles) => void;

  constructor(plan: CloningPlan, arrived: (awaited: Awaited, now: Cycles) => void) {
    super(plan.original, plan.from, plan.to, plan.spare.vm);
    this.#plan = plan;
    this.#arrived = arrived;
  }

  /** The memory and the state of the processor are there, while the original is held. */
  override move(now: Cycles): void {
    const { original, spare, to } = this.#plan;
    const copy = new GuestCopy(spare, to);
    const noted = original.noted!;
    copy.catchUp(noted.history, noted.position);
    const { timebase } = to.hypervisor.engine;
    spare.vcpu.enter(Runstate.Paused, spare.vcpu.timebase.local(now));
    const at = timebase.local(now);
    to.hypervisor.attach(spare.vm, { ...spare.arriveAt(to), ...this.place }, at);
    this.#arrived(copy.awaited, now);
    to.hypervisor.unpause(spare.vm, at);
  }

  override release(): void {}
}

/** A record of an attempt to make a new secondary. */
export const cloningRecord = (
  vm: string,
  from: string,
  to: string,
  now: Cycles,
): MigrationRecord => ({
  ...{ vm, from, to, policy: FT_VMOTION, start: now, end: now, downtime: 0, bytes: 0 },
  ...{ outcome: 'unfinished', why: '', rounds: [], faults: 0, waited: 0 },
});

/**
 * Begins to copy a running VM to another host. `arrived` is called when its second copy is there
 * and
 * nobody has executed anything since; `ended` when it is over, however.
 */
export function startCloning(
  cluster: Cluster,
  plan: CloningPlan,
  now: Cycles,
  arrived: (awaited: Awaited, now: Cycles) => void,
  ended: (record: MigrationRecord, now: Cycles) => void,
): void {
  const { engine, migrations, mhz } = cluster;
  const { from, link, name, to } = plan;
  const record = cloningRecord(name, from.name, to.name, now);
  let unlisten = () => {};
  const current = new PreCopy({
    ends: {
      ...{ engine, link, from: from.index, to: to.index },
      ...{ source: threadOf(from), target: threadOf(to) },
    },
    vm: new ClonedVm(plan, arrived),
    ...{ policy: ftVmotion(), mhz, record, success: 'cloned' as const },
    onEnd: (at) => {
      unlisten();
      ended(record, at);
    },
  });
  unlisten = link.onCut((at) => current.abort(at, `the link ${link.name} was cut`));
  migrations.push({
    record,
    hostFailed: (host, at) => {
      if (host === from || host === to) current.abort(at, `${host.name} failed`, host === from);
    },
  });
  current.start(now);
}
