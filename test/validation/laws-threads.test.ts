import { afterEach, expect, it, vi } from 'vitest';
import { workloads } from '../../src/guest/workloads/index.ts';
import type { ProcessImage, Program } from '../../src/guest/workloads/workload.ts';
import { type Item, readItem } from '../../src/machine/items.ts';
import { metric, type Overrides, run } from '../support/scenarios.ts';

/** The same programs as threads of one process, and as processes of their own. */
afterEach(() => vi.restoreAllMocks());

const THREADS = 4;
const PAGES = 40;
const WORKLOAD = {
  kind: 'synthetic',
  aslr: false,
  quantum: 8000,
  hz: 0,
  regions: [
    { name: 'text', kind: 'code', size: '64KiB', share: 1 },
    { name: 'data', kind: 'anon', size: `${4 * PAGES}KiB`, share: 2, populated: false },
  ],
};

interface Seen {
  /** Items of each program, in their order. */
  readonly streams: readonly Item[][];
  readonly faults: number;
  readonly switches: number;
  readonly cr3: number;
  readonly flushes: number;
}

/** Runs what the workload asks for, after `change`, and listens to every program. */
async function observe(
  mmu: Overrides,
  change: (image: ProcessImage) => ProcessImage[],
  threads = THREADS,
) {
  const { create } = workloads;
  const streams: Item[][] = [];
  const listened = (program: Program): Program => {
    const stream: Item[] = [];
    streams.push(stream);
    return {
      fork: () => program.fork(),
      exec: () => program.exec(),
      fill(at, room) {
        const n = program.fill(at, room);
        for (let i = 0; i < n; i++) stream.push(readItem(at + i));
        return n;
      },
    };
  };
  vi.spyOn(workloads, 'create').mockImplementation((choice, deps) => {
    streams.length = 0;
    const made = create(choice, deps);
    const processes = made.processes.flatMap(change).map(({ regions, programs }) => {
      return { regions, programs: programs.map(listened) };
    });
    return { ...made, processes };
  });
  const result = await run({
    duration: '1500us',
    hypervisor: { mmu },
    vms: [{ name: 'vm', memory: '32MiB', workload: { ...WORKLOAD, threads } }],
    checks: { translations: false },
  });
  vi.restoreAllMocks();
  const seen: Seen = {
    streams,
    faults: metric(result, 'guest_faults'),
    switches: metric(result, 'guest_process_switches'),
    cr3: result.exits.find(({ reason }) => reason === 'cr3-write')?.count ?? 0,
    flushes: metric(result, 'tlb_flushes'),
  };
  return seen;
}

const asThreads = (image: ProcessImage) => [image];
const asProcesses = ({ regions, programs }: ProcessImage) =>
  programs.map((program) => ({ regions, programs: [program] }));

it.each([['native'], ['nested'], ['shadow']])(
  'under %s paging threads make the same visits as processes, share their tables and never load CR3',
  async (kind) => {
    const threads = await observe({ kind }, asThreads);
    const processes = await observe({ kind }, asProcesses);
    expect(threads.streams).toHaveLength(THREADS);
    expect(processes.streams).toHaveLength(THREADS);
    for (const [i, stream] of threads.streams.entries()) {
      const other = processes.streams[i]!;
      const common = Math.min(stream.length, other.length);
      expect(common).toBeGreaterThan(1000);
      expect(stream.slice(0, common)).toEqual(other.slice(0, common));
    }
    expect(threads.switches).toBe(0);
    expect(threads.cr3).toBe(0);
    expect(processes.switches).toBeGreaterThan(50);
    if (kind === 'shadow') expect(processes.switches - processes.cr3).toBeOneOf([0, 1]);
    else {
      // The end of the window may lie between a switch and its flush.
      const flushes = processes.flushes - threads.flushes;
      expect(processes.switches - flushes).toBeOneOf([0, 1]);
    }
    // What one thread has touched is there for all.
    expect(threads.faults).toBe(PAGES);
    expect(processes.faults).toBe(THREADS * PAGES);
  },
);

it('the first thread does what the only one would do', async () => {
  const all = await observe({ kind: 'nested' }, asThreads);
  const one = await observe({ kind: 'nested' }, asThreads, 1);
  expect(one.streams).toHaveLength(1);
  const [first, ...others] = all.streams;
  expect(one.streams[0]!.slice(0, first!.length)).toEqual(first);
  for (const other of others) expect(other.slice(0, 100)).not.toEqual(first!.slice(0, 100));
});
