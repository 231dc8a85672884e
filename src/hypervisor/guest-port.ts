import type { Cycles } from '../base/ids.ts';
import type { Core } from '../machine/core.ts';

/**
 * What the hypervisor needs of a guest, and what it offers to one. Declared here, implemented in
 * guest/.
 */

/** First page of the guest kernel's direct map of all its memory: the last top-level slot. */
export const DIRECT_MAP = 15 << 27;

/** Why a guest gave the core back. */
export const GuestStop = {
  /** Its time is over, or an interrupt is pending. */
  Time: 0,
  /** HLT: nothing to run until an interrupt. */
  Halt: 1,
  /** Its turn, counted in references, is over. */
  Turn: 2,
  /** The work is done; the VM powers off. */
  Done: 3,
  /** A trace has no more input at the moment. */
  Starved: 4,
} as const;
export type GuestStop = (typeof GuestStop)[keyof typeof GuestStop];

/** Interrupts a guest can receive, as bits. */
export const Vector = { Timer: 1, Device: 2, Network: 4 } as const;

/** How a guest kernel is entered from user mode. */
export const Entry = {
  /** SYSCALL, and SYSRET back. */
  SystemCall: 0,
  /** An exception or an interrupt through the IDT, and IRET back. */
  Exception: 1,
} as const;
export type Entry = (typeof Entry)[keyof typeof Entry];

export interface Guest {
  /**
   * Executes until the core's time reaches `cpu.until` or something else ends the turn. Handles its
   * own faults and system calls. Called with the core in this vCPU's context.
   */
  run(cpu: GuestCpu): GuestStop;
  /** Interrupt handler of the guest kernel for one or more vectors. */
  interrupt(cpu: GuestCpu, vectors: number): void;
  /** References this turn may still take; 0 = no limit. Set by the hypervisor before a turn. */
  grantReferences(references: number): void;
  /** Top table of the current address space. */
  readonly root: number;
  /**
   * Steps of its program that it has completed: items, page faults handled, times it looked for
   * more to do. Two guests that execute the same program do the same between two of them.
   */
  readonly steps: number;
  /** Cycles that it goes on, at least, without asking for anything, unless it is interrupted. */
  readonly quiet?: Cycles;
  /** `run` ends after so many steps in all, with `Time`; `Infinity` = when it ends by itself. */
  stopAt(steps: number): void;
}

/** Requests from outside. Declared here, implemented in guest/. */
export interface RequestSource {
  /** The oldest request that nobody serves yet, by its arrival time; NaN = there is none. */
  take(): Cycles;
  /** The request that arrived at `arrival` has been answered at `now`. */
  finish(arrival: Cycles, now: Cycles): void;
}

/** The number of an I/O for which nobody waits. */
export const UNAWAITED = -1;

/** Disk I/O of a guest. */
export interface DiskIo {
  /** 0: what was written is to be on the disk. */
  readonly bytes: number;
  /** Cycles that it takes a disk which has nothing else to do. */
  readonly latency: Cycles;
  /** True: it changes the disk. */
  readonly write: boolean;
}

/**
 * A vCPU as the guest kernel uses it: privileged operations, priced by how the VM is virtualized.
 * Whatever a guest learns that its own instructions do not decide it learns from here: what these
 * methods return, where `until` ends its block, and which interrupts come between two items.
 */
export interface GuestCpu {
  readonly core: Core;
  /** When the core must be given back; comes nearer when a timer or an I/O is due earlier. */
  readonly until: Cycles;
  /** MOV CR3: switches the address space, or flushes it when `root` is the current one. */
  loadCr3(root: number): void;
  /**
   * Switches the address space without a flush, as if entries carried its number (trace studies).
   */
  loadTagged(root: number, space: number): void;
  /** What the guest's clock says: everything that it knows of time. */
  clock(): Cycles;
  /** From user mode to the kernel, and back. */
  enterKernel(how: Entry): void;
  leaveKernel(how: Entry): void;
  /**
   * The TLBs drop what they hold of so many pages, or (0) of the VM, and nothing is charged (trace
   * studies).
   */
  dropTranslations(vpn: number, pages: number): void;
  /** Drops one page of the current address space. */
  invlpg(vpn: number): void;
  /**
   * Stores a page-table entry: `slot` names it, the kernel's direct map of its frame is written.
   */
  storePte(slot: number, entry: number): void;
  /**
   * Disk I/O: a doorbell for each request that it takes. Each request is answered by an interrupt,
   * the last one `latency` cycles after its doorbell, or later where disk or host are busy. `io` is
   * how the guest numbers it, see `takeCompletion`.
   */
  startIo(request: DiskIo, io: number): void;
  /**
   * Sends bytes, at most a window, to the outside world, which acknowledges them. `io` is over when
   * the last acknowledgement has arrived; `UNAWAITED`: nobody wants to know.
   */
  send(bytes: number, io: number): void;
  /** The number of an I/O that is over, the first one first and each once; NaN = none more. */
  takeCompletion(): number;
  /** Acknowledges so many bytes received, where no answer does. */
  acknowledge(bytes: number): void;
  /** The oldest request that has arrived and nobody serves, by its arrival time; NaN = none. */
  takeRequest(): Cycles;
  /**
   * The answer to the request that arrived at `arrival` is with the network card: the request ends
   * when it has left the host.
   */
  endRequest(arrival: Cycles): void;
  /** Reads and writes of I/O ports that the hypervisor answers without other work. */
  accessPorts(count: number): void;
  /**
   * What the handler of these vectors does to devices, and the end-of-interrupt write to the local
   * APIC.
   */
  endOfInterrupt(vectors: number): void;
  /** Arms the guest's one-shot timer. */
  setTimer(cyclesFromNow: Cycles): void;
  clearTimer(): void;
}
