import type { Processor } from '../src/machine/processor.ts';
import { lineCauses } from '../src/stats/leaves.ts';

/**
 * The caches of the machine to be read (plain-machine.ts) and the memory below them: the
 * specification of src/machine/caches.ts and what that calls.
 */

/** Takes a thing out of what holds it; false if it was not there. What was used last is in front. */
export function take<T>(things: T[], thing: T): boolean {
  const at = things.indexOf(thing);
  if (at >= 0) things.splice(at, 1);
  return at >= 0;
}
/** Puts a thing in front. If there are more than `ways` of its set then, the last goes. */
export function put<T>(
  things: T[],
  thing: T,
  ways: number,
  isInSet = (_: T) => true,
): T | undefined {
  take(things, thing);
  things.unshift(thing);
  const set = things.filter(isInSet);
  if (set.length <= ways) return undefined;
  take(things, set.at(-1)!);
  return set.at(-1);
}

export interface Host {
  readonly processor: Processor;
  ownerOf(frame: number): number; // a VM
  nodeOf(frame: number): number;
  latency(core: number, frame: number): number; // of memory
}

type CacheName = 'l1i' | 'l1d' | 'l2' | 'l3';
/** Known by its number: `frame * 64` and on. Dirty: memory does not know yet what it says. */
type Line = { readonly number: number; readonly dirty: boolean };
const frameOf = ({ number }: Line) => Math.floor(number / 64);
/** Where a line was, how long that takes, and how long it had to wait for its turn before. */
const found = (
  level: 'l1_hits' | 'l2_hits' | 'l3_hits' | 'dram',
  cycles: number,
  dirty: boolean,
) => ({ level, cycles, dirty, why: 0, waits: 0 });
type FoundLine = ReturnType<typeof found>;

/** What the caches have to know of a core. */
interface User {
  readonly id: number;
  readonly now: number;
  readonly context: { readonly vm: number };
  count(name: string, n?: number): void;
}

/** The caches of all cores, and the memory below them. */
export class Machine {
  readonly host: Host;
  /** By cache and set: the lines held. By line: why a core will not find it (`lineCauses`). */
  readonly #lines: Record<string, Line[]> = {};
  readonly #why = new Map<number, number>();
  /** Lines that went over the channels of a node, by node and piece of 1024 cycles. */
  readonly #transfers: Record<string, number> = {};
  constructor(host: Host) {
    this.host = host;
  }

