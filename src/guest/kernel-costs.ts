/**
 * Instructions of what every guest kernel does alike; kernel-schema.ts has what differs. Executed
 * at the workload's CPI.
 */
export const kernelInstructions = {
  /** Clearing a page: 64 lines. assumed (64-512) */
  clearPage: 256,
  /** Copying a page: 64 lines in, 64 out. assumed (128-1024) */
  copyPage: 512,
  /** vfork: a process without memory of its own. assumed (5000-12000) */
  vfork: 8000,
  /** Making a pipe: two files and an inode. assumed (2000-8000) */
  pipe: 4000,
  /** Copying 64 bytes between buffers, as in `copyPage`. assumed (2-16) */
  copyLine: 8,
  /** A new thread in the same process (clone). assumed (3000-15000) */
  clone: 6000,
  /** End of a thread whose process goes on. assumed (2000-10000) */
  threadExit: 4000,
} as const;

/**
 * Kernel instructions executed per visit to a text page before the path moves on. assumed (50-400)
 */
export const INSTRUCTIONS_PER_TEXT_VISIT = 150;
