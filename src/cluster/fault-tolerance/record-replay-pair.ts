import type { Cycles } from '../../base/ids.ts';
import { Runstate } from '../../hypervisor/vm.ts';
import type { Cluster, Protection, RenewedPlace, Resident } from '../cluster.ts';
import type { Awaited } from '../copy/guest-copy.ts';
import type { Host } from '../host.ts';
import { addMigrationThread } from '../migration/migrate.ts';
import { cloningRecord, startCloning } from './cloning.ts';
import { DiskRequests } from './disk-requests.ts';
import { Pair, type PairState } from './pair.ts';
import type { RecordReplayParams } from './params.ts';
import { type Place, PrimaryEnd } from './primary-end.ts';
import type { ProtectionDeps } from './protection.ts';
import { askedSpot, bestSpot, obstacle, type Preference, type Spot } from './renewal-place.ts';
import { PairRows } from './rows.ts';
import { type SecondaryDeps, SecondaryEnd } from './secondary-end.ts';

import type { SharedDisk } from './shared-disk.ts';
import { SideNotes } from './side-notes.ts';
import type { Timers } from './timers.ts';
import { Wiring } from './wiring.ts';

/** Microseconds from one row of results to the next. */
const LOOK = 5000;

/**
 * Protection by record and replay in a simulation: two VMs that boot the same program, the log
 * between them, threads of the hosts that carry it. A lost secondary is replaced by a copy of the
 * one that is left.
 */
export class RecordReplay implements Protection {
  readonly pair: Pair;
  readonly timers: Timers;
  readonly disk: SharedDisk;
  readonly primary: Resident;
  readonly secondary: Resident;
  readonly renewable: boolean;
  readonly #cluster: Cluster;
  readonly #rows: PairRows;
  readonly #sides = new SideNotes();
  readonly #wiring: Wiring;
  readonly #preference: Preference;
  readonly #automatic: boolean;
  readonly #common: SecondaryDeps;
  /** Copies that have not run yet, for later secondaries. */
  readonly #spares: Resident[];
  /** Both ends of the present generation. */
  #ours: PrimaryEnd;
  #theirs: SecondaryEnd;
  /** Nothing is tried again by itself before somebody else is lost. */
  #gaveUp = false;

