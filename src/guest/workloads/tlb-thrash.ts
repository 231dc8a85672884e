import * as z from 'zod';
import { MILLION_INSTRUCTIONS } from '../../stats/metrics.ts';
import { aslr } from './aslr.ts';
import { operation } from './item.ts';
import { microParams, microPlaces, microRegion, microRegions, microWorkload } from './micro.ts';
import { makeMix } from './mix.ts';
import { Mixer } from './mixer.ts';
import { pageShiftOf, pageSize } from './page-size.ts';
import { patternSchema, sampler } from './patterns.ts';
import { ScriptProgram, type Step } from './script.ts';
import { Op, type WorkloadDefinition } from './workload.ts';

/** Touches populated memory in one pattern and does nothing else: what a translation costs. */
const params = z.object({
  pages: z
    .int()
    .min(1)
    .max(2 ** 22)
    .meta({ unit: 'pages' })
    .default(4096)
    .describe('pages, of the page size given'),
  pattern: patternSchema.prefault({ kind: 'uniform' }),
  stores: z
    .number()
    .min(0)
    .max(1)
    .meta({ unit: 'share, 0 to 1' })
    .default(0)
    .describe('share of stores among the visits'),
  instructions: z
    .int()
    .min(1)
    .max(40_000)
    .meta({ unit: 'instructions' })
    .default(4)
    .describe('mean instructions of a visit'),
  pageSize: pageSize(),
  aslr: aslr(),
  ...microParams,
});

function* touch(): Generator<Step> {
  for (;;) {
    yield 1e6;
    yield operation(Op.WorkDone, 1);
  }
}

export const tlbThrash: WorkloadDefinition<typeof params> = {
  name: 'tlb-thrash',
  summary: 'touches populated memory in one pattern',
  params,
  create(options, deps) {
    const unit = options.pageSize / 4096;
    const { data: heap, mapped } = microPlaces(options, deps);
    const start = unit === 1 ? heap : Math.ceil(mapped / unit) * unit;
    const pages = options.pages * unit;
    if (pages > deps.memoryPages) {
      throw new Error(`${Math.ceil(pages / 256)} MiB to touch do not fit into VM ${deps.vm}`);
    }
    const path = `vm/${deps.vm}`;
    const region = {
      start,
      sampler: sampler(options.pattern, deps.checking ? 1 : pages, deps.seed, `${path}/pattern`),
      share: 1,
      fetch: false,
      stores: options.stores,
      lines: 1,
      hotLines: 64,
      lineSkew: 0,
    };
    const mean = { references: 1, instructions: options.instructions };
    const mix = makeMix([region], mean, deps.seed, `${path}/schedule`, deps.dataLines);
    const mixer = new Mixer(mix, deps.seed, `${path}/visits`);
    const data = microRegion({
      name: 'data',
      start,
      pages,
      pageShift: pageShiftOf(options.pageSize),
    });
    const program = new ScriptProgram({ script: touch(), mixer });
    const regions = microRegions(data);
    const processes = [{ regions, programs: [program] }];
    return { ...microWorkload(options, MILLION_INSTRUCTIONS, processes), skips: true };
  },
};
