import * as z from 'zod';
import { type CallClass, callClasses, callClassNames } from './system-call-classes.ts';

/**
 * What a guest kernel (configs/kernels/*.yaml) does and how many instructions it takes. They run on
 * kernel text and data that go through TLBs and caches like any other. What the processor does is
 * priced there: SYSCALL, exceptions, CR3 loads, lines of memory. Stores to page tables, clearing
 * and copying are visits of their own.
 */
const path = (what: string) =>
  z.int().min(0).max(1_000_000).meta({ unit: 'instructions' }).describe(what);

const calls = Object.fromEntries(
  callClassNames.map((name) => [name, path(callClasses[name])]),
) as Record<CallClass, ReturnType<typeof path>>;

const instructions = z
  .strictObject({
    systemCall: path('a system call: entry and return, before and after the call itself'),
    exception: path('an exception or interrupt: registers saved and restored'),
    calls: z.strictObject(calls).describe('system calls by class, entry and return apart'),
    pageFault: path('a page fault: find the mapping and the entry, return; pages come on top'),
    takePage: path('a page that a fault takes: allocator, reverse map, list of pages'),
    chargePage: path('accounting of a page that is taken: memory control group'),
    filePage: path('a page that a fault finds in the page cache, and maps'),
    mapAround: path('a page of the page cache that a fault maps beside its own'),
    cowBreak: path('a copy-on-write break, besides the fault, the page and the copy'),
    freePage: path('a page given back to the allocator'),
    mmap: path('mmap, mremap or mprotect, besides table entries'),
    munmap: path('munmap, besides table entries and pages'),
    fork: path('fork, besides table entries'),
    copyEntry: path('a table entry that fork copies: reverse map, reference count'),
    exec: path('exec, besides tearing the old image down'),
    exit: path('exit and reaping of a process, besides tearing its image down'),
    changeEntry: path('a table entry that unmapping or mprotect changes: reverse map, count'),
    scanEntry: path('an entry of a last-level table that is only looked at'),
    contextSwitch: path('a scheduler pass and the switch to another thread'),
    wait: path('going to sleep or yielding, the switch apart: idle loop, wait queue, run queue'),
    timerTick: path('a timer tick'),
    interrupt: path('an interrupt of the disk, bottom half included'),
    networkInterrupt: path('an interrupt of the network card and the poll it starts'),
    blockIo: path('reading or writing a file that waits for the disk, requests apart'),
    diskRequest: path('a request to the disk: block layer and driver'),
    send: path('a system call that sends an answer, pieces and acknowledgements apart'),
    sendPiece: path('a piece through TCP, IP and the driver, its copy apart'),
    acknowledgement: path('an acknowledgement received, through driver, IP and TCP'),
    sendAcknowledgement: path('an acknowledgement made and sent'),
    receive: path('a packet with data through driver, IP and TCP to its socket'),
  })
  .describe('path lengths, in instructions');

export const kernelSchema = z
  .strictObject({
    cpi: z
      .number()
      .min(0.1)
      .max(16)
      .meta({ unit: 'cycles' })
      .describe('cycles per instruction of the kernel with every reference a hit'),
    hz: z
      .int()
      .min(0)
      .max(10_000)
      .meta({ unit: 'ticks a second' })
      .describe('timer ticks a second; 0 = none'),
    tickless: z.boolean().describe('no ticks while the guest idles; false: they go on'),
    tickPorts: z
      .int()
      .min(0)
      .max(64)
      .meta({ unit: 'port accesses' })
      .describe('accesses to ports of clock chips in each tick (RTC, PM timer): each is an exit'),
    faultAround: z
      .int()
      .min(1)
      .max(512)
      .refine((pages) => (pages & (pages - 1)) === 0, {
        error: ({ input }) => `faultAround is a power of two, 1, 2, 4, … 512: got ${input}`,
      })
      .meta({ unit: 'pages', range: 'a power of two of 1 to 512' })
      .describe('pages of the page cache that one read fault maps, aligned; 1 = its own alone'),
    flushPages: z
      .int()
      .min(0)
      .max(512)
      .meta({ unit: 'pages' })
      .describe('pages that are dropped from the TLB one by one (INVLPG); more by loading CR3'),
    pageTableIsolation: z
      .boolean()
      .describe('user mode has a top table of its own: CR3 is loaded at each entry and return'),
    instructions,
  })
  .describe('the guest kernel');

export type KernelProfile = z.output<typeof kernelSchema>;
