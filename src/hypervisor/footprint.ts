import * as z from 'zod';
import { showSize, size } from '../base/units.ts';

/**
 * What the handlers of a hypervisor profile touch besides the cycles that their paths take
 * (costs.ts): lines of code, stack and data, through the host's own page tables. All of it goes
 * through TLBs and caches of the core, costs nothing while it is there, and displaces what guests
 * had there.
 */
const lines = (what: string) =>
  z.int().min(0).max(512).meta({ unit: 'lines of 64 bytes' }).describe(what);

const HOST_PAGES = [2 ** 12, 2 ** 21];

const hostPage = (what: string) =>
  size()
    .refine((bytes) => HOST_PAGES.includes(bytes), {
      error: ({ input }) => `a page of the host is 4KiB or 2MiB: got ${showSize(input as number)}`,
    })
    .meta({ only: HOST_PAGES })
    .describe(what);

const text = (whose: string) =>
  z
    .strictObject({
      size: size()
        .refine((bytes) => bytes >= 4096 && bytes <= 2 ** 22, {
          error: ({ input }) => `text takes from 4KiB to 4MiB: got ${showSize(input as number)}`,
        })
        .describe('bytes over which the functions of its paths lie scattered'),
      page: hostPage('size of the pages that map it: 4KiB or 2MiB'),
    })
    .describe(whose);

export const footprintSchema = z
  .strictObject({
    touches: z
      .boolean()
      .prefault(true)
      .describe('false: handlers take their cycles and touch nothing'),
    hypervisor: text('text of exit handlers: KVM modules, Xen, the monitor of ESX'),
    kernel: text('text of scheduler, timers, memory management: host kernel, Xen, VMkernel'),
    user: text('text of the device model: QEMU, Dom0, the VMX process'),
    instructionsPerLine: z
      .int()
      .min(1)
      .max(64)
      .meta({ unit: 'instructions' })
      .describe('instructions of a path (at one cycle each) for every line of text it fetches'),
    overlap: z
      .number()
      .min(0)
      .max(1)
      .meta({ unit: 'share, 0 to 1' })
      .describe('share of the latency of data lines that handlers hide by other work'),
    stackLines: lines('stack that an exit uses'),
    stackPerCpu: z
      .boolean()
      .describe('the stack belongs to the pCPU (Xen), not to the thread of the vCPU'),
    vcpuLines: lines('structures of the vCPU that each exit uses, the VMCB apart'),
    vmLines: lines('structures of the VM that a fault looks at: memory slots, locks, hash'),
    frameLines: lines('records of a guest frame that is mapped or unmapped: its reverse map'),
    framePage: hostPage('size of the pages that map these records: 4KiB or 2MiB'),
    guestPage: hostPage(
      'size of the host pages through which software walks read guest memory: 4KiB or 2MiB',
    ),
    userLines: lines('stack and data of the device model for one request'),
    switchFlush: z
      .enum(['user', 'all'])
      .describe(
        'translations of the host that a switch to another VM drops: those of user space, or all',
      ),
  })
  .describe('what handlers touch: lines of code, stack and data');

export type Footprint = z.output<typeof footprintSchema>;
