import { Leaf } from '../../stats/leaves.ts';
import type { Core } from '../core.ts';
import { K } from '../counters.ts';
import { heap } from '../heap.ts';
import { type Accounts, CYCLES } from './cells.ts';
import { ageEnd, circumstancesOf, entryOf, flushEnd, flushOf } from './circumstances.ts';
import { COPIES, type Learned, Phase } from './learned.ts';
import { type Left, MOST, never } from './left.ts';
import { LEAF_SLOTS, placesOf, SLOTS } from './slots.ts';
import type { Stretch } from './stretch.ts';
import type { LearnedWork, PathWork } from './work.ts';

/** Less than others do in an interrupt: a VM that comes back after it finds all as it was. */
const UNDISTURBED = 3000;
/** Units of a tail, or a copy, that tell what others cost. */
const ENOUGH = 500;

/** Of a total, what lies between two shares of it; neighbouring parts add up. */
const part = (total: number, from: number, to: number): number =>
  Math.floor(total * to) - Math.floor(total * from);

/**
 * HOT. The circumstances of a core, and what work costs in them: learned while it is done in
 * detail, paid when it is skipped.
 */
export class LearnedCore implements Accounts, LearnedWork {
  readonly all: Learned;
  readonly heap = heap;
  readonly places: Int32Array;
  readonly before = new Int32Array(SLOTS);
  readonly #core: Core;
  /** Fractions of cycles and counts that are not paid yet. */
  readonly #carry = new Float64Array(SLOTS);
  #hostCarry = 0;
  readonly #left: (Left | undefined)[] = [];
  /** Cycles that the core was not idle, until the last change of who has it. */
  #busy = 0;
  #group = 0;
  /** The vCPU that has the core. */
  #own: Left = never();
  #entry = 0;
  #age = 0;
  /** Instructions of the process that runs, since it began. */
  #process = MOST;
  #sinceFlush = 0;
  #flushes = 0;
  /** Under which the piece under way has begun. */
  #circumstances = 0;
  /** The present ones, and for how many instructions they stay so. */
  #present = 0;
  #lasts = 0;
  /** Instructions of guests on this core; at the last step of the host; class of that series. */
  #instructions = 0;
  #hostAt = 0;
  #hostSeries = 0;
  #hostVm = -2;
  /** By step: instructions when it was taken last. */
  readonly #steps = new Float64Array(64).fill(-MOST);

  constructor(all: Learned, core: Core) {
    this.all = all;
    this.#core = core;
    this.places = placesOf(core);
  }

  get skipping(): boolean {
    return this.all.phase === Phase.Skip;
  }

  /** A vCPU takes the core. */
  takeUp(vcpu: number): void {
    const { all } = this;
    const { id } = this.#core;
    const last = all.lastCore[vcpu]!;
    const moved = last >= 0 && last !== id;
    all.lastCore[vcpu] = id;
    this.#group = all.groupOf[vcpu]!;
    const left = this.#left[vcpu];
    const away = left ? this.#busy - left.at : Infinity;
    this.#own = this.#left[vcpu] ??= never();
    this.#flushes = this.#core.flushes;
    this.#lasts = 0;
    this.#sinceFlush = left && !moved ? left.sinceFlush : 0;
    if (left && !moved && away < UNDISTURBED) {
      this.#age = left.age;
      this.#entry = left.entry;
    } else {
      this.#age = 0;
      this.#entry = entryOf(away, moved);
    }
  }

  /** A vCPU, or a task of the host (-1), leaves the core after so many cycles on it. */
  leave(vcpu: number, ran: number): void {
    this.#busy += ran;
    if (vcpu < 0) return;
    const left = this.#own;
    left.at = this.#busy;
    left.age = this.#age;
    left.entry = this.#entry;
    left.sinceFlush = this.#sinceFlush;
  }

  /** A process runs that has executed so many instructions. */
  switchTo(executed: number): void {
    this.#process = Math.min(MOST, executed);
    this.#lasts = 0;
  }

  /** A piece of a guest's work begins. */
  begin(): void {
    this.#now();
    this.#note();
  }

  beginPath(path: number): void {
    this.#circumstances = this.#forPath(path);
    this.#note();
  }

