import type { BackgroundPlan } from './background.ts';
import { type Item, operation } from './item.ts';
import { type Layout, layOut, MAPPING_TEMPLATE, offsetsOf, pagesOf } from './layout.ts';
import { makeMix } from './mix.ts';
import { Mixer } from './mixer.ts';
import { ParameterFault } from './parameter-fault.ts';
import { hasTable, STREAM_PAGES, sampler } from './patterns.ts';
import { type PhaseMix, phaseMixes, visitsOf } from './phases.ts';
import type { Visits } from './script.ts';
import { ratesOf, type SyntheticParams, type SyntheticRegion } from './synthetic-params.ts';
import { Op, type WorkloadDeps } from './workload.ts';

/** Programs as they lie on disk, and as processes have them in memory. */

/** Where changes of protection happen. */
export const KERNEL_EVENT_REGION: SyntheticRegion = {
  name: 'protected',
  size: 4 * 4096, // relro pages of a small program. assumed (1-16 pages)
  kind: 'anon',
  share: 0,
  stores: 0,
  pattern: { kind: 'uniform' },
  pageSize: 4096,
  populated: true,
  lines: 1,
  hotLines: 64,
  lineSkew: 0,
};

/** What processes that run the same program have in common. */
export interface Image {
  readonly regions: readonly SyntheticRegion[];
  /** One phase, unless the program has several. */
  readonly phases: readonly PhaseMix[];
}

/** An image as one process has it, or a process and the children it forks. */
export interface Loaded {
  readonly image: Image;
  readonly layout: Layout;
}

/** Makes the images of a VM and loads them. */
export class Images {
  readonly seed: string;
  /** Random streams of the VM begin with it. */
  readonly base: string;
  readonly #lines: boolean;
  readonly #checking: boolean;
  readonly #aslr: boolean;
  #mixes = 0;

  constructor(aslr: boolean, { seed, vm, dataLines, checking }: WorkloadDeps) {
    this.seed = seed;
    this.base = `vm/${vm}`;
    this.#lines = dataLines ?? true;
    this.#checking = checking ?? false;
    this.#aslr = aslr;
  }

