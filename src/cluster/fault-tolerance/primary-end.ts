import type { Engine } from '../../engine/engine.ts';
import type { Resident } from '../cluster.ts';
import { type Host, holdable } from '../host.ts';
import { Hold } from '../migration/hold.ts';
import type { DiskRequests } from './disk-requests.ts';
import type { RecordReplayParams } from './params.ts';
import type { PrimarySide } from './primary-side.ts';
import { RecordedGuest, RecordPort } from './record-port.ts';
import { Recorder } from './recorder.ts';
import type { Replica } from './replica.ts';

/** Where one of the two copies of a VM is. */
export interface Place {
  readonly member: Resident;
  readonly host: Host;
}

/** What both ends need. */
export interface EndDeps {
  readonly params: Pick<RecordReplayParams, 'disk' | 'log'>;
  /** Who asks the VM, wherever it runs. */
  readonly requests: Resident['requests'];
  /** All times of the protocol are its. */
  readonly engine: Engine;
  /** Ticks of the engine in a microsecond. */
  readonly mhz: number;
}

/** A VM that is recorded where it runs, and what the protocol can tell it. */
export class PrimaryEnd {
  readonly member: Resident;
  readonly host: Host;
  readonly disk: DiskRequests;
  readonly recorder: Recorder;
  readonly replica: Replica;
  /** Where it writes its log, from when it is protected. */
  side: PrimarySide | null = null;

  /** `disk`: what it has asked the disk. The VM has not run yet, or is held. */
  constructor({ host, member }: Place, deps: EndDeps, disk: DiskRequests) {
    const { engine, mhz, params, requests } = deps;
    const { hypervisor } = host;
    const { vcpu, vm } = member;
    this.member = member;
    this.host = host;
    this.disk = disk;
    this.recorder = new Recorder(hypervisor, vcpu, params.log, () => this.side, params.disk);
    const port = new RecordPort(this.recorder, hypervisor.mmuOf[vm.id]!, requests, disk);
    vcpu.port = port;
    vcpu.guest = new RecordedGuest(member.noted ?? member.kernel, this.recorder, port);
    this.replica = replicaOf(new Hold(engine, holdable(host, vm), mhz));
  }
}

function replicaOf(hold: Hold): Replica {
  let stalled = false;
  let share = 1;
  const stall = () => {
    stalled = true;
    hold.take(() => {});
  };
  return {
    stall,
    go: (now) => {
      stalled = false;
      hold.give(now);
      if (share < 1) hold.stun(1 - share, now);
    },
    limit: (limit, now) => {
      share = limit;
      if (!stalled) hold.stun(1 - limit, now);
    },
    goLive: () => {},
    halt: stall,
  };
}
