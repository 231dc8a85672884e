import type { Arbiter } from '../../src/cluster/fault-tolerance/arbiter.ts';
import type { GenerationsDeps } from '../../src/cluster/fault-tolerance/generations.ts';
import { EntryKind, entryBytes } from '../../src/cluster/fault-tolerance/log-entry.ts';
import type { Wire } from '../../src/cluster/fault-tolerance/messages.ts';
import { Pair, type PairState } from '../../src/cluster/fault-tolerance/pair.ts';
import { recordReplayParams } from '../../src/cluster/fault-tolerance/params.ts';
import type { PrimarySide } from '../../src/cluster/fault-tolerance/primary-side.ts';
import type { Replica } from '../../src/cluster/fault-tolerance/replica.ts';
import type { SecondarySide } from '../../src/cluster/fault-tolerance/secondary-side.ts';
import { SharedDisk } from '../../src/cluster/fault-tolerance/shared-disk.ts';
import { Timers } from '../../src/cluster/fault-tolerance/timers.ts';
import { Engine } from '../../src/engine/engine.ts';

/**
 * Hosts, links, a shared disk and a guest of which nothing is modelled but what a protocol can get
 * wrong: it executes steps, takes inputs, reads a clock, sends packets and writes to the disk, and
 * what it does next depends on everything that it has done and been told before. One unit of time
 * is a microsecond.
 */
export const HOSTS = ['a', 'b', 'c'] as const;
export type HostName = (typeof HOSTS)[number];

/** 32 bits that depend on all that went in before. */
export const mix = (state: number, word: number) => {
  const x = Math.imul(state ^ word, 0x9e3779b1);
  return (x ^ (x >>> 15)) >>> 0;
};

/** What a guest is at a point of its program. */
export interface Program {
  point: number;
  hash: number;
  packets: number;
  writes: number;
  /** Writes that the guest has issued and has not been told to be done. */
  open: number[];
}

const SIZES = recordReplayParams.parse({}).log;

/** Execution time of a step at full speed. */
export const STEP = 20_000;

export interface Packet {
  readonly number: number;
  readonly value: number;
  readonly by: ModelGuest;
  readonly at: number;
}

export interface WorldOptions {
  /** Settings of the pair, as in a scenario. */
  readonly params?: object;
  readonly bitsPerMicrosecond?: number;
  readonly latency?: number;
  /** Speed of host b's guest, as a share of the other's. */
  readonly secondarySpeed?: number;
  /** A lost secondary is replaced without being asked for. */
  readonly renew?: boolean;
}

/** A guest as far as every way of protecting it has one. */
export interface ModelGuest {
  readonly host: string;
  readonly role: 'primary' | 'secondary' | 'alone' | 'halted';
  readonly program: Program;
  halt(): void;
}

/** Hosts, links, a disk, and what the world outside has seen. */
export abstract class BaseWorld {
  readonly engine = new Engine(1);
  readonly timers = new Timers(this.engine);
  readonly alive = new Set<string>(HOSTS);
  readonly links = new Map<string, ModelLink>();
  readonly disk = new SharedDisk(this.timers, 2000);
  /** What the world outside has seen, in order. */
  readonly packets: Packet[] = [];
  readonly written = new Map<number, number>();
  readonly states: { state: PairState; now: number }[] = [];
  /** Inputs that wait for whoever is the primary. */
  readonly inputs: number[] = [];
  readonly broken: string[] = [];
  protected readonly options: WorldOptions;
  abstract readonly guests: readonly ModelGuest[];
  abstract readonly pair: {
    readonly state: PairState;
    readonly generation: number;
    beginCloning(now: number): void;
    endCloning(now: number): void;
    hostLost(host: string, now: number): void;
  };

  constructor(options: WorldOptions = {}) {
    this.options = options;
  }

  protected get deps(): GenerationsDeps {
    return {
      timers: this.timers,
      toCycles: (picoseconds) => Math.round(picoseconds / 1e6),
      wire: (from, to) => this.link(from, to).from(from),
      work: () => ({ post: (_cycles, done) => void this.timers.at(this.now + 1, done) }),
      arbiter: () => ({
        testAndSet: (generation, side, now, answer) => this.ask(generation, side, now, answer),
      }),
      onState: (state, now) => {
        this.states.push({ state, now });
        const again = this.options.renew && state === 'alone';
        if (again) this.timers.at(now, (at) => this.cloneAnew(at));
      },
    };
  }

