import * as z from 'zod';

/**
 * What a hypervisor profile (configs/hypervisors/*.yaml) charges for the steps of its own code.
 * Hardware steps (VMRUN, a page-table read, a cache line) are priced by the processor; these are
 * path lengths of software: instructions at one cycle each, as if TLBs and caches had all that they
 * touch. What handlers touch (footprint.ts) is touched for real, and its misses come on top.
 */
const cycles = () => z.int().min(0).max(10_000_000).meta({ unit: 'cycles' });

export const costsSchema = z
  .strictObject({
    exitPath: cycles().describe(
      'software part of every exit and entry: register save, dispatch, request checks',
    ),
    vmsaveEveryExit: z
      .boolean()
      .describe(
        'VMLOAD before and VMSAVE after each VMRUN (KVM); otherwise only at a vCPU switch (Xen)',
      ),
    cleanBits: z
      .boolean()
      .describe('says which parts of a VMCB are unchanged, where the processor takes notice'),
    guestInterruptFlag: z.boolean().describe('CLGI and STGI around VMRUN'),
    decode: cycles().describe(
      'instruction emulator: decode one instruction after its bytes were fetched',
    ),
    decodeAssists: z
      .boolean()
      .describe('uses the decode assists of a processor that has them (Family 15h)'),
    emulateWrite: cycles().describe('emulator: perform one page-table store, revalidate'),
    faultPath: cycles().describe('page-fault exit: classify, lock, look the shadow or memslot up'),
    shadowPageAlloc: cycles().describe(
      'take a shadow page, hash it, link it (clearing it comes on top)',
    ),
    shadowLookup: cycles().describe('find a shadow page in the hash'),
    shadowFill: cycles().describe('install one shadow entry and its reverse mapping'),
    syncEntry: cycles().describe('compare one present shadow entry with its guest entry'),
    zapEntry: cycles().describe('drop one shadow entry and its reverse mapping'),
    rmapEntry: cycles().describe('visit one reverse mapping to write-protect a table'),
    injectEvent: cycles().describe('queue and inject one exception or interrupt'),
    hostFault: cycles().describe('back one guest page on first touch: host fault, allocation'),
    nestedFill: cycles().describe('install one nested entry'),
    apicAccess: cycles().describe('emulate one local-APIC register access'),
    timer: cycles().describe('host timer interrupt: expire and re-arm one guest timer'),
    halt: cycles().describe('HLT: put the vCPU to sleep'),
    wake: cycles().describe('wake a sleeping vCPU'),
    deviceKernel: cycles().describe('one doorbell of a device, part inside the hypervisor'),
    deviceUser: cycles().describe(
      'one doorbell in the device model (QEMU, Dom0), packets and bytes apart; lands in `host`',
    ),
    hostInterrupt: cycles().describe('one physical device interrupt, lands in `host`'),
    vcpuSwitch: cycles().describe(
      'scheduler pass and context switch between vCPUs, without the hardware steps',
    ),
    switchMsrs: z
      .int()
      .min(0)
      .max(64)
      .meta({ unit: 'MSRs' })
      .describe('MSRs read on load and written on put'),
    eoiExits: z.boolean().describe('end of interrupt is an APIC write that exits'),
    timerExits: z.boolean().describe('arming the one-shot timer is an APIC write that exits'),
    x2apic: z
      .boolean()
      .describe('the guest writes APIC registers as MSRs: no instruction has to be decoded'),
    hostHz: z
      .int()
      .min(0)
      .max(10_000)
      .meta({ unit: 'ticks a second' })
      .describe('host timer ticks a second on a busy pCPU; each is an INTR exit'),
  })
  .describe('path lengths of the hypervisor, in cycles');

export type HypervisorCosts = z.output<typeof costsSchema>;