  #note(): void {
    if (this.all.phase !== Phase.Count) return;
    const { before, places } = this;
    const h = heap;
    for (let slot = 0; slot < SLOTS; slot++) before[slot] = h[places[slot]!]!;
  }

  /**
   * Of a path of the kernel, which is there still if it ran not long ago, whichever process it was
   * for.
   */
  #forPath(path: number): number {
    const own = this.#own;
    const since = own.instructions - own.paths[path]!;
    own.paths[path] = own.instructions;
    return circumstancesOf(this.#entry, this.#age, Math.min(MOST, since));
  }

  #now(): number {
    const { flushes } = this.#core;
    if (flushes !== this.#flushes) {
      this.#flushes = flushes;
      this.#sinceFlush = 0;
      this.#lasts = 0;
    }
    if (this.#lasts <= 0) {
      const age = Math.min(this.#age, this.#process);
      const since = this.#sinceFlush;
      this.#present = circumstancesOf(this.#entry, age, since);
      this.#lasts = Math.min(ageEnd(age) - age, flushEnd(since) - since, MOST);
    }
    return this.#present;
  }

  #advance(instructions: number): void {
    this.#age = Math.min(MOST, this.#age + instructions);
    this.#sinceFlush = Math.min(MOST, this.#sinceFlush + instructions);
    this.#process = Math.min(MOST, this.#process + instructions);
    this.#instructions += instructions;
    this.#own.instructions += instructions;
    this.#lasts -= instructions;
  }

  /** Of a piece that has just ended: prices fall with the age, and pieces are long. */
  #inTheMiddle(instructions: number): number {
    const half = instructions / 2;
    const age = Math.min(this.#age, this.#process) + half;
    return circumstancesOf(this.#entry, age, this.#sinceFlush + half);
  }

  /** It was a visit that has faulted before: what skips comes to it, too. */
  pass(instructions: number): void {
    this.#advance(instructions);
  }

  /** It was visits of a program. */
  endVisits(mix: number, instructions: number): void {
    const { all } = this;
    if (all.phase === Phase.Count && instructions > 0) {
      const { cells } = all;
      const at = this.#inTheMiddle(instructions);
      cells.add(cells.cellOf(all.userKind(this.#group, mix), at), instructions, this);
      cells.add(cells.cellOf(all.anyMix(this.#group), at), instructions, this);
    }
    const group = this.#group;
    all.executed[group] = all.executed[group]! + instructions;
    all.inDetail[group] = all.inDetail[group]! + instructions;
    this.#advance(instructions);
  }

  /** It was a path of the kernel. */
  endPath(path: number, units: number, instructions: number): void {
    const { all } = this;
    const { cells } = all;
    if (all.phase === Phase.Count) {
      const at = this.#circumstances;
      cells.add(cells.cellOf(all.pathKind(this.#group, path), at), units, this);
      if (path < COPIES) cells.add(cells.cellOf(all.anyPath(this.#group), at), units, this);
    }
    this.#advance(instructions);
  }

  /** Pays for `units` of work; returns the cycles, which have been charged but have not passed. */
  #pay(cell: number, units: number): number {
    const { places } = this;
    const { cells } = this.all;
    const h = heap;
    const carry = this.#carry;
    const at = cells.priceOf(cell);
    const { prices } = cells;
    let cycles = 0;
    for (let slot = 0; slot < SLOTS; slot++) {
      const price = prices[at + slot]!;
      if (price === 0) continue;
      const owed = carry[slot]! + price * units;
      const whole = Math.floor(owed);
      carry[slot] = owed - whole;
      const place = places[slot]!;
      h[place] = h[place]! + whole;
      if (slot < LEAF_SLOTS) cycles += whole;
    }
    return cycles;
  }

  /**
   * Skips visits until `limit` cycles have passed or none are left. Time passes in `core.time`, as
   * in `runBlock`.
   */
  skipVisits(stretch: Stretch, limit: number): void {
    const core = this.#core;
    const { all } = this;
    const { cells } = all;
    const h = heap;
    const own = all.userKind(this.#group, stretch.kind);
    const kind = cells.knows(own) ? own : all.anyMix(this.#group);
    const cpi = core.cpiQ8;
    const before = stretch.left;
    let time = 0;
    const user = core.pending + Leaf.GuestUser;
    while (stretch.left > 0 && time < limit) {
      const cell = cells.cellOf(kind, this.#now());
      const each = cells.prices[cells.priceOf(cell) + CYCLES]! + cpi / 256;
      const n = Math.min(stretch.left, this.#lasts, Math.max(1, Math.ceil((limit - time) / each)));
      const owed = core.cpiCarry + n * cpi;
      const cycles = Math.floor(owed / 256);
      core.cpiCarry = owed - cycles * 256;
      h[user] = h[user]! + cycles;
      time += cycles + this.#pay(cell, n);
      stretch.left -= n;
      this.#advance(n);
    }
    this.#countVisits(stretch, before);
    const group = this.#group;
    all.executed[group] = all.executed[group]! + before - stretch.left;
    core.retired += before - stretch.left;
    core.time += time;
  }

  /** What follows from the visits that are over, `before` instructions being left before them. */
  #countVisits(stretch: Stretch, before: number): void {
    const { counters } = this.#core;
    const { instructions, left } = stretch;
    const executed = before - left;
    const from = (instructions - before) / instructions;
    const to = (instructions - left) / instructions;
    const visits = part(stretch.visits, from, to);
    const fetches = part(stretch.fetches, from, to);
    this.#count(counters + K.visits, visits);
    this.#count(counters + K.references, part(stretch.references, from, to));
    this.#count(counters + K.user_instructions, executed);
    this.#count(counters + K.instructions, executed);
    this.#count(counters + K.l1i_lookups, fetches);
    this.#count(counters + K.l1d_lookups, visits - fetches);
    if (this.#core.caches.dataOn !== 0)
      this.#count(counters + K.data_lines, part(stretch.lines, from, to));
  }

  #count(at: number, more: number): void {
    heap[at] = heap[at]! + more;
  }

  /**
   * Skips a path of the kernel: so many fetches from text and accesses to data, of so many lines in
   * all. Time passes in `core.ahead`, as in `visitKernel`.
   */
  skipPath(path: number, { units, fetches, accesses, lines, instructions }: PathWork): void {
    const core = this.#core;
    const { all } = this;
    const { cells } = all;
    const h = heap;
    const { cut } = core;
    const visits = fetches + accesses;
    const own = all.pathKind(this.#group, path);
    const known = cells.knows(own, path < COPIES ? 0 : ENOUGH);
    const kind = known ? own : all.anyPath(this.#group);
    // Of what is like no other, nothing is known: it is taken to find everything.
    const paid = known || path < COPIES ? units : 0;
    const cell = cells.cellOf(kind, this.#forPath(path));
    const owed = core.cpiCarry + instructions * core.cpiQ8;
    const cycles = Math.floor(owed / 256);
    const about = cycles + paid * cells.prices[cells.priceOf(cell) + CYCLES]! + SLOTS;
    const near = core.now + about >= cut.near;
    if (near) cut.begin(core);
    core.cpiCarry = owed - cycles * 256;
    const leaf = core.pending + Leaf.GuestKernel;
    h[leaf] = h[leaf]! + cycles;
    core.ahead += cycles + this.#pay(cell, paid);
    const { counters } = core;
    this.#count(counters + K.visits, visits);
    this.#count(counters + K.references, lines);
    this.#count(counters + K.instructions, instructions);
    this.#count(counters + K.l1i_lookups, fetches);
    this.#count(counters + K.l1d_lookups, accesses);
    if (core.caches.dataOn !== 0) this.#count(counters + K.data_lines, lines);
    this.#advance(instructions);
    if (near && core.now > cut.edge) cut.inVisit(core);
  }

  /** Circumstances of a step of the host: what guests have done on the core since the last one. */
  #hostNow(step: number): number {
    const { vm } = this.#core;
    const now = this.#instructions;
    const since = now - this.#hostAt;
    this.#hostAt = now;
    if (since > 0 || vm !== this.#hostVm) {
      const other = vm !== this.#hostVm;
      this.#hostSeries = circumstancesOf(vm < 0 ? 2 : other ? 1 : 0, Math.min(MOST, since), 0);
      this.#hostVm = vm;
    }
    const same = Math.min(MOST, now - this.#steps[step]!);
    this.#steps[step] = now;
    return this.#hostSeries + flushOf(same);
  }

  /** A step of the host has taken so many cycles for what it touched. */
  endStep(step: number, cycles: number): void {
    const { all } = this;
    const { cells } = all;
    const at = this.#hostNow(step);
    if (all.phase !== Phase.Count) return;
    const group = this.#core.vm < 0 ? all.hostGroup : this.#group;
    cells.addCycles(cells.cellOf(all.stepKind(group, step), at), cycles);
    // Steps that a group has not taken yet cost what they cost all of them.
    if (group !== all.hostGroup) {
      cells.addCycles(cells.cellOf(all.stepKind(all.hostGroup, step), at), cycles);
    }
  }

  /** Cycles of a step of the host that is skipped. */
  skipStep(step: number): number {
    const { all } = this;
    const { cells } = all;
    const own = all.stepKind(this.#core.vm < 0 ? all.hostGroup : this.#group, step);
    const kind = cells.knows(own) ? own : all.stepKind(all.hostGroup, step);
    const cell = cells.cellOf(kind, this.#hostNow(step));
    const owed = this.#hostCarry + cells.prices[cells.priceOf(cell)]!;
    const whole = Math.floor(owed);
    this.#hostCarry = owed - whole;
    return whole;
  }
}
