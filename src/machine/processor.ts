import * as z from 'zod';
import { frequency, size } from '../base/units.ts';

/**
 * What a processor preset (configs/processors/*.yaml) says. Latencies are cycles of its own core
 * clock.
 */

const count = () =>
  z
    .int()
    .min(0)
    .max(1 << 24);
const cycles = () => z.int().min(0).max(1_000_000);

const tlbArray = z
  .strictObject({
    entries: count().describe('entries; 0 = this level does not hold this page size'),
    ways: z
      .union([z.literal('full'), z.int().min(1).max(64)], {
        error: 'ways must be full or a whole number from 1 to 64',
      })
      .describe('associativity; `full` = fully associative'),
  })
  .describe('one TLB array');

const tlbLevel = z
  .strictObject({
    '4K': tlbArray,
    '2M': tlbArray,
    '1G': tlbArray,
    shared: z
      .boolean()
      .prefault(false)
      .describe('one array holds all page sizes; its size is that of the 4K line'),
  })
  .describe('one TLB level of one side, by page size');

export const processorSchema = z
  .strictObject({
    name: z.string(),
    codename: z.string(),
    family: z.string(),
    clock: frequency().describe('core clock; the unit of simulated time'),
    diesPerSocket: z.int().min(1).max(4),
    coresPerDie: z.int().min(1).max(16),
    tlb: z.strictObject({
      l1i: tlbLevel,
      l1d: tlbLevel,
      l2i: tlbLevel,
      l2d: tlbLevel,
      fill: z
        .enum(['both', 'victim'])
        .describe('both: a miss fills L1 and L2; victim: L2 holds only what L1 evicts'),
      l2HitCycles: cycles().describe('penalty of an L1 miss that hits the L2'),
    }),
    walk: z.strictObject({
      overheadCycles: cycles().describe('fixed cost of a page walk'),
      pwcEntries: z
        .int()
        .min(0)
        .max(4096)
        .describe('page-walk cache: entries of upper levels; 0 = none'),
      pwcHitCycles: cycles(),
      pwcNestedLeaves: z
        .boolean()
        .prefault(false)
        .describe('the page-walk cache holds the last entries of nested tables too'),
      nestedTlbEntries: z
        .int()
        .min(0)
        .max(4096)
        .describe('nested TLB: gPA of guest tables; 0 = none'),
      nestedTlbHitCycles: cycles(),
    }),
    caches: z.strictObject({
      l2: z.strictObject({
        size: size(),
        ways: z.int().min(1).max(64),
        hitCycles: cycles(),
        sharedByCores: z.int().min(1).max(2),
      }),
      l3: z.strictObject({
        size: size().describe('per die; 0 = the processor has no L3'),
        ways: z.int().min(1).max(64),
        hitCycles: cycles(),
      }),
    }),
    memory: z.strictObject({
      localCycles: cycles().describe('load to use from the local node'),
      hopPermille: z
        .array(z.int().min(1000).max(10_000))
        .describe('latency after 1, 2, … hops in thousandths of the local latency'),
    }),
    svm: z.strictObject({
      nestedPaging: z.boolean(),
      asids: z.int().min(2).max(65536).describe('CPUID Fn8000_000A EBX; ASID 0 is the host'),
      flushByAsid: z.boolean(),
      decodeAssists: z.boolean(),
      erratum170: z
        .boolean()
        .describe('ASIDs are unreliable: Xen does without and flushes at every VMRUN'),
      vmrunCycles: cycles(),
      vmexitCycles: cycles(),
      vmsaveCycles: cycles(),
      vmloadCycles: cycles(),
      stgiCycles: cycles(),
      clgiCycles: cycles(),
    }),
    instructions: z.strictObject({
      invlpg: cycles(),
      movCr3: cycles(),
      syscall: cycles(),
      sysret: cycles(),
      exception: cycles(),
      iret: cycles(),
      rdmsr: cycles(),
      wrmsr: cycles(),
      io: cycles(),
      fpuSwitch: cycles(),
      ipiDeliver: cycles(),
    }),
  })
  .describe('a processor: geometry, latencies and SVM features');

export type Processor = z.output<typeof processorSchema>;
export type TlbLevelSpec = z.output<typeof tlbLevel>;
