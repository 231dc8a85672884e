import type { Cycles } from '../../../base/ids.ts';
import type { Protection, Resident } from '../../cluster.ts';
import type { OutputGate } from '../gated-port.ts';
import type { ProtectionDeps } from '../protection.ts';
import { PairRows } from '../rows.ts';
import { SideNotes } from '../side-notes.ts';
import { Wiring } from '../wiring.ts';
import { CapturedPort } from './captured-port.ts';
import { CapturedVm } from './captured-vm.ts';
import type { Checkpoint } from './checkpoint.ts';
import type { GuestImage } from './image.ts';
import { epochPolicies } from './index.ts';
import { CheckpointPair } from './pair.ts';
import type { CheckpointParams } from './params.ts';
import { StandbyVm } from './standby-vm.ts';

/** Microseconds from one row of results to the next. */
const LOOK = 5000;

/**
 * Protection by checkpoints in a simulation: a VM that is copied again and again, one that waits on
 * another host, and a thread of each host.
 */
export class Checkpointing implements Protection {
  readonly pair: CheckpointPair<GuestImage>;
  readonly wiring: Wiring;
  readonly primary: Resident;
  readonly renewable = false;
  readonly #captured: CapturedVm;
  readonly #standby: StandbyVm;
  readonly #rows: PairRows;
  readonly #sides = new SideNotes();

  /** Before the schedulers of the hosts are made: it adds a thread to each. */
  constructor(params: CheckpointParams, deps: ProtectionDeps) {
    const { primary } = deps;
    this.primary = primary;
    const wiring = new Wiring(deps, 'checkpoint', params.timeScale);
    this.wiring = wiring;
    this.pair = new CheckpointPair({
      ...wiring.pair,
      params,
      onState: (_state, now) => this.#rows.look(now),
      onChange: (now) => this.#sides.look(this.pair, now),
      onCompleted: ({ bytes, length, pages, pause }, now) => {
        const cells = { epochCycles: length, dirtyPages: pages, pauseCycles: pause };
        this.#rows.look(now, { ...cells, checkpointBytes: bytes });
      },
    });
    this.#rows = new PairRows(primary.vm.name, this.pair);
    const { hypervisor } = wiring.ours;
    const { vcpu, vm } = primary;
    const { holdsWrites } = epochPolicies.of(params.policy.kind);
    const side = () => this.pair.primary;
    const { timebase } = hypervisor.engine;
    const coreTime = () => timebase.engine(hypervisor.machine.cores[vcpu.pcpu]!.now);
    const gate: OutputGate = {
      holdsWrites,
      get closed() {
        return side()?.recording ?? false;
      },
      hold: (_what, release) => side()!.output(coreTime(), (time) => release(timebase.local(time))),
    };
    const port = new CapturedPort(
      gate,
      hypervisor,
      vcpu,
      hypervisor.mmuOf[vm.id]!,
      primary.requests,
    );
    vcpu.port = port;
    this.#captured = new CapturedVm(primary, { wiring, params, port }, deps.cluster);
    this.#standby = new StandbyVm(deps, wiring, params);
  }

  get vm() {
    return this.primary.vm;
  }

  get sides() {
    return this.#sides.notes;
  }

  get rows() {
    return this.#rows.rows;
  }

  get guarded(): boolean {
    return this.pair.guarded;
  }

  /** Both have just been powered on, and neither has executed anything. */
  protect(now: Cycles): void {
    const { ours, theirs } = this.wiring;
    const image = { position: { steps: 0, length: 0 }, dirty: [], at: now, disk: [] };
    const first: Checkpoint<GuestImage> = {
      ...{ epoch: 0, stamp: 0, pages: 0, bytes: 0, pause: 0 },
      image: { ...image, answered: new Set() },
    };
    this.#standby.start(now);
    this.#captured.start();
    this.pair.protect(
      { host: ours.name, guest: this.#captured },
      { host: theirs.name, guest: this.#standby },
      first,
      now,
    );
    this.#look(now);
  }

  #look(now: Cycles): void {
    this.#rows.look(now);
    const next = now + this.wiring.toCycles(LOOK * 1e6);
    this.wiring.timers.at(next, (at) => this.#look(at));
  }

  /** The primary's VM is stopped, as a test of what follows. */
  failover(now: Cycles): void {
    this.pair.stopPrimary(now);
  }

  /** A host has lost its power. */
  hostLost(host: string, now: Cycles): void {
    this.pair.hostLost(host, now);
  }
}
