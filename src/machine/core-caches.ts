import type { MachineState } from './machine-state.ts';

/** What a core knows of the caches and the memory that it reads lines from (caches.ts). */
export class CoreCaches {
  /** The most recent tag of each set of the L2, and where the others begin. */
  readonly l2Newest: number;
  readonly l2Others: number;
  readonly l2Ways: number;
  readonly l2SetMask: number;
  readonly l2Cycles: number;
  /** First tag of the L3; 0 = there is none. */
  readonly l3Tags: number;
  readonly l3Ways: number;
  readonly l3SetMask: number;
  readonly l3Cycles: number;
  /** Cycles to memory where there is one node, and else by node. */
  readonly dramCycles: number;
  readonly dramByNode: Int32Array;
  readonly nodes: number;
  readonly framesPerNode: number;
  /** 1 = visits touch data lines. */
  readonly dataOn: number;
  readonly lineState: Int32Array;
  readonly frameOwner: Uint16Array;
  /**
   * Why the line that `access` (caches.ts) brought in last was missing from the L2: valid if it
   * was, until the next call.
   */
  lineCause = 0;

  constructor(state: MachineState, at: { l2Tags: number; l3Tags: number; dramByNode: Int32Array }) {
    const { processor, memory } = state;
    const { l2, l3 } = processor.caches;
    this.l2Newest = at.l2Tags;
    this.l2Ways = l2.ways;
    this.l2SetMask = l2.size / 64 / l2.ways - 1;
    this.l2Others = this.l2Newest + this.l2SetMask + 1;
    this.l2Cycles = l2.hitCycles;
    this.l3Tags = at.l3Tags;
    this.l3Ways = l3.ways;
    this.l3SetMask = l3.size > 0 ? l3.size / 64 / l3.ways - 1 : 0;
    this.l3Cycles = l3.hitCycles;
    this.dramCycles = processor.memory.localCycles;
    this.dramByNode = at.dramByNode;
    this.nodes = memory.nodes;
    this.framesPerNode = memory.framesPerNode;
    this.dataOn = state.dataLines ? 1 : 0;
    this.lineState = memory.lineState;
    this.frameOwner = memory.owner;
  }
}