  /** `pathOf`: where the random stream of a region's pages comes from, below `base`. */
  make(
    name: string,
    regions: readonly SyntheticRegion[],
    { phases, visit }: Pick<SyntheticParams, 'phases' | 'visit'>,
    pathOf = (region: SyntheticRegion) => `${name}/region/${region.name}`,
  ): Image {
    const { seed, base } = this;
    const mixRegions = regions.map((region) => {
      const pages = this.#checking ? 1 : pagesOf(region);
      return {
        ...region,
        start: 0, // each process has its own
        sampler: sampler(region.pattern, pages, seed, `${base}/${pathOf(region)}`),
        fetch: region.kind === 'code',
      };
    });
    const mixOf = (some: Parameters<typeof makeMix>[0], stream: string) =>
      makeMix(some, visit, seed, `${base}/${name}/${stream}`, this.#lines, this.#mixes++);
    return { regions, phases: phaseMixes(phases, mixRegions, mixOf) };
  }

  /** The process at `path` gets `image`, at addresses of its own. */
  load(image: Image, path: string, populated: boolean): Loaded {
    const offsets = offsetsOf(this.#aslr, this.seed, path);
    return { image, layout: layOut(image.regions, populated, offsets) };
  }

  mixer({ image, layout }: Loaded, path: string): Visits {
    const starts = layout.regions.slice(1).map((region) => region.start);
    return visitsOf(
      image.phases,
      `${path}/visits`,
      (mix, stream) => new Mixer(mix, this.seed, stream, starts),
    );
  }
}

type Io = Pick<SyntheticParams, 'ioBytes' | 'ioLatency'>;

/** An I/O operation of the workload. */
export const diskOf = ({ ioBytes, ioLatency }: Io, write: boolean): Item =>
  operation(Op.BlockingIo, ioBytes, Math.round(ioLatency / 1e6), write ? 1 : 0);

/**
 * Kernel events at these rates. Each thread maps and grows in areas of its own, after those of the
 * threads before it.
 */
export function planOf(
  per1M: SyntheticParams['per1M'],
  io: Io,
  layout: Layout,
  thread: number,
): BackgroundPlan {
  const guarded = layout.regions.find((region) => region.name === KERNEL_EVENT_REGION.name)!;
  const { heap, mappings } = growthOf(per1M);
  return {
    ...ratesOf(per1M),
    io: diskOf(io, false),
    mmapArea: layout.mmapArea + thread * mappings,
    heapArea: layout.heapArea + thread * heap,
    template: MAPPING_TEMPLATE,
    protectArea: guarded.start,
    protectPages: guarded.pages,
  };
}

/** Pages that the heap of one thread grows to, and that its mappings take. */
export function growthOf(per1M: SyntheticParams['per1M']): { heap: number; mappings: number } {
  const { mmap, heapGrowth } = ratesOf(per1M);
  return {
    heap: heapGrowth.calls > 0 ? Math.max(heapGrowth.limit, heapGrowth.pages) : 0,
    mappings: mmap.calls > 0 ? (mmap.live + 1) * mmap.pages : 0,
  };
}

/**
 * Refuses what cannot be written down, whoever has these regions: a program of a tree, which stands
 * `at` a place among the parameters and is called `whose`.
 */
export function checkRegions(
  regions: readonly SyntheticRegion[],
  at: readonly (string | number)[] = [],
  whose = '',
): void {
  const refuse = (path: readonly (string | number)[], message: string): never => {
    throw new ParameterFault([...at, 'regions', ...path], `${whose}${message}`);
  };
  const names = regions.map(({ name }) => name);
  for (const [i, { kind, name, pattern, size, stores }] of regions.entries()) {
    if (names.indexOf(name) !== i) refuse([i, 'name'], `two regions are called ${name}`);
    if (kind === 'code' && stores > 0) {
      refuse([i, 'stores'], `region ${name} is code and cannot be stored to`);
    }
    if (pattern.kind === 'stream' && size > STREAM_PAGES * 4096) {
      refuse([i, 'size'], `region ${name}: a stream has at most 1 GiB`);
    }
  }
  if (regions.every(({ share }) => share === 0)) refuse([], 'no region has a share');
}

/**
 * Refuses, before anything is made whose size depends on that of the regions, what takes more than
 * the memory of the VM: `running` in that many processes from power-on, and the tables of `drawn`.
 */
export function checkMemory(
  { vm, memoryPages }: WorkloadDeps,
  processes: number,
  running: readonly SyntheticRegion[],
  drawn: readonly SyntheticRegion[],
): void {
  const total = (some: readonly SyntheticRegion[]) =>
    some.reduce((sum, region) => sum + (region.populated ? pagesOf(region) : 0), 0);
  const complain = (which: string, pages: number): never => {
    const mib = (n: number) => Math.ceil(n / 256);
    throw new Error(`${which} take ${mib(pages)} MiB, VM ${vm} has ${mib(memoryPages)} MiB`);
  };
  const populated =
    processes * total(running.filter(({ kind }) => kind === 'anon')) +
    total(running.filter(({ kind }) => kind !== 'anon'));
  if (populated > memoryPages) complain('the populated regions', populated);
  const tables = drawn.filter(({ pattern }) => hasTable(pattern));
  const largest = tables.reduce((most, region) => Math.max(most, pagesOf(region)), 0);
  if (largest > memoryPages) complain('the pages of a zipf or pointer-chase pattern', largest);
}

/**
 * Visits to all of them can be skipped: no page is used for the first time, or it can be told when
 * that is. `loaded`: by programs that others start.
 */
export const skipsAll = (regions: readonly SyntheticRegion[], loaded: boolean): boolean =>
  regions.every(
    ({ pattern: { kind }, populated }) =>
      (populated && !loaded) || (kind !== 'working-set' && kind !== 'pointer-chase'),
  );
