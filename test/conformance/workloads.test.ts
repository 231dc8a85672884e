import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { Choice } from '../../src/base/registry.ts';
import { workloads } from '../../src/guest/workloads/index.ts';
import {
  Op,
  type ProcessImage,
  type Program,
  type Region,
  type TraceFeed,
  type Workload,
} from '../../src/guest/workloads/workload.ts';
import { type Item, nextItems } from '../support/items.ts';

/** Every registered kind and every preset obeys the contract of guest/workloads/workload.ts. */
const PRESETS = new URL('../../configs/workloads/', import.meta.url);
const TRACE = `P 1
I 70000 400
L 3 7fffffffe
X mmap 500 4 rw-pa
S 3 500
X fork 2
P 2
S 1 400
X exec 3
P 3
I 9 400
X exit
P 1
M 2 500
`;

function traceFeed(): TraceFeed {
  let taken = false;
  return {
    name: 'test.pt',
    get ended() {
      return taken;
    },
    take() {
      if (taken) return undefined;
      taken = true;
      return Uint8Array.from(TRACE, (letter) => letter.charCodeAt(0));
    },
    rewind() {
      taken = false;
    },
  };
}

/** A small program of a tree. */
const tree = (name: string, runs: readonly object[], more: object = {}) => ({
  name,
  instructions: 20_000,
  regions: [
    { name: `${name}-text`, kind: 'code', size: '32KiB', share: 1 },
    { name: 'libc', kind: 'file', size: '64KiB', share: 1 },
    { name: 'heap', kind: 'anon', size: '128KiB', share: 1, stores: 0.5 },
  ],
  runs,
  ...more,
});

/** What each kind needs besides its defaults, and variants that reach other code. */
const VARIANTS: Readonly<Record<string, readonly object[]>> = {
  synthetic: [
    {
      regions: [
        { name: 'text', kind: 'code', size: '64KiB', share: 1 },
        { name: 'data', kind: 'anon', size: '8MiB', share: 1, stores: 0.5, pageSize: '2MiB' },
      ],
      per1M: {
        syscalls: { other: 9 },
        blockingIo: 3,
        munmap: 5,
        mprotect: 9,
        yields: 2,
        mmap: { calls: 9 },
      },
    },
    {
      regions: [{ name: 'data', kind: 'anon', size: '1MiB', share: 1, stores: 0.5 }],
      jobs: { instructions: 20_000, forks: true, exec: false, freshPages: 5 },
      per1M: { heapGrowth: { calls: 500, pages: 3, limit: '40KiB' } },
      threads: 2,
    },
    {
      regions: [{ name: 'data', kind: 'file', size: '1MiB', share: 1, stores: 0.5 }],
      jobs: { instructions: 20_000, forks: false, freshPages: 5 },
      processes: 3,
    },
    {
      regions: [{ name: 'data', kind: 'anon', size: '1MiB', share: 1, stores: 0.5 }],
      jobs: { instructions: 20_000, forks: false, freshPages: 5 },
      per1M: {
        munmap: 50,
        mmap: { calls: 900, pages: 3, live: 4 },
        heapGrowth: { calls: 500, pages: 3, limit: '40KiB' },
      },
      threads: 4,
    },
  ],
  'process-tree': [
    {
      programs: [
        tree('first', [{ commands: ['second'] }, { commands: ['third'], every: 2 }]),
        tree('second', [{ commands: ['left', 'middle', 'right'] }], { starts: 'vfork' }),
        tree('third', [], { per1M: { syscalls: { open: 50 }, mprotect: 50, mmap: { calls: 90 } } }),
        tree('left', [], { output: '9KiB', scaled: true }),
        tree('middle', [], { output: '5000B' }),
        tree('right', [], { input: '4000B' }),
      ],
    },
    { programs: [tree('only', [])], processes: 2, sizes: 'fixed' },
    { programs: [tree('a', [{ commands: ['b'] }]), tree('b', [])], jobs: 3, aslr: false },
  ],
  trace: [
    { file: 'test.pt' },
    { file: 'test.pt', events: 'replay', populate: false },
    { file: 'test.pt', loop: true, limitReferences: 70_005 },
    {
      file: 'test.pt',
      loop: true,
      per1M: { syscalls: { other: 90 }, mprotect: 90, mmap: { calls: 200 } },
    },
  ],
  'tlb-thrash': [{}, { pageSize: '2MiB', pages: 4, pattern: { kind: 'pointer-chase' } }],
};