  /** Before the schedulers of the hosts are made: it adds threads to them. */
  constructor(params: RecordReplayParams, deps: ProtectionDeps) {
    const { cluster, primary, secondary, spares } = deps;
    const { engine, mhz } = cluster;
    this.#cluster = cluster;
    this.primary = primary;
    this.secondary = secondary;
    this.#spares = [...spares];
    this.renewable = spares.length > 0;
    this.#automatic = deps.renews;
    this.#preference = { host: deps.host, link: deps.link, clocks: deps.clocks };
    // A new secondary may come to any of them one day, and its memory with it.
    const later = this.renewable ? linkedHosts(cluster) : [];
    this.#wiring = new Wiring(deps, 'log', params.timeScale, later);
    for (const host of later) addMigrationThread(host);
    const { ours: first, theirs: second, timers } = this.#wiring;
    this.timers = timers;
    this.disk = this.#wiring.disk;
    this.pair = new Pair({
      ...this.#wiring.pair,
      params,
      onState: (state, now) => this.#onState(state, now),
      onChange: (now) => this.#sides.look(this.pair, now),
    });
    this.#rows = new PairRows(primary.vm.name, this.pair);
    const { counters } = primary.vm;
    this.#common = {
      ...{ params, engine, mhz, requests: primary.requests, timers: this.timers },
      // Clients ask for the VM by its name, wherever it runs.
      onRequest: () => void counters.requests_arrived++,
    };
    const [ours, theirs] = [new DiskRequests(), new DiskRequests()];
    this.#ours = new PrimaryEnd({ member: primary, host: first }, this.#common, ours);
    const place = { member: secondary, host: second };
    this.#theirs = new SecondaryEnd(place, this.#common, {
      disk: theirs,
      diskOf: first,
    });
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
    this.#connect(0, now);
    this.#look(now);
  }

  #connect(stamp: Cycles, now: Cycles): void {
    const ours = this.#ours;
    const theirs = this.#theirs;
    const end = ({ host, replica }: PrimaryEnd | SecondaryEnd) => ({ host: host.name, replica });
    this.pair.protect(end(ours), end(theirs), stamp, now);
    ours.side = this.pair.primary;
    theirs.side = this.pair.secondary;
    // The controller of the lag goes on where it was.
    const { limit } = this.pair.control;
    if (limit < 1) ours.replica.limit(limit, now);
  }

  #look(now: Cycles): void {
    this.#rows.look(now);
    this.#renewItself(now);
    this.timers.at(now + Math.round(LOOK * this.#cluster.mhz), (at) => this.#look(at));
  }

  #onState(state: PairState, now: Cycles): void {
    this.#rows.look(now);
    // Whoever tells this is in the middle of it.
    if (state === 'alone') this.timers.at(now, (at) => this.#renewItself(at));
  }

  /** The primary's VM is stopped, as a test of what follows. */
  failover(now: Cycles): void {
    this.pair.stopPrimary(now);
  }

  /** A host has lost its power. */
  hostLost(host: string, now: Cycles): void {
    this.#gaveUp = false;
    this.pair.hostLost(host, now);
  }

  // A new secondary.

  /** The end that runs alone; undefined: there is none. */
  get #alone(): PrimaryEnd | SecondaryEnd | undefined {
    if (this.pair.state !== 'alone') return undefined;
    return [this.#ours, this.#theirs].find(({ side }) => side?.state === 'alone');
  }

  #renewItself(now: Cycles): void {
    const alone = this.#alone;
    if (!this.#automatic || this.#gaveUp || !alone || this.#spares.length === 0) return;
    if (alone.member.vcpu.done) return;
    const spot = bestSpot(this.#cluster, this.vm, alone.host, this.#preference);
    if (spot) this.#clone(alone, spot, now);
  }

  renew(place: RenewedPlace, now: Cycles): void {
    const alone = this.#alone;
    const from = alone?.host ?? this.#ours.host;
    const spot = askedSpot(this.#cluster, from, this.#preference, place);
    const why = this.#refusal(alone, spot);
    if (why === undefined) this.#clone(alone!, spot, now);
    else {
      const record = cloningRecord(this.vm.name, from.name, spot.host.name, now);
      Object.assign(record, { outcome: 'aborted', why });
      this.#cluster.migrations.push({ record, hostFailed: () => {} });
    }
  }

  #refusal(alone: PrimaryEnd | SecondaryEnd | undefined, spot: Spot): string | undefined {
    const { state } = this.pair;
    if (state === 'lost') return 'nobody is left of it';
    if (!alone) return state === 'cloning' ? 'one is being made' : 'it is protected';
    if (alone.member.vcpu.done) return 'its work is done';
    if (this.#spares.length === 0) return 'there has been one for each event';
    return obstacle(this.#cluster, this.vm, alone.host, spot, this.#preference);
  }

  #clone(alone: PrimaryEnd | SecondaryEnd, { host, link }: Spot, now: Cycles): void {
    const [spare] = this.#spares as [Resident];
    const { member: original, host: from } = alone;
    this.#retire(original);
    this.pair.beginCloning(now);
    startCloning(
      this.#cluster,
      { name: this.vm.name, original, spare, from, to: host, link },
      now,
      (awaited, at) => {
        this.#spares.shift();
        this.#wiring.link = link;
        this.#reconnect(alone, { member: spare, host }, awaited, at);
      },
      ({ outcome }, at) => {
        if (outcome === 'failed') this.#gaveUp = true;
        // A primary that is lost with its host is lost, not alone.
        if (outcome !== 'cloned' && from.alive) this.pair.endCloning(at);
      },
    );
  }

  /** The copy has come: the one that was alone records from here on, and the other repeats it. */
  #reconnect(alone: PrimaryEnd | SecondaryEnd, copy: Place, awaited: Awaited, now: Cycles): void {
    const { disk, host, member } = alone;
    const { engine, interrupts } = host.hypervisor;
    const [own, its] = [engine.timebase, copy.host.hypervisor.engine.timebase];
    // Guests count time in cycles of their own, which are those of their copies.
    const timer = member.vm.clock.passed(own.engine(interrupts.timerOf(member.vcpu)));
    this.#ours = new PrimaryEnd({ member, host }, this.#common, disk);
    this.#theirs = new SecondaryEnd(copy, this.#common, {
      disk: disk.on(own, its),
      diskOf: host,
      awaited: { ...awaited, timer },
    });
    this.#connect(this.#ours.recorder.executed, now);
  }

  /** What is left of copies that have lost goes: their memory is wanted. */
  #retire(survivor: Resident): void {
    const { hosts, members } = this.#cluster;
    for (const member of members) {
      const { vcpu, vm } = member;
      if (member === survivor || vm.program !== this.vm.program) continue;
      const { alive, hypervisor } = hosts[vm.host.index] ?? {};
      if (!alive || !hypervisor || vcpu.state !== Runstate.Paused) continue;
      hypervisor.detach(vm)();
      vcpu.enter(Runstate.Off, hypervisor.engine.here);
    }
  }
}

const linkedHosts = ({ hosts, links }: Cluster): readonly Host[] =>
  hosts.filter(({ index }) => links.some(({ between }) => between.includes(index)));
