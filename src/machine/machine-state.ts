import type { Evictions } from './evictions.ts';
import type { HostMemory } from './host-memory.ts';
import type { PageTables } from './page-tables.ts';
import type { Processor } from './processor.ts';

/** State shared by the cores of a machine. */
export interface MachineState {
  readonly processor: Processor;
  readonly tables: PageTables;
  readonly memory: HostMemory;
  readonly vcpuCount: number;
  /** VM of each vCPU. */
  readonly vmOf: Int32Array;
  readonly dataLines: boolean;
  /** Pieces of time that the channels of a node remember (memory-channel.ts). */
  readonly channelPieces: number;
  /**
   * By leaf: 1 = its cycles are neither charged nor passed. Undefined = every leaf costs what it
   * costs.
   */
  readonly freeLeaves: Uint8Array | undefined;
  readonly evictions: Evictions;
}