interface Case {
  readonly name: string;
  readonly choice: Choice;
}

const cases: Case[] = workloads.definitions.flatMap(({ name }) =>
  (VARIANTS[name] ?? [{}]).map((params, i) => ({
    name: i === 0 ? name : `${name} (${i + 1})`,
    choice: workloads.schema.parse({ kind: name, ...params }),
  })),
);
for (const file of readdirSync(PRESETS)) {
  const text = readFileSync(new URL(file, PRESETS), 'utf8');
  const name = file.replace('.yaml', '');
  const { kernel: _, ...choice } = parse(text) as Choice;
  cases.push({ name, choice: workloads.schema.parse(choice) });
}

function create({ choice }: Case, seed = 'seed', vm = 'vm'): Workload {
  return workloads.create(choice, { seed, vm, memoryPages: 2 ** 17, openTrace: traceFeed });
}

/** One thread as the guest kernel follows it: `exec` replaces the image, a fork starts another. */
class Runner {
  program: Program;
  regions: readonly Region[];
  readonly children: Runner[] = [];
  ended = false;
  last = -1;

  constructor({ regions, programs }: ProcessImage, thread = 0) {
    this.program = programs[thread]!;
    this.regions = regions;
  }

  /** The last item started a child. */
  get forked(): boolean {
    return this.last === Op.Fork || this.last === Op.Vfork;
  }

  /** One fill of at most `room` items, followed as the kernel would. */
  fill(room: number): Item[] {
    const items = nextItems(this.program, room);
    this.last = items.length === 0 ? -1 : items.at(-1)![1] & 255;
    if (items.length === 0 || this.last === Op.Exit) this.ended = true;
    if (this.forked) {
      this.children.push(new Runner({ regions: this.regions, programs: [this.program.fork()] }));
    } else if (this.last === Op.Exec) {
      const image = this.program.exec();
      this.program = image.programs[0]!;
      this.regions = image.regions;
    }
    return items;
  }
}

/** The items of the first `items` steps of a process, its children's after each fork. */
function follow(runner: Runner, items: number, room: number): number[][] {
  const out: number[][] = [];
  while (!runner.ended && out.length < items) {
    for (const item of runner.fill(room)) out.push([...item]);
    if (runner.forked) out.push(...follow(runner.children.at(-1)!, items / 4, room));
  }
  return out.slice(0, items);
}

const threadsOf = (image: ProcessImage) => image.programs.map((_, i) => new Runner(image, i));

const stream = (workload: Workload, items = 4000, room = 64) =>
  workload.processes.flatMap(threadsOf).map((thread) => follow(thread, items, room));

describe.each(cases)('workload $name', (one) => {
  it('gives the same stream for the same seed', () => {
    expect(stream(create(one))).toEqual(stream(create(one)));
  });

  it('gives the same stream however much room a fill has', () => {
    // Children that are still running when the count is reached are compared up to there.
    const [first] = stream(create(one), 1000, 1);
    const [second] = stream(create(one), 1000, 256);
    const n = Math.min(first!.length, second!.length);
    expect(first!.slice(0, n / 4)).toEqual(second!.slice(0, n / 4));
  });

  it('is not disturbed by another instance', () => {
    const run = (neighbour: Runner | null) => {
      const runner = new Runner(create(one).processes[0]!);
      const items: Item[] = [];
      for (let i = 0; i < 200 && !runner.ended; i++) {
        items.push(...runner.fill(16));
        if (neighbour && !neighbour.ended) neighbour.fill(16);
      }
      return items;
    };
    const neighbour = new Runner(create(one, 'other', 'neighbour').processes[0]!);
    expect(run(neighbour)).toEqual(run(null));
  });

  it('keeps to the layout of items', () => {
    for (const first of create(one).processes.slice(0, 2).flatMap(threadsOf)) {
      const runners = [first];
      for (let steps = 0; steps < 600 && runners.length > 0; steps++) {
        const runner = runners.at(-1)!;
        checkItems(runner.fill(64));
        if (runner.forked) runners.push(runner.children.at(-1)!);
        if (runner.ended) runners.pop();
      }
    }
  });

  it('visits only pages that are mapped', () => {
    for (const image of create(one).processes.slice(0, 2)) {
      // Threads take turns on the mappings that they share.
      const mapped = ranges(image.regions);
      const threads = threadsOf(image).map((runner) => [{ runner, mapped }]);
      for (let steps = 0; steps < 600 && threads.length > 0; steps++) {
        const spaces = threads[steps % threads.length]!;
        const space = spaces.at(-1);
        if (!space) continue;
        const before = space.runner.regions;
        const words = space.runner.fill(64);
        checkPages(words, space.mapped, before);
        if (space.runner.forked) {
          const child = space.runner.children.at(-1)!;
          spaces.push({ runner: child, mapped: [...space.mapped] });
        } else if (space.runner.last === Op.Exec) {
          space.mapped = ranges(space.runner.regions);
        }
        if (space.runner.ended) spaces.pop();
      }
    }
  });

  it('gives every thread a program of its own', () => {
    const programs = create(one).processes.flatMap((image) => image.programs);
    expect(new Set(programs).size).toBe(programs.length);
    for (const { programs: own } of create(one).processes) expect(own.length).toBeGreaterThan(0);
  });

  it('has regions that are aligned, apart from each other and below the kernel', () => {
    for (const { regions } of create(one).processes) {
      const sorted = regions.filter((region) => region.pages > 0);
      sorted.sort((a, b) => a.start - b.start);
      for (const [i, region] of sorted.entries()) {
        expect(region.start + region.pages).toBeLessThanOrEqual(
          sorted[i + 1]?.start ?? 15 * 2 ** 27,
        );
        if (region.pageShift === 21) expect((region.start | region.pages) & 511).toBe(0);
      }
    }
  });

  it('has sensible numbers', () => {
    const workload = create(one);
    expect(workload.processes.length).toBeGreaterThan(0);
    expect(workload.unit).toMatch(/s$/);
    expect(workload.cpiQ8).toBeGreaterThan(0);
    expect(workload.overlapQ8).toBeGreaterThanOrEqual(0);
    expect(workload.overlapQ8).toBeLessThanOrEqual(256);
    expect(workload.quantumInstructions).toBeGreaterThan(0);
  });
});

