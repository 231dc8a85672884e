import type { Program } from '../../src/guest/workloads/workload.ts';
import {
  type DiskIo,
  type Guest,
  type GuestCpu,
  GuestStop,
} from '../../src/hypervisor/guest-port.ts';
import { type Item, readItem } from '../../src/machine/items.ts';
import type { PageTables } from '../../src/machine/page-tables.ts';

/** Record and replay of a guest, by nothing but its port. */

/** Where a guest stands: items of all its programs handed out, and the next one of the block. */
type Place = string;

type Entry =
  | { readonly kind: 'run' | 'ran' | 'handled'; readonly at: Place; readonly stop?: GuestStop }
  | { readonly kind: 'interrupt'; readonly at: Place; readonly vectors: number }
  | { readonly kind: 'until'; readonly at: Place; readonly over: boolean }
  | { readonly kind: 'call'; readonly at: Place; readonly what: string; readonly answer: number };

/** Listens to programs: every item that they hand out, in the order of the fills. */
export class Listener {
  readonly items: Item[] = [];
  fills = 0;

  heard(program: Program): Program {
    return {
      fork: () => this.heard(program.fork()),
      exec: () => {
        const { regions, programs } = program.exec();
        return { regions, programs: programs.map((inner) => this.heard(inner)) };
      },
      fill: (at, room) => {
        const n = program.fill(at, room);
        this.fills++;
        for (let i = 0; i < n; i++) this.items.push(readItem(at + i));
        return n;
      },
    };
  }
}

/** Table entries by what the guest knows of them: frame of the table, index, flags. */
const slotName = ({ frame }: PageTables, slot: number) => `${frame[slot >> 9]}:${slot & 511}`;

/** The methods of the port without an answer. Their arguments are what the guest does. */
const EFFECTS = [
  ...['invlpg', 'enterKernel', 'leaveKernel', 'endOfInterrupt', 'setTimer', 'acknowledge', 'send'],
  'accessPorts',
] as const;
/** What a replayed guest only seems to do: the original has done it. */
const OUTPUTS: ReadonlySet<string> = new Set([
  'endRequest',
  'setTimer',
  'clearTimer',
  'acknowledge',
  'send',
]);

abstract class Wrapped implements GuestCpu {
  readonly #listener: Listener;
  readonly #tables: PageTables;
  real!: GuestCpu;

  constructor(listener: Listener, tables: PageTables) {
    this.#listener = listener;
    this.#tables = tables;
  }

  /** Between blocks the core is at the item of somebody else. */
  protected inBlock = false;
  protected get at(): Place {
    return this.inBlock ? `${this.#listener.fills}/${this.core.item}` : '';
  }

  protected abstract call(what: string, effect: () => unknown, output: boolean): number;
  abstract readonly until: number;

  #effect(name: (typeof EFFECTS)[number] | 'endRequest' | 'clearTimer', ...args: number[]): void {
    const perform = () => (this.real[name] as (...all: number[]) => void).apply(this.real, args);
    this.call(`${name} ${args}`, perform, OUTPUTS.has(name));
  }

  get core() {
    return this.real.core;
  }
  clock = () => this.call('clock', () => this.real.clock(), true);
  takeRequest = () => this.call('takeRequest', () => this.real.takeRequest(), true);
  takeCompletion = () => this.call('takeCompletion', () => this.real.takeCompletion(), true);
  send = (bytes: number, io: number) => this.#effect('send', bytes, io);
  startIo(request: DiskIo, io: number): void {
    const what = `startIo ${request.bytes} ${request.latency} ${request.write} ${io}`;
    this.call(what, () => this.real.startIo(request, io), true);
  }
  acknowledge = (bytes: number) => this.#effect('acknowledge', bytes);
  loadCr3(root: number): void {
    const perform = () => this.real.loadCr3(root);
    this.call(`loadCr3 ${slotName(this.#tables, root << 9)}`, perform, false);
  }
  storePte(slot: number, entry: number): void {
    const what = `storePte ${slotName(this.#tables, slot)} ${entry & 127}`;
    this.call(what, () => this.real.storePte(slot, entry), false);
  }
  invlpg = (vpn: number) => this.#effect('invlpg', vpn);
  enterKernel = (how: number) => this.#effect('enterKernel', how);
  leaveKernel = (how: number) => this.#effect('leaveKernel', how);
  accessPorts = (count: number) => this.#effect('accessPorts', count);
  endOfInterrupt = (vectors: number) => this.#effect('endOfInterrupt', vectors);
  endRequest = (arrival: number) => this.#effect('endRequest', arrival);
  setTimer = (cycles: number) => this.#effect('setTimer', cycles);
  clearTimer = () => this.#effect('clearTimer');
  loadTagged = (): never => unexpected('loadTagged');
  dropTranslations = (): never => unexpected('dropTranslations');
}

