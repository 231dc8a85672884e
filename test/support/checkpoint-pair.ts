import type {
  Captured,
  Checkpoint,
  Standby,
} from '../../src/cluster/fault-tolerance/checkpoint/checkpoint.ts';
import { CheckpointPair } from '../../src/cluster/fault-tolerance/checkpoint/pair.ts';
import { checkpointParams } from '../../src/cluster/fault-tolerance/checkpoint/params.ts';
import type {
  CheckpointPrimary,
  Completed,
} from '../../src/cluster/fault-tolerance/checkpoint/primary.ts';
import {
  BaseWorld,
  type HostName,
  type ModelGuest,
  mix,
  type Program,
  type WorldOptions,
} from './abstract-pair.ts';

/** Execution time of a step. */
const STEP = 10_000;
/** A checkpoint stops the guest for so long, and so long more for each page. */
const STOP = 300;
const PER_PAGE = 2;

const copyOf = (program: Program): Program => ({ ...program, open: [...program.open] });

/** A world whose guest is protected by checkpoints. One unit of time is a microsecond. */
export class CheckpointWorld extends BaseWorld {
  readonly pair: CheckpointPair<Program>;
  readonly guests: CheckpointedGuest[] = [];
  readonly completed: (Completed & { readonly at: number })[] = [];
  /** Of outputs that have left: how long they waited. */
  readonly waits: number[] = [];
  /** Primaries whose secondary has gone live, and from which epoch. */
  readonly wentLive = new Map<CheckpointPrimary<Program> | null, number>();
  /** Hash of whoever was the primary after each point, each time that the point was reached. */
  readonly history = new Map<number, Set<number>>();

  constructor(options: WorldOptions = {}) {
    super(options);
    const params = checkpointParams.parse(options.params ?? {});
    this.pair = new CheckpointPair<Program>({
      ...this.deps,
      params,
      onCompleted: (completed, at) => this.completed.push({ ...completed, at }),
    });
  }

  powerOn(): void {
    const primary = new CheckpointedGuest(this, 'a');
    this.#protect(primary, new CheckpointedGuest(this, 'b'), 0);
    primary.start();
  }

  protected cloned(primary: CheckpointedGuest, host: HostName, now: number): void {
    this.#protect(primary, new CheckpointedGuest(this, host), now, 100_000);
  }

  #protect(
    primary: CheckpointedGuest,
    secondary: CheckpointedGuest,
    now: number,
    bytes?: number,
  ): void {
    const first: Checkpoint<Program> = {
      ...{ epoch: 0, stamp: primary.executedAt(), pages: 0, bytes: 0, pause: 0 },
      image: copyOf(primary.program),
    };
    const ends = [
      { host: primary.host, guest: primary },
      { host: secondary.host, guest: secondary },
    ] as const;
    this.pair.protect(...ends, first, now, bytes);
    primary.side = this.pair.primary;
    primary.role = 'primary';
    secondary.role = 'secondary';
  }
}

/** A guest that is stopped and copied, or waits to be what was copied. */
export class CheckpointedGuest implements Captured<Program>, ModelGuest, Standby<Program> {
  readonly host: string;
  readonly #world: CheckpointWorld;
  program: Program = { point: 0, hash: 1, packets: 0, writes: 0, open: [] };
  role: ModelGuest['role'] = 'halted';
  side: CheckpointPrimary<Program> | null = null;
  #executed = 0;
  #held = false;
  #busy = false;
  #capturing: (() => void) | null = null;
  #done: number[] = [];

  constructor(world: CheckpointWorld, host: string) {
    this.#world = world;
    this.host = host;
    world.guests.push(this);
  }

  // What the protocol says.

  executedAt(): number {
    return this.#executed;
  }

  /** It stops between two steps. */
  capture(taken: Parameters<Captured<Program>['capture']>[0]): void {
    this.#capturing = () => {
      this.#held = true;
      const image = copyOf(this.program);
      const stamp = this.#executed;
      const pages = this.program.hash % 1000;
      const pause = STOP + pages * PER_PAGE;
      this.#world.timers.at(this.#world.now + pause, (now) => {
        if (this.role === 'halted') return;
        this.#held = false;
        taken({ stamp, pages, bytes: pages * 4104 + 12_288, pause, image }, now);
        this.#next();
      });
    };
    if (!this.#busy) this.#stop();
  }

  #stop(): void {
    const capture = this.#capturing;
    this.#capturing = null;
    capture?.();
  }

  alone(): void {
    this.role = 'alone';
  }

  commit(): void {}

  goLive({ epoch, image, stamp }: Checkpoint<Program>): void {
    const world = this.#world;
    const { primary } = world.pair;
    this.program = copyOf(image);
    this.#executed = stamp;
    this.role = 'alone';
    if (epoch < (primary?.releasedEpoch ?? 0)) {
      world.violated(`law 2: ${primary!.releasedEpoch} was acknowledged, it goes on from ${epoch}`);
    }
    world.wentLive.set(primary, epoch);
    const { hash, point } = image;
    if (point > 0 && !world.history.get(point)?.has(hash)) {
      world.violated(`law 5: another state at ${point}`);
    }
    world.checkSeen(this.program);
    for (const write of this.program.open) this.#perform(write);
    this.start();
  }

  halt(): void {
    this.role = 'halted';
  }

  // Execution.

  start(): void {
    this.#next();
  }

  #next(): void {
    if (this.#busy || this.#held || this.role === 'halted') return;
    this.#busy = true;
    this.#world.timers.at(this.#world.now + STEP, (now) => {
      this.#busy = false;
      if (this.role === 'halted') return;
      this.#step(now);
      if (this.#capturing) this.#stop();
      this.#next();
    });
  }

  #step(now: number): void {
    const { program } = this;
    const { history, inputs } = this.#world;
    program.point++;
    this.#executed += STEP;
    for (const write of this.#done.splice(0)) {
      program.open = program.open.filter((other) => other !== write);
      program.hash = mix(program.hash, write);
    }
    for (const bytes of inputs.splice(0)) program.hash = mix(program.hash, mix(bytes, now));
    program.hash = mix(program.hash, program.point);
    const hashes = history.get(program.point) ?? new Set();
    history.set(program.point, hashes.add(program.hash));
    if ((program.hash & 7) === 0) this.#send(now);
    if ((program.hash & 120) === 0) this.#write(now);
  }

  #send(now: number): void {
    const number = this.program.packets++;
    const value = this.program.hash;
    this.#output(`packet ${number}`, now, (at) => {
      this.#world.packets.push({ number, value, by: this, at });
    });
  }

  #write(now: number): void {
    const write = this.program.writes++;
    this.program.open.push(write);
    this.#output(`write ${write}`, now, () => this.#perform(write));
  }

  #output(what: string, now: number, release: (now: number) => void): void {
    const { side } = this;
    if (!side || this.role === 'alone') {
      release(now);
      return;
    }
    const world = this.#world;
    const { pair } = world;
    const { epoch } = side;
    side.output(now, (at) => {
      const current = pair.primary === side;
      world.checkAlone(side, current);
      if (side.state !== 'alone') {
        world.waits.push(at - now);
        const there = current ? (pair.secondary?.committed.epoch ?? Infinity) : Infinity;
        if (there < epoch) world.violated(`law 1: output ${what} before its checkpoint`);
      }
      if ((world.wentLive.get(side) ?? Infinity) < epoch) world.violated('law 4: two speak');
      release(at);
    });
  }

  #perform(write: number): void {
    this.#world.perform(write, this, () => this.#done.push(write));
  }
}