  #set(cache: CacheName, core: number, number: number): Line[] {
    const { caches, coresPerDie } = this.host.processor;
    const { l1i, l2 } = caches;
    const sharers = { l1i: l1i.sharedByCores, l1d: 1, l2: l2.sharedByCores, l3: coresPerDie };
    const set = number % (caches[cache].size / 64 / caches[cache].ways);
    return (this.#lines[`${cache} ${Math.floor(core / sharers[cache])} ${set}`] ??= []);
  }
  #has(cache: CacheName, core: number, number: number): boolean {
    return this.#set(cache, core, number).some((line) => line.number === number);
  }
  #take(cache: CacheName, core: number, number: number): Line | undefined {
    const set = this.#set(cache, core, number);
    const line = set.find((one) => one.number === number);
    if (line) take(set, line);
    return line;
  }
  /** Returns what has to go for it. */
  #put(cache: CacheName, core: number, { number, dirty }: Line): Line | undefined {
    const same = this.#take(cache, core, number);
    const line = { number, dirty: dirty || same?.dirty === true };
    return put(this.#set(cache, core, number), line, this.host.processor.caches[cache].ways);
  }

  /** The L3 takes what the L2 evicts. What leaves the last cache dirty is written to memory. */
  #putInL2(core: User, line: Line): void {
    const evicted = this.#put('l2', core.id, line);
    if (!evicted) return;
    const isOwn = this.host.ownerOf(frameOf(evicted)) === core.context.vm;
    this.#why.set(evicted.number, lineCauses.indexOf(isOwn ? 'capacity' : 'interference'));
    const hasL3 = this.host.processor.caches.l3.size > 0;
    const last = hasL3 ? this.#put('l3', core.id, evicted) : evicted;
    if (!last?.dirty) return;
    core.count('write_backs');
    this.transfer(frameOf(last), core.now);
  }

  /** A line goes over the channels of its node when they have room. Says how long it waits. */
  transfer(frame: number, now: number): number {
    let piece = Math.floor(now / 1024);
    const room = Math.floor(1024 / this.host.processor.memory.lineCycles);
    const at = () => `${this.host.nodeOf(frame)} ${piece}`;
    while ((this.#transfers[at()] ?? 0) === room) piece++;
    this.#transfers[at()] = (this.#transfers[at()] ?? 0) + 1;
    return Math.max(0, piece * 1024 - now);
  }

  /** From below the L2, and out of there. */
  #below({ id, now }: User, number: number): FoundLine {
    const { l3 } = this.host.processor.caches;
    const frame = Math.floor(number / 64);
    const why = this.#why.get(number) ?? lineCauses.indexOf('cold');
    // Who misses it later although nobody has evicted it finds it held by another core.
    this.#why.set(number, lineCauses.indexOf('migration'));
    const line = this.#take('l3', id, number);
    if (line) return { ...found('l3_hits', l3.hitCycles, line.dirty), why };
    const waits = this.transfer(frame, now);
    return { ...found('dram', this.host.latency(id, frame), false), why, waits };
  }

  /** A fetch, load or store looks in an L1. */
  access(core: User, side: 'i' | 'd', frame: number, line: number, store: boolean): FoundLine {
    const { l1d, l2 } = this.host.processor.caches;
    const [l1, other] = side === 'i' ? (['l1i', 'l1d'] as const) : (['l1d', 'l1i'] as const);
    const number = frame * 64 + line;
    const held = this.#take(l1, core.id, number);
    const from = held
      ? found('l1_hits', l1d.hitCycles, held.dirty)
      : this.#toL1(core, other, number);
    const evicted = this.#put(l1, core.id, { number, dirty: from.dirty || store });
    if (evicted && (l2.exclusive || evicted.dirty)) this.#putInL2(core, evicted);
    return from;
  }

  /** An exclusive L2 gives its line away, as the other L1 does. Any other keeps it for the L1. */
  #toL1(core: User, other: CacheName, number: number): FoundLine {
    const { l2 } = this.host.processor.caches;
    if (!l2.exclusive) return { ...this.#throughL2(core, number), dirty: false };
    const line = this.#take('l2', core.id, number) ?? this.#take(other, core.id, number);
    return line ? found('l2_hits', l2.hitCycles, line.dirty) : this.#below(core, number);
  }
  #throughL2(core: User, number: number): FoundLine {
    const { l2 } = this.host.processor.caches;
    const line = this.#take('l2', core.id, number);
    const from = line ? found('l2_hits', l2.hitCycles, line.dirty) : this.#below(core, number);
    this.#putInL2(core, { number, dirty: from.dirty });
    return from;
  }

  /** A walk reads a line of a table: in the L1, or in the L2, which asks the L1s. */
  read(core: User, frame: number, line: number): FoundLine {
    const { caches, walk } = this.host.processor;
    if (walk.reads === 'l1') return this.access(core, 'd', frame, line, false);
    const number = frame * 64 + line;
    const inL1 = (['l1d', 'l1i'] as const).some((l1) => this.#has(l1, core.id, number));
    if (inL1 && !this.#has('l2', core.id, number))
      return found('l1_hits', caches.l2.hitCycles, false);
    return this.#throughL2(core, number);
  }

  /** Stores that are combined clear a page past the caches. Returns the cycles. */
  clear(core: User, frame: number): number {
    const CYCLES = 8; // of a line
    let cycles = 0;
    for (let line = 0; line < 64; line++) {
      const number = frame * 64 + line;
      for (const cache of ['l1d', 'l1i', 'l2', 'l3'] as const) this.#take(cache, core.id, number);
      this.#why.delete(number);
      cycles = Math.max(cycles, CYCLES * line);
      cycles += this.transfer(frame, core.now + cycles);
    }
    core.count('cleared_lines', 64);
    return Math.max(cycles, CYCLES * 64);
  }
}
