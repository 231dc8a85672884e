import * as z from 'zod';
import { aslr } from './aslr.ts';
import { operation, visit } from './item.ts';
import {
  LOOP,
  microParams,
  microPlaces,
  microRegion,
  microRegions,
  microWorkload,
  TEXT,
} from './micro.ts';
import { ScriptProgram, type Step } from './script.ts';
import { Op, type WorkloadDefinition } from './workload.ts';

/**
 * Forks children that use some of their pages and exit: the fork-and-wait loop of Adams and Agesen
 * (2006), and lmbench's lat_proc with the counts that were measured of it.
 */
const params = z.object({
  pages: z
    .int()
    .min(1)
    .max(2 ** 20)
    .meta({ unit: 'pages' })
    .default(256)
    .describe('private pages of the process'), // assumed
  written: z
    .int()
    .min(0)
    .max(2 ** 20)
    .meta({ unit: 'pages' })
    .default(16)
    .describe('of these, pages each child stores to'), // assumed
  kept: z
    .int()
    .min(1)
    .max(2 ** 20)
    .meta({ unit: 'pages' })
    .default(1)
    .describe('of these, pages the process itself stores to after each fork'),
  files: z
    .int()
    .min(0)
    .max(2 ** 20)
    .meta({ unit: 'pages' })
    .default(0)
    .describe('pages of programs and libraries that it maps: a fork does not copy their entries'),
  used: z
    .int()
    .min(0)
    .max(2 ** 20)
    .meta({ unit: 'pages' })
    .default(0)
    .describe('of these, pages each child executes or reads'),
  parts: z
    .int()
    .min(1)
    .max(64)
    .meta({ unit: 'tables' })
    .default(1)
    .describe('places far apart, each with last-level tables of its own, that pages spread over'),
  aslr: aslr(),
  ...microParams,
});

/** Pages of one kind in one part: where they begin, and how many there are. */
interface Stretch {
  readonly start: number;
  readonly pages: number;
}

/** `count` pages spread over parts as evenly as can be. */
const shares = (count: number, parts: number): number[] =>
  Array.from(
    { length: parts },
    (_, i) => Math.floor(((i + 1) * count) / parts) - Math.floor((i * count) / parts),
  );

/** Parts of the memory: private pages, then those of files. */
function partsOf(data: number, { pages, files, parts }: z.output<typeof params>) {
  const own = shares(pages, parts);
  const mapped = shares(files, parts);
  const most = Math.max(...own.map((count, i) => count + mapped[i]!));
  const stride = TABLE * (Math.ceil(most / TABLE) + 1);
  const starts = own.map((_, i) => data + i * stride);
  return {
    own: starts.map((start, i): Stretch => ({ start, pages: own[i]! })),
    files: starts.map((start, i): Stretch => ({ start: start + own[i]!, pages: mapped[i]! })),
  };
}

/** Pages that a last-level table maps. */
const TABLE = 512;

/** The first `count` pages of some stretches, one of each in turn. */
function* inTurn(stretches: readonly Stretch[], count: number): Generator<number> {
  for (let i = 0, left = count; left > 0; i++) {
    for (const { start, pages } of stretches) {
      if (i >= pages || left === 0) continue;
      left--;
      yield start + i;
    }
  }
}

/** `count` pages, evenly apart in all that the stretches hold. */
function* apart(stretches: readonly Stretch[], count: number): Generator<number> {
  const all = stretches.flatMap(({ start, pages }) =>
    Array.from({ length: pages }, (_, i) => start + i),
  );
  for (let i = 0; i < count; i++) yield all[Math.floor((i * all.length) / count)]!;
}

function* parent(own: readonly number[]): Generator<Step> {
  for (;;) {
    yield visit(Op.Fetch, TEXT, LOOP.references, LOOP.instructions);
    // A process that keeps using its memory breaks the sharing of at least one page per fork.
    for (const page of own) yield visit(Op.Store, page, 1, LOOP.instructions);
    yield operation(Op.Fork);
    yield operation(Op.Wait);
    yield operation(Op.WorkDone, 1);
  }
}

function* child(written: readonly number[], used: readonly number[]): Generator<Step> {
  yield visit(Op.Fetch, TEXT, LOOP.references, LOOP.instructions);
  for (const page of used) yield visit(Op.Fetch, page, LOOP.references, LOOP.instructions);
  for (const page of written) yield visit(Op.Store, page, 1, LOOP.instructions);
}

export const forkLoop: WorkloadDefinition<typeof params> = {
  name: 'fork-loop',
  summary: 'forks children that write some pages and exit',
  params,
  create(options, deps) {
    const { pages, written, kept, files, used } = options;
    if (written > pages) throw new Error('written cannot exceed pages');
    if (kept > pages) throw new Error('kept cannot exceed pages');
    if (used > files) throw new Error('used cannot exceed files');
    const parts = partsOf(microPlaces(options, deps).data, options);
    const regions = microRegions(
      ...parts.own.map((part, i) => microRegion({ name: `data-${i}`, ...part })),
      ...parts.files.map((part, i) =>
        microRegion({ name: `files-${i}`, ...part, kind: 'code', writable: false }),
      ),
    );
    const stored = [...inTurn(parts.own, written)];
    const fetched = [...apart(parts.files, used)];
    const own = [...apart(parts.own, pages)].slice(-kept);
    const fork = () => new ScriptProgram({ script: child(stored, fetched) });
    const program = new ScriptProgram({ script: parent(own), fork });
    return microWorkload(options, 'iterations', [{ regions, programs: [program] }]);
  },
};