  get now(): number {
    return this.engine.now;
  }

  ask(...request: Parameters<Arbiter['testAndSet']>): void {
    this.disk.testAndSet(...request);
  }

  link(from: string, to: string): ModelLink {
    const name = [from, to].sort().join('-');
    const known = this.links.get(name);
    if (known) return known;
    const { bitsPerMicrosecond = 1000, latency = 50 } = this.options;
    const link = new ModelLink(this, bitsPerMicrosecond / 8, latency);
    this.links.set(name, link);
    return link;
  }

  /** Two guests from the same begin. */
  abstract powerOn(): void;

  /** A new secondary for whoever runs alone, if there is one and a host for it. */
  cloneAnew(now: number): void {
    const primary = this.guests.find(({ role }) => role === 'alone');
    const host = HOSTS.find((name) => this.alive.has(name) && name !== primary?.host);
    if (!primary || !host || this.pair.state !== 'alone') return;
    this.pair.beginCloning(now);
    this.timers.at(now + 300_000, (at) => {
      if (primary.role !== 'alone' || !this.alive.has(host)) this.pair.endCloning(at);
      else this.cloned(primary, host, at);
    });
  }

  /** A copy of a guest that runs alone has come to a host, its last 100,000 bytes excepted. */
  protected abstract cloned(primary: ModelGuest, host: HostName, now: number): void;

  hostLost(name: string, now: number): void {
    if (!this.alive.delete(name)) return;
    this.pair.hostLost(name, now);
    for (const guest of this.guests) if (guest.host === name) guest.halt();
  }

  heal(): void {
    for (const link of this.links.values()) link.cut = false;
    this.disk.restoreAll();
  }

  /** The disk writes, unless its word says that another goes on; `told` follows, for the guest. */
  perform(write: number, by: ModelGuest, told: () => void): void {
    if (this.disk.fences(this.pair.generation, by.host)) return;
    this.written.set(write, (this.written.get(write) ?? 0) + 1);
    this.timers.at(this.now + 5000, () => {
      if (by.role === 'halted' || by.role === 'secondary') return;
      if (by.program.open.includes(write)) told();
    });
  }

  /** Something is seen outside that only a primary whose word is the arbiter's may say alone. */
  checkAlone(side: { readonly state: string; readonly name: string }, current: boolean): void {
    const { disk, pair } = this;
    if (side.state === 'alone' && current && disk.word(pair.generation) !== side.name) {
      this.violated('law 1: alone without the arbiter');
    }
  }

  /** Law 3 at the moment of failover. */
  checkSeen({ packets: sent }: Program): void {
    const seen = this.packets.reduce((most, { number }) => Math.max(most, number), -1);
    if (sent <= seen) {
      this.violated(`law 3: packet ${seen} was seen, the survivor has sent ${sent}`);
    }
  }

  /** A law that does not hold. */
  violated(law: string): void {
    this.broken.push(`${this.now}: ${law}`);
  }
}

/** A world whose guest is protected by record and replay. */
export class World extends BaseWorld {
  readonly pair: Pair;
  readonly guests: GuestModel[] = [];

  constructor(options: WorldOptions = {}) {
    super(options);
    this.pair = new Pair({ ...this.deps, params: recordReplayParams.parse(options.params ?? {}) });
  }

  powerOn(): void {
    const primary = new GuestModel(this, 'a', 1);
    const secondary = new GuestModel(this, 'b', this.options.secondarySpeed ?? 1);
    this.pair.protect({ host: 'a', replica: primary }, { host: 'b', replica: secondary }, 0, 0);
    primary.record(this.pair.primary!);
    secondary.replay(() => this.pair.secondary!);
    primary.go();
  }

  protected cloned(primary: GuestModel, host: HostName, at: number): void {
    const clone = new GuestModel(this, host, 1, primary);
    const ends = [
      { host: primary.host, replica: primary },
      { host, replica: clone },
    ] as const;
    const generation = this.pair.generation + 1;
    this.pair.protect(...ends, primary.executed, at, 100_000);
    primary.record(this.pair.primary!);
    clone.replay(() => (this.pair.generation === generation ? this.pair.secondary : clone.side));
  }
}

