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
const cycles = (meaning: string) =>
  z.int().min(0).max(1_000_000).meta({ unit: 'cycles' }).describe(meaning);
const cacheWays = () =>
  z
    .int()
    .min(1)
    .max(64)
    .meta({ unit: 'ways' })
    .describe('associativity: places that one line may lie in');

const sharers = (meaning: string) =>
  z.int().min(1).max(2).meta({ unit: 'cores' }).describe(meaning);

const tlbArray = (pages: string) =>
  z
    .strictObject({
      entries: count()
        .meta({ unit: 'entries' })
        .describe('entries; 0 = this level does not hold this page size'),
      ways: z
        .union([z.literal('full'), z.int().min(1).max(64)], {
          error: 'ways must be full or a whole number from 1 to 64',
        })
        .meta({ unit: 'ways' })
        .describe('associativity; `full` = fully associative'),
    })
    .describe(`array for pages of ${pages}`);

const tlbLevel = (which: string) =>
  z
    .strictObject({
      '4K': tlbArray('4 KiB'),
      '2M': tlbArray('2 MiB'),
      '1G': tlbArray('1 GiB'),
      shared: z
        .boolean()
        .prefault(false)
        .describe('one array holds all page sizes; its size is that of the 4K line'),
    })
    .describe(`${which}, by page size`);

