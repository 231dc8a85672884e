import { afterEach, describe, expect, it, vi } from 'vitest';
import { PIPE_BYTES } from '../../src/guest/pipes.ts';
import { workloads } from '../../src/guest/workloads/index.ts';
import { operation, visit } from '../../src/guest/workloads/item.ts';
import { microRegion, microRegions, microWorkload } from '../../src/guest/workloads/micro.ts';
import { ScriptProgram, type Step } from '../../src/guest/workloads/script.ts';
import { Op, type ProcessImage, type Program } from '../../src/guest/workloads/workload.ts';
import type { RunResult } from '../../src/stats/result.ts';
import { metric, run } from '../support/scenarios.ts';

/** Pipes, vfork and programs that change, as Linux has them. */
afterEach(() => vi.restoreAllMocks());

const DATA = 0x10000;
const regions = microRegions(microRegion({ name: 'data', start: DATA, pages: 8 }));
const PAGE = 4096;

/** What happened, in order, as the programs came to it. */
let log: string[] = [];

function* said(...steps: readonly (Step | string)[]): Generator<Step> {
  for (const step of steps) {
    if (typeof step === 'string') log.push(step);
    else yield step;
  }
}

interface More {
  readonly children?: readonly Program[];
  readonly exec?: () => ProcessImage;
}

/** A program that says `words` when it gets there; its n-th fork is the n-th of `children`. */
function program(steps: readonly (Step | string)[], { children = [], exec }: More = {}): Program {
  let born = 0;
  const fork = () => children[born++]!;
  return new ScriptProgram({ script: said(...steps), fork, ...(exec && { exec }) });
}

async function guest(first: Program, more = {}): Promise<RunResult> {
  log = [];
  const image = { regions, programs: [first] };
  const workload = microWorkload({ cpi: 1, work: 100, hz: 0 }, 'steps', [image]);
  vi.spyOn(workloads, 'create').mockReturnValue(workload);
  return run({ duration: 'work', checks: { translations: false }, ...more });
}

const work = visit(Op.Load, DATA, 4, 100);
const open = operation(Op.Pipe, 0);
const reads = (bytes: number) => operation(Op.ReadPipe, 0, bytes);
const writes = (bytes: number) => operation(Op.WritePipe, 0, bytes);
const closeRead = operation(Op.ClosePipe, 0, 0);
const closeWrite = operation(Op.ClosePipe, 0, 1);
const wait = operation(Op.Wait);
const fork = operation(Op.Fork);