/** A link whose wires carry one message after the other. */
export class ModelLink {
  readonly #world: BaseWorld;
  readonly #bytesPerMicrosecond: number;
  readonly #latency: number;
  readonly #busy = new Map<string, number>();
  #cut = false;
  /** Counts cuts: what is on the wire then is lost. */
  #age = 0;
  bytes = 0;

  constructor(world: BaseWorld, bytesPerMicrosecond: number, latency: number) {
    this.#world = world;
    this.#bytesPerMicrosecond = bytesPerMicrosecond;
    this.#latency = latency;
  }

  get cut(): boolean {
    return this.#cut;
  }

  set cut(cut: boolean) {
    if (cut) this.#age++;
    this.#cut = cut;
  }

  from(host: string): Wire {
    return {
      send: (bytes, now, arrive) => {
        if (!this.#world.alive.has(host)) return;
        const begin = Math.max(now, this.#busy.get(host) ?? 0);
        const end = begin + bytes / this.#bytesPerMicrosecond;
        this.#busy.set(host, end);
        this.bytes += bytes;
        if (this.#cut) return;
        const age = this.#age;
        this.#world.timers.at(end + this.#latency, (at) => {
          if (age === this.#age) arrive(at);
        });
      },
    };
  }
}

/** The guest on one host: as a primary, as a secondary, alone. */
export class GuestModel implements ModelGuest, Replica {
  readonly host: string;
  readonly #world: World;
  readonly #speed: number;
  readonly program: Program;
  /** Hash after each point, for those who repeat it. */
  history: Map<number, number>;
  role: 'primary' | 'secondary' | 'alone' | 'halted' = 'halted';
  #primary: PrimarySide | null = null;
  #secondary: () => SecondarySide | null = () => null;
  #stalled = false;
  #limit = 1;
  #busy = false;
  /** Writes that are done and of which the guest has not been told. */
  #done: number[] = [];
  executed = 0;
  stalls = 0;
  #frozen = false;
  /** Points at which the log told something. */
  readonly eventPoints: number[] = [];

  constructor(world: World, host: string, speed: number, from?: GuestModel) {
    this.#world = world;
    this.host = host;
    this.#speed = speed;
    this.program = from
      ? { ...from.program, open: [...from.program.open] }
      : { point: 0, hash: 1, packets: 0, writes: 0, open: [] };
    this.history = from?.history ?? world.guests[0]?.history ?? new Map();
    this.executed = from?.executed ?? 0;
    world.guests.push(this);
  }

  get side(): SecondarySide | null {
    return this.#secondary();
  }

  record(side: PrimarySide): void {
    this.#primary = side;
    this.role = 'primary';
  }

  replay(side: () => SecondarySide | null): void {
    this.#secondary = side;
    this.role = 'secondary';
  }

  // What the protocol says.

  stall(): void {
    this.stalls++;
    this.#stalled = true;
  }

  go(): void {
    this.#stalled = false;
    this.#next(this.#world.now);
  }

  limit(share: number): void {
    this.#limit = share;
  }

  goLive(now: number): void {
    const { program } = this;
    this.role = 'alone';
    this.history = new Map(this.history); // the other side may go on for a while
    this.#checkLive();
    for (const write of program.open) this.#perform(write);
    this.#next(now);
  }

  halt(): void {
    this.role = 'halted';
  }

  /** It executes nothing any more, for a reason that its host does not notice. */
  freeze(): void {
    this.#frozen = true;
  }

  // Execution.

  /** Executes the next step when its time has come. */
  #next(now: number): void {
    if (this.#busy || this.#stalled || this.#frozen || this.role === 'halted') return;
    if (this.role === 'secondary' && !this.#mayExecute(now)) return;
    this.#busy = true;
    const speed = this.role === 'primary' ? this.#limit : this.role === 'alone' ? 1 : this.#speed;
    this.#world.timers.at(now + STEP / speed, (at) => {
      this.#busy = false;
      if (this.role === 'halted') return;
      // What it was doing when it became the primary is done.
      this.#step(at);
      this.#next(at);
    });
  }

  /** Takes all entries of this point; true: there is one at a later point. */
  #mayExecute(now: number): boolean {
    const side = this.#secondary();
    for (;;) {
      const entry = side?.next();
      if (!side || !entry) return false;
      if (entry.point > this.program.point) return true;
      if (entry.point < this.program.point) this.#world.violated('law 5: an entry was passed');
      side.consume(now);
      if (entry.kind !== EntryKind.Output) this.#deliver(entry.kind, entry.value);
      if ((this.role as string) !== 'secondary') return true;
    }
  }

