import type { Cycles } from '../../base/ids.ts';
import type { DiskIo, Entry, Guest, GuestCpu, GuestStop } from '../../hypervisor/guest-port.ts';
import type { Core } from '../../machine/core.ts';
import { WatchedGuest } from '../watched-guest.ts';
import { GuestHistory, type Position, Told } from './history.ts';

/**
 * A guest that keeps its history, whoever drives it: hypervisor, recorder or replay. It costs the
 * simulated machine nothing.
 */
export class NotedGuest extends WatchedGuest {
  readonly history = new GuestHistory();
  readonly #port: NotingPort;

  constructor(guest: Guest) {
    super(guest);
    this.#port = new NotingPort(guest, this.history);
  }

  /** Where it stands. Not while it executes. */
  get position(): Position {
    return { steps: this.steps, length: this.history.length };
  }

  override run(cpu: GuestCpu): GuestStop {
    return this.guest.run(this.#port.over(cpu));
  }

  override interrupt(cpu: GuestCpu, vectors: number): void {
    this.history.note(Told.Interrupt, this.steps, vectors);
    this.guest.interrupt(this.#port.over(cpu), vectors);
  }
}

/** Stands between a guest and its port, and notes what the port tells it. */
class NotingPort implements GuestCpu {
  readonly #guest: Guest;
  readonly #history: GuestHistory;
  #port!: GuestCpu;

  constructor(guest: Guest, history: GuestHistory) {
    this.#guest = guest;
    this.#history = history;
  }

  over(port: GuestCpu): this {
    this.#port = port;
    return this;
  }

  #note(kind: Told, value: Cycles): Cycles {
    this.#history.note(kind, this.#guest.steps, value);
    return value;
  }

  get core(): Core {
    return this.#port.core;
  }

  get until(): Cycles {
    return this.#port.until;
  }

  clock(): Cycles {
    return this.#note(Told.Clock, this.#port.clock());
  }

  takeRequest(): Cycles {
    return this.#note(Told.Request, this.#port.takeRequest());
  }

  takeCompletion(): number {
    return this.#note(Told.Completion, this.#port.takeCompletion());
  }

  startIo(request: DiskIo, io: number): void {
    this.#port.startIo(request, io);
  }

  send(bytes: number, io: number): void {
    this.#port.send(bytes, io);
  }

  acknowledge(bytes: number): void {
    this.#port.acknowledge(bytes);
  }

  endRequest(arrival: Cycles): void {
    this.#port.endRequest(arrival);
  }

  loadCr3(root: number): void {
    this.#port.loadCr3(root);
  }

  loadTagged(root: number, space: number): void {
    this.#port.loadTagged(root, space);
  }

  dropTranslations(vpn: number, pages: number): void {
    this.#port.dropTranslations(vpn, pages);
  }

  accessPorts(count: number): void {
    this.#port.accessPorts(count);
  }

  enterKernel(how: Entry): void {
    this.#port.enterKernel(how);
  }

  leaveKernel(how: Entry): void {
    this.#port.leaveKernel(how);
  }

  invlpg(vpn: number): void {
    this.#port.invlpg(vpn);
  }

  storePte(slot: number, entry: number): void {
    this.#port.storePte(slot, entry);
  }

  endOfInterrupt(vectors: number): void {
    this.#port.endOfInterrupt(vectors);
  }

  setTimer(cyclesFromNow: Cycles): void {
    this.#port.setTimer(cyclesFromNow);
  }

  clearTimer(): void {
    this.#port.clearTimer();
  }
}
