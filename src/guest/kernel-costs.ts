/**
 * Path lengths of the guest kernel, in instructions (executed at the workload's CPI, on kernel text
 * and data pages that go through the TLBs like any other). Stores to page tables, page clearing and
 * copying are not in here: they are visits of their own. Nobody published these per kernel; all are
 * assumed, with a range that a sensitivity sweep should cover. Anchors: a whole native page fault
 * is 1000-1500 cycles on K8 and Family 10h, 1093 on a Pentium 4 (Adams & Agesen 2006).
 */
export const kernelInstructions = {
  /** Page fault: find the mapping, allocate, account. assumed (400-1000) */
  pageFault: 600,
  /** Copy-on-write break besides the copy. assumed (300-900) */
  cowBreak: 500,
  /** Clearing a page: 64 lines. assumed (64-512) */
  clearPage: 256,
  /** Copying a page: 64 lines in, 64 out. assumed (128-1024) */
  copyPage: 512,
  /**
   * Scheduler pass and switch to another thread. Between threads of one process that is all; a load
   * of CR3 comes on top between processes. assumed (800-3000)
   */
  contextSwitch: 1500,
  /** Timer tick. assumed (1000-4000) */
  timerTick: 2000,
  /** Interrupt of the disk, bottom half included. assumed (1500-6000) */
  interrupt: 3000,
  /** Interrupt of the network card and the poll it starts, packets apart. assumed (500-3000) */
  networkInterrupt: 1000,
  /** mmap or mprotect besides table entries. assumed (800-2500) */
  mmap: 1500,
  /** munmap besides table entries. assumed (800-2500) */
  munmap: 1500,
  /** fork besides table entries. assumed (10000-50000) */
  fork: 20000,
  /** exec besides tearing the old image down. assumed (20000-100000) */
  exec: 40000,
  /** Process exit and reaping besides tearing the image down. assumed (5000-20000) */
  exit: 10000,
  /** A new thread in the same process (clone). assumed (3000-15000) */
  clone: 6000,
  /** End of a thread whose process goes on. assumed (2000-10000) */
  threadExit: 4000,
  /** Per entry copied by fork or cleared by unmap. assumed (5-20) */
  perEntry: 10,
  /**
   * Per entry of a last-level table that unmap or mprotect looks at, present or not. assumed (1-4)
   */
  perSlot: 2,
  /** Copying 64 bytes between buffers, as in `copyPage`. assumed (2-16) */
  copyLine: 8,
  /**
   * Reading or writing a file that has to wait for the disk, requests apart. assumed (2000-7000)
   */
  blockIo: 3500,
  /** One request to the disk: block layer and driver. assumed (800-4000) */
  diskRequest: 1500,
  /** System call that sends a response, pieces and acknowledgements apart. assumed (1500-6000) */
  send: 2500,
  /** One piece through TCP, IP and the driver; its copy is priced by line. assumed (1000-5000) */
  sendPiece: 2000,
  /** One acknowledgement through driver, IP and TCP. assumed (700-4000) */
  acknowledgement: 1500,
  /** Sending one acknowledgement: TCP makes it itself. assumed (500-2500) */
  sendAcknowledgement: 1000,
  /** One packet with data through driver, IP and TCP to its socket. assumed (1200-6000) */
  receive: 2500,
  /** Going idle and waking up again. assumed (300-1500) */
  idle: 600,
} as const;

/**
 * Kernel instructions executed per visit to a text page before the path moves on. assumed (50-400)
 */
export const INSTRUCTIONS_PER_TEXT_VISIT = 150;