  #step(now: number): void {
    const { program } = this;
    program.point++;
    this.executed += STEP;
    program.hash = mix(program.hash, program.point);
    const before = this.history.get(program.point);
    if (this.role === 'secondary') {
      if (before !== program.hash) {
        this.#world.violated(`law 5: another state at ${program.point}`);
      }
    } else this.history.set(program.point, program.hash);
    const { hash } = program;
    if (this.role === 'primary' && !this.#primary!.recording) this.role = 'alone';
    if ((hash & 7) === 0) this.#send(now);
    if ((hash & 120) === 0) this.#write(now);
    if ((hash & 0x380) === 0 && this.role !== 'secondary') {
      this.#told(EntryKind.Clock, now, 0, now);
    }
    if (this.role === 'secondary') return;
    for (const write of this.#done.splice(0)) this.#told(EntryKind.Device, write, 0, now);
    while (this.#world.inputs.length > 0) {
      const [bytes] = this.#world.inputs.splice(0, 1);
      this.#told(EntryKind.Packets, mix(bytes!, now), bytes!, now);
    }
  }

  /** The guest is told something: the log first. */
  #told(kind: EntryKind, value: number, payload: number, now: number): void {
    if (this.role === 'primary') this.#primary!.record(this.#event(kind, value, payload), now);
    this.#deliver(kind, value);
  }

  #deliver(kind: EntryKind, value: number): void {
    const { program } = this;
    program.hash = mix(program.hash, mix(kind, value));
    if (kind === EntryKind.Device) program.open = program.open.filter((write) => write !== value);
  }

  #event(kind: EntryKind, value: number, payload: number) {
    this.eventPoints.push(this.program.point);
    const bytes = entryBytes(SIZES, kind, 1, payload);
    return { point: this.program.point, kind, value, bytes, stamp: this.executed };
  }

  #send(now: number): void {
    const { program } = this;
    const number = program.packets++;
    const value = program.hash;
    this.#output(number, now, (at) => {
      this.#world.packets.push({ number, value, by: this, at });
    });
  }

  #write(now: number): void {
    const { program } = this;
    const write = program.writes++;
    program.open.push(write);
    this.#output(write, now, () => this.#perform(write));
  }

  #output(number: number, now: number, release: (now: number) => void): void {
    if (this.role === 'secondary') return;
    if (this.role === 'alone') {
      release(now);
      return;
    }
    const side = this.#primary!;
    const { pair } = this.#world;
    const event = this.#event(EntryKind.Output, number, 0);
    const secondary = () => (pair.primary === side ? pair.secondary : null);
    let sequence = 0; // of its entry, once it is held
    side.output(event, now, (at) => {
      this.#world.checkAlone(side, pair.primary === side);
      if (side.state === 'alone') {
        // Nobody else has to know of it.
      } else if ((secondary()?.taken ?? Infinity) < (sequence || side.sequence)) {
        this.#world.violated(`law 1: output ${number} without an acknowledged marker`);
      }
      // An acknowledgement may have been on its way for long: what it lets out, the other side has.
      const other = this.#world.guests.find((one) => one !== this && one.role === 'alone');
      if (other && (other.side?.replayed ?? 0) < (sequence || side.sequence)) {
        this.#world.violated('law 4: two speak');
      }
      release(at);
    });
    sequence = side.sequence;
  }

  #perform(write: number): void {
    this.#world.perform(write, this, () => this.#done.push(write));
  }

  /** Laws 2 and 3 at the moment of failover. */
  #checkLive(): void {
    const { program } = this;
    const side = this.#secondary()!;
    const { pair } = this.#world;
    const heard = pair.primary!.acknowledged;
    if (side.replayed < heard || side.next()) {
      this.#world.violated(`law 2: acknowledged ${heard}, replayed ${side.replayed}`);
    }
    this.#world.checkSeen(program);
  }
}