describe('a pipe', () => {
  it('holds 64 KiB', () => expect(PIPE_BYTES).toBe(65_536));

  it('lets its reader sleep until something has been written', async () => {
    const child = program([closeWrite, 'waits', reads(100), 'has it']);
    const parent = program(
      [open, fork, closeRead, operation(Op.Yield), work, 'writes', writes(100), wait],
      {
        children: [child],
      },
    );
    const result = await guest(parent);
    expect(log).toEqual(['waits', 'writes', 'has it']);
    expect(metric(result, 'guest_process_switches')).toBeGreaterThanOrEqual(2);
  });

  it.each([
    [PIPE_BYTES, ['written', 'read']],
    [PIPE_BYTES + 1, ['read', 'written']],
    [10 * PIPE_BYTES, ['read', 'written']],
  ])('takes %i bytes at once from a writer, or lets it sleep', async (bytes, order) => {
    const half = bytes >> 1;
    const child = program([closeWrite, reads(half), 'read', reads(bytes - half), reads(1)]);
    const parent = program(
      [open, fork, closeRead, writes(bytes), 'written', closeWrite, wait, 'end'],
      {
        children: [child],
      },
    );
    await guest(parent);
    expect(log).toEqual([...order, 'end']);
  });

  it('changes hands each time it is full or empty, and at no other time', async () => {
    const pages = 160;
    const both = (op: number) =>
      Array.from({ length: pages }, () => [operation(op, 0, PAGE), work]);
    const child = program([closeWrite, ...both(Op.ReadPipe).flat()]);
    const parent = program(
      [open, fork, closeRead, ...both(Op.WritePipe).flat(), closeWrite, wait],
      {
        children: [child],
      },
    );
    const result = await guest(parent);
    // 160 pages through 16 are ten turns for each, and one comes at the beginning or end.
    expect(metric(result, 'guest_process_switches')).toBeGreaterThanOrEqual(20);
    expect(metric(result, 'guest_process_switches')).toBeLessThanOrEqual(23);
  });

  it('ends for its reader when the last writer is gone, with all bytes read', async () => {
    const writer = program([closeRead, writes(10), work]);
    const other = program([closeRead, operation(Op.Sleep, 50), writes(20), 'last writer']);
    const parent = program(
      [open, fork, fork, closeWrite, reads(30), 'all', reads(1), 'end of file', wait, wait],
      { children: [writer, other] },
    );
    await guest(parent);
    expect(log).toEqual(['last writer', 'all', 'end of file']);
  });

  it('never ends for who holds its write end too', async () => {
    const parent = program([open, fork, reads(10), 'has it', reads(1), 'never'], {
      children: [program([writes(10)])],
    });
    const result = await guest(parent, { duration: '4ms' });
    expect(log).toEqual(['has it']);
    expect(metric(result, 'process_exits')).toBe(1);
  });

  it('kills a writer that nobody reads, asleep or not', async () => {
    const sleeper = program([closeRead, writes(2 * PIPE_BYTES), 'not reached']);
    const late = program([closeRead, operation(Op.Sleep, 100), writes(1), 'not reached either']);
    const parent = program(
      [open, fork, fork, closeWrite, reads(100), 'enough', closeRead, wait, wait, 'both gone'],
      { children: [sleeper, late] },
    );
    const result = await guest(parent);
    expect(log).toEqual(['enough', 'both gone']);
    expect(metric(result, 'process_exits')).toBeGreaterThanOrEqual(2);
  });

  it('is closed by the end of a process, and kept by exec', async () => {
    const image = () => ({ regions, programs: [program(['new program', writes(7), 'wrote'])] });
    const child = program([closeRead, operation(Op.Exec)], { exec: image });
    const parent = program(
      [open, fork, closeWrite, reads(7), 'read', reads(1), 'end of file', wait],
      {
        children: [child],
      },
    );
    const result = await guest(parent);
    expect(log).toEqual(['new program', 'wrote', 'read', 'end of file']);
    expect(metric(result, 'execs')).toBe(1);
  });
});

describe('vfork', () => {
  const vfork = operation(Op.Vfork);
  const store = visit(Op.Store, DATA + 1, 1, 100);

  it('lets the parent sleep until the child executes a program', async () => {
    const image = () => ({
      regions,
      programs: [program(['runs', operation(Op.Sleep, 50), 'ends'])],
    });
    const child = program(['borrows', work, operation(Op.Exec)], { exec: image });
    const result = await guest(
      program([work, vfork, 'goes on', wait, 'waited'], { children: [child] }),
    );
    expect(log).toEqual(['borrows', 'runs', 'goes on', 'ends', 'waited']);
    expect(metric(result, 'forks')).toBe(1);
  });

  it('lets the parent sleep until the child ends', async () => {
    const child = program(['borrows', work]);
    await guest(program([vfork, 'goes on', store, wait, 'waited'], { children: [child] }));
    expect(log).toEqual(['borrows', 'goes on', 'waited']);
  });

  it('copies no memory and breaks no sharing: parent and child have the same', async () => {
    const cost = async (op: number) => {
      const image = () => ({ regions, programs: [program([work])] });
      const child = program([store, operation(Op.Exec)], { exec: image });
      const result = await guest(
        program([store, operation(op), store, wait], { children: [child] }),
      );
      return { breaks: metric(result, 'cow_breaks'), faults: metric(result, 'guest_faults') };
    };
    const plain = await cost(Op.Vfork);
    const copying = await cost(Op.Fork);
    expect(plain.breaks).toBe(0);
    expect(copying.breaks).toBe(2);
    expect(copying.faults - plain.faults).toBe(2);
  });

  it('leaves the memory to a child whose parent is gone', async () => {
    const child = program([operation(Op.Sleep, 100), work, store, 'still there']);
    const killer = program([operation(Op.Sleep, 20), operation(Op.Exit)]);
    const lender = program([vfork, 'not reached'], { children: [child] });
    const starter = program([fork, wait, 'parent gone', operation(Op.Sleep, 200), 'end'], {
      children: [
        program([operation(Op.Exec)], { exec: () => ({ regions, programs: [lender, killer] }) }),
      ],
    });
    await guest(starter);
    expect(log).toEqual(['parent gone', 'still there', 'end']);
  });
});