const OPERATIONS = new Set<number>(Object.values(Op));

function checkItems(items: readonly Item[]): void {
  for (const [i, [page, word, references, instructions]] of items.entries()) {
    const op = word & 255;
    const wrong: string[] = [];
    if (!OPERATIONS.has(op)) wrong.push('operation');
    if (op > Op.Store) {
      if (i !== items.length - 1) wrong.push('an operation is not the last item');
    } else {
      const lines = (word >>> 16) & 127;
      if (((word >>> 8) & 255) > 63) wrong.push('line');
      if (lines < 1 || lines > 64) wrong.push('lines');
      if (references < 1 || references >= 1 << 24) wrong.push('references');
      if (instructions < 0 || instructions > 65_535) wrong.push('instructions');
      if (page < 0 || page >= 15 * 2 ** 27) wrong.push('page');
    }
    if (wrong.length > 0) expect.fail(`item ${items[i]}: ${wrong}`);
  }
}

interface Range {
  readonly start: number;
  readonly end: number;
  readonly writable: boolean;
}

const ranges = (regions: readonly Region[]): Range[] =>
  regions
    .filter((region) => region.pages > 0)
    .map(({ start, pages, writable }) => ({ start, end: start + pages, writable }));

/** Removes a range from the mappings. */
function cut(mapped: Range[], start: number, end: number): void {
  for (const range of mapped.splice(0)) {
    if (range.start < start) mapped.push({ ...range, end: Math.min(range.end, start) });
    if (range.end > end) mapped.push({ ...range, start: Math.max(range.start, end) });
  }
}

/** Follows the mappings; a visit must find one, and a store one that is writable. */
function checkPages(items: readonly Item[], mapped: Range[], regions: readonly Region[]): void {
  for (const [a, word, b, c] of items) {
    const op = word & 255;
    if (op <= Op.Store) {
      const range = mapped.find((candidate) => a >= candidate.start && a < candidate.end);
      if (!range || (op === Op.Store && !range.writable)) {
        expect.fail(`${op === Op.Store ? 'store' : 'access'} to unmapped page ${a.toString(16)}`);
      }
    } else if (op === Op.Mmap) {
      const template = regions[c];
      expect(template).toBeDefined();
      cut(mapped, a, a + b);
      mapped.push({ start: a, end: a + b, writable: template!.writable });
    } else if (op === Op.Munmap) {
      const everything = a === 0;
      if (!everything) cut(mapped, a, a + b);
    } else if (op === Op.Mprotect) {
      cut(mapped, a, a + b);
      mapped.push({ start: a, end: a + b, writable: c === 1 });
    }
  }
}