export const processorSchema = z
  .strictObject({
    name: z.string().describe('name of the processor in results'),
    codename: z.string().describe('code name of the design, for example Barcelona'),
    family: z.string().describe('processor family and revision, for example 10h rev B3'),
    clock: frequency().describe('core clock; the unit of simulated time'),
    diesPerSocket: z
      .int()
      .min(1)
      .max(4)
      .meta({ unit: 'dies' })
      .describe('dies in one package; each is a memory node of its own'),
    coresPerDie: z.int().min(1).max(16).meta({ unit: 'cores' }).describe('cores on one die'),
    tlb: z
      .strictObject({
        l1i: tlbLevel('first-level TLB for instructions'),
        l1d: tlbLevel('first-level TLB for data'),
        l2i: tlbLevel('second-level TLB for instructions'),
        l2d: tlbLevel('second-level TLB for data'),
        fill: z
          .enum(['both', 'victim'])
          .describe('both: a miss fills L1 and L2; victim: L2 holds only what L1 evicts'),
        l2HitCycles: cycles('penalty of an L1 miss that hits the L2'),
      })
      .describe('translation look-aside buffers of one core'),
    walk: z
      .strictObject({
        overheadCycles: cycles('fixed cost of a page walk'),
        pwcEntries: z
          .int()
          .min(0)
          .max(4096)
          .meta({ unit: 'entries' })
          .describe('page-walk cache: entries of upper levels; 0 = none'),
        pwcHitCycles: cycles('cost of a step that hits the page-walk cache'),
        pwcNestedLeaves: z
          .boolean()
          .prefault(false)
          .describe('the page-walk cache holds the last entries of nested tables too'),
        nestedTlbEntries: z
          .int()
          .min(0)
          .max(4096)
          .meta({ unit: 'entries' })
          .describe('nested TLB: gPA of guest tables; 0 = none'),
        nestedTlbHitCycles: cycles('cost of a step that hits the nested TLB'),
        reads: z
          .enum(['l1', 'l2'])
          .describe('where walks look for entries first: in the L1 data cache, or in the L2'),
      })
      .describe('what a page walk costs, and the caches that shorten it'),
    caches: z
      .strictObject({
        l1i: z
          .strictObject({
            size: size().describe('size of one L1 instruction cache'),
            ways: cacheWays(),
            sharedByCores: sharers('cores that share one L1 instruction cache'),
          })
          .describe('first-level cache for instructions'),
        l1d: z
          .strictObject({
            size: size().describe('size of one L1 data cache'),
            ways: cacheWays(),
            hitCycles: cycles('load to use when the L1 hits; part of the CPI'),
          })
          .describe('first-level cache for data, one per core'),
        l2: z
          .strictObject({
            size: size().describe('size of one L2 cache'),
            ways: cacheWays(),
            hitCycles: cycles('load to use when the L2 hits'),
            sharedByCores: sharers('cores that share one L2 cache'),
            exclusive: z
              .boolean()
              .describe('the L2 holds what the L1s evict; false: also what they hold'),
          })
          .describe('second-level cache'),
        l3: z
          .strictObject({
            size: size().describe('per die; 0 = the processor has no L3'),
            ways: cacheWays(),
            hitCycles: cycles('load to use when the L3 hits'),
          })
          .describe('third-level cache, one per die'),
        prefetch: z
          .strictObject({
            sequential: z
              .int()
              .min(0)
              .max(1000)
              .meta({ unit: 'thousandths' })
              .describe('part of the latency of L2, L3 and memory that lines in a row do not see'),
          })
          .describe('hardware prefetchers'),
      })
      .describe('caches, and what fills them early'),
    memory: z
      .strictObject({
        localCycles: cycles('load to use from the local node'),
        hopPermille: z
          .array(z.int().min(1000).max(10_000))
          .min(1)
          .max(2)
          .meta({ unit: 'thousandths of the local latency' })
          .describe('latency after one hop and after two in thousandths of the local latency'),
        lineCycles: z
          .int()
          .min(1)
          .max(1024)
          .meta({ unit: 'cycles' })
          .describe('time that 64 bytes occupy the channels of a node (sustained bandwidth)'),
      })
      .describe('latency and bandwidth of main memory'),
    svm: z
      .strictObject({
        nestedPaging: z.boolean().describe('the processor has nested paging (RVI, NPT)'),
        asids: z
          .int()
          .min(2)
          .max(65536)
          .meta({ unit: 'ASIDs' })
          .describe('ASIDs that the processor has, 0 (the host) included'),
        flushByAsid: z.boolean().describe('VMRUN can flush the entries of a single ASID'),
        decodeAssists: z
          .boolean()
          .describe('an exit reports the bytes of its instruction, which need not be fetched'),
        erratum170: z
          .boolean()
          .describe('ASIDs are unreliable: Xen does without and flushes at every VMRUN'),
        vmrunCycles: cycles('VMRUN: enter the guest'),
        vmexitCycles: cycles('#VMEXIT: leave the guest'),
        vmcbReloadCycles: cycles(
          'longer VMRUN when the hypervisor does not say what of the VMCB is unchanged ' +
            '(clean bits)',
        ).prefault(0),
        vmsaveCycles: cycles('VMSAVE: store the rest of the guest state'),
        vmloadCycles: cycles('VMLOAD: load the rest of the guest state'),
        stgiCycles: cycles('STGI: set the global interrupt flag'),
        clgiCycles: cycles('CLGI: clear the global interrupt flag'),
      })
      .describe('hardware virtualization (SVM): features and costs'),
    instructions: z
      .strictObject({
        invlpg: cycles('INVLPG: drop the translation of one page'),
        movCr3: cycles('MOV to CR3: change the address space'),
        syscall: cycles('SYSCALL: enter the kernel'),
        sysret: cycles('SYSRET: return to user mode'),
        exception: cycles('deliver an exception or interrupt'),
        iret: cycles('IRET: return from an exception or interrupt'),
        rdmsr: cycles('RDMSR: read a model-specific register'),
        wrmsr: cycles('WRMSR: write a model-specific register'),
        io: cycles('IN or OUT: access an I/O port'),
        fpuSwitch: cycles('save and load the floating-point state'),
        ipiDeliver: cycles('from sending an interprocessor interrupt to its arrival'),
      })
      .describe('cost of single instructions and events, without their memory accesses'),
  })
  .describe('a processor: geometry, latencies and SVM features');

export type Processor = z.output<typeof processorSchema>;
export type TlbLevelSpec = z.output<ReturnType<typeof tlbLevel>>;