function unexpected(what: string): never {
  throw new Error(`a guest with a kernel called ${what}`);
}

/** Stands between the hypervisor and a guest, and notes everything that passes. */
export class Recorder extends Wrapped implements Guest {
  readonly log: Entry[] = [];
  readonly #guest: Guest;

  constructor(guest: Guest, listener: Listener, tables: PageTables) {
    super(listener, tables);
    this.#guest = guest;
  }

  protected call(what: string, effect: () => unknown): number {
    const at = this.at;
    const answer = Number(effect() ?? 0);
    this.log.push({ kind: 'call', at, what, answer });
    return answer;
  }

  get until(): number {
    const { until } = this.real;
    this.log.push({ kind: 'until', at: this.at, over: this.core.time >= until });
    return until;
  }

  get root(): number {
    return this.#guest.root;
  }

  get steps(): number {
    return this.#guest.steps;
  }

  stopAt(steps: number): void {
    this.#guest.stopAt(steps);
  }

  grantReferences(references: number): void {
    this.#guest.grantReferences(references);
  }

  run(cpu: GuestCpu): GuestStop {
    this.real = cpu;
    this.log.push({ kind: 'run', at: '' });
    this.inBlock = true;
    const stop = this.#guest.run(this);
    this.log.push({ kind: 'ran', at: this.at, stop });
    this.inBlock = false;
    return stop;
  }

  interrupt(cpu: GuestCpu, vectors: number): void {
    this.real = cpu;
    this.log.push({ kind: 'interrupt', at: '', vectors });
    this.#guest.interrupt(this, vectors);
    this.log.push({ kind: 'handled', at: '' });
  }
}

/**
 * Has another guest do what a log says, on whatever hardware: it gets its answers, its interrupts
 * and the ends of its blocks from the log, its time from nobody. Throws where it does anything else
 * than the log has.
 */
export class Replayer extends Wrapped implements Guest {
  readonly #log: readonly Entry[];
  readonly #guest: Guest;
  next = 0;

  constructor(log: readonly Entry[], guest: Guest, listener: Listener, tables: PageTables) {
    super(listener, tables);
    this.#log = log;
    this.#guest = guest;
  }

  protected call(what: string, effect: () => unknown, output: boolean): number {
    while (this.#log[this.next]?.kind === 'until') this.next++;
    const entry = this.#log[this.next++];
    const at = this.at;
    if (entry?.kind !== 'call' || entry.what !== what || entry.at !== at) {
      throw new Error(`${this.next}: ${what} at ${at}, the log has ${JSON.stringify(entry)}`);
    }
    if (!output) effect();
    return entry.answer;
  }

  /** One visit at a time, up to the place where the block ended. */
  get until(): number {
    const at = this.at;
    for (let entry = this.#log[this.next]; entry?.kind === 'until'; entry = this.#log[this.next]) {
      if (entry.over) {
        if (entry.at !== at) break;
        this.next++;
        return Number.NEGATIVE_INFINITY;
      }
      this.next++;
    }
    return this.core.time + 1;
  }

  get root(): number {
    return this.#guest.root;
  }

  get steps(): number {
    return this.#guest.steps;
  }

  stopAt(steps: number): void {
    this.#guest.stopAt(steps);
  }

  grantReferences(): void {}

  /** The hypervisor's own interrupts are not the recorded ones. */
  interrupt(): void {}

  run(cpu: GuestCpu): GuestStop {
    this.real = cpu;
    const begin = this.#log[this.next++];
    if (begin?.kind === 'interrupt') this.#guest.interrupt(this, begin.vectors);
    else if (begin?.kind === 'run') {
      this.inBlock = true;
      const stop = this.#guest.run(this);
      const end = this.#log[this.next];
      if (end?.kind !== 'ran' || end.stop !== stop || end.at !== this.at) {
        throw new Error(`stopped with ${stop} at ${this.at}, the log has ${JSON.stringify(end)}`);
      }
      this.inBlock = false;
    } else if (begin === undefined) return GuestStop.Done;
    else throw new Error(`the log goes on with ${begin.kind}`);
    this.next++;
    return GuestStop.Time;
  }

  get complete(): boolean {
    return this.next >= this.#log.length;
  }
}
