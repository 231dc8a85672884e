import { Core } from './core.ts';
import { coreNeeds } from './core-arenas.ts';
import { type CacheTags, tagWords, tagWordsOfL1 } from './core-caches.ts';
import { arraySpace, entrySpace, memoSpace } from './entries.ts';
import { Evictions } from './evictions.ts';
import { Arena, heapSpace, type Space } from './heap.ts';
import { HOST_OWNER, HostMemory } from './host-memory.ts';
import { itemSpace } from './items.ts';
import type { MachineState } from './machine-state.ts';
import { channelWords, piecesFor, resetChannels } from './memory-channel.ts';
import type { PageTables } from './page-tables.ts';
import type { Processor } from './processor.ts';

export { HOST_OWNER };

export interface MachineOptions {
  /** Of the host, for errors. */
  readonly name?: string | undefined;
  readonly processor: Processor;
  readonly sockets: number;
  /** Use only this many pCPUs, from the first on; undefined = all. */
  readonly pcpus?: number | undefined;
  readonly memoryBytes: number;
  readonly dataLines: boolean;
  /** Cycles by which cores may run apart; undefined = they do not. */
  readonly lookahead?: number | undefined;
  readonly vcpuCount: number;
  readonly vmOf: Int32Array;
  /** The pool of all page tables, which the machines of a simulation share. */
  readonly tables: PageTables;
  /**
   * Count who evicts whose entries, which takes some per cent of the time of a run that misses all
   * the time.
   */
  readonly countEvictions?: boolean | undefined;
  /** See MachineState. */
  readonly freeLeaves?: Uint8Array | undefined;
  /** Items of visit blocks the caller needs. */
  readonly items: number;
}

/** A host's hardware: cores, caches and memory, and the pool of page tables that it shares. */
export interface Machine {
  readonly processor: Processor;
  readonly mhz: number;
  readonly cores: readonly Core[];
  readonly tables: PageTables;
  readonly memory: HostMemory;
  readonly nodeCount: number;
  readonly evictions: Evictions;
  /** Items for the layers above. */
  readonly items: Arena;
  /** Releases the hot state. The machine must not be used afterwards. */
  dispose(): void;
}

/** Cycles to memory of every node, seen from `node`: one hop inside a socket, then by distance. */
function latencies(processor: Processor, nodes: number, node: number): Int32Array {
  const { localCycles, hopPermille } = processor.memory;
  return Int32Array.from({ length: nodes }, (_, other) => {
    if (other === node) return localCycles;
    const perSocket = processor.diesPerSocket;
    // Two dies of a package, and up to four sockets in a square: neighbours are one hop apart, the
    // diagonal two.
    const near =
      Math.floor(other / perSocket) === Math.floor(node / perSocket) ||
      [1, 2, 4].includes(Math.floor(other / perSocket) ^ Math.floor(node / perSocket));
    const factor = hopPermille[near ? 0 : 1] ?? hopPermille.at(-1) ?? 1000;
    return Math.round((localCycles * factor) / 1000);
  });
}

export function buildMachine(options: MachineOptions): Machine {
  const { processor, sockets } = options;
  const { l1i, l2, l3 } = processor.caches;
  const l1Words = tagWordsOfL1(processor.caches);
  const nodeCount = sockets * processor.diesPerSocket;
  const coreCount = Math.min(options.pcpus ?? Infinity, nodeCount * processor.coresPerDie);
  const channelPieces = piecesFor(options.lookahead ?? 0);
  // The VMs, and a row for the host before them.
  const rows = Math.max(...options.vmOf) + 2;
  const needs = coreNeeds(processor, options.vcpuCount);
  const words =
    coreCount * needs.words +
    (Math.ceil(coreCount / l1i.sharedByCores) + coreCount) * (l1Words + 16) +
    Math.ceil(coreCount / l2.sharedByCores) * (tagWords(l2) + 16) +
    nodeCount * (tagWords(l3) + 16) +
    channelWords(nodeCount, channelPieces) +
    Evictions.words(rows, options.countEvictions === true) +
    1024;
  const regions: { space: Space; at: number }[] = [];
  const arenaOf = (space: Space, count: number): Arena => {
    const at = space.acquire(count);
    regions.push({ space, at });
    return new Arena(at, count);
  };
  const dispose = () => {
    for (const { space, at } of regions.splice(0)) space.release(at);
  };
  try {
    const arena = arenaOf(heapSpace, words);
    const arenas = {
      words: arena,
      entries: arenaOf(entrySpace, coreCount * needs.entries),
      arrays: arenaOf(arraySpace, coreCount * needs.arrays),
      memos: arenaOf(memoSpace, coreCount * needs.memos),
    };
    const { tables } = options;
    const memory = new HostMemory(options.memoryBytes, nodeCount, options.dataLines, options.name);
    const evictions = new Evictions(rows, options.countEvictions === true, arena);
    const state: MachineState = {
      processor,
      tables,
      memory,
      vcpuCount: options.vcpuCount,
      vmOf: options.vmOf,
      dataLines: options.dataLines,
      channelPieces,
      freeLeaves: options.freeLeaves,
      evictions,
    };
    const l3s = Array.from({ length: nodeCount }, () =>
      l3.size > 0 ? arena.take(tagWords(l3)) : 0,
    );
    const channels = arena.take(channelWords(nodeCount, channelPieces));
    resetChannels(channels, channelWords(nodeCount, channelPieces));
    const cores: Core[] = [];
    let tags: CacheTags = { l1i: 0, l1d: 0, l2: 0, l3: 0, channels };
    for (let id = 0; id < coreCount; id++) {
      const node = Math.floor(id / processor.coresPerDie);
      const isFirst = (sharers: number) => id % sharers === 0;
      tags = {
        l1i: isFirst(l1i.sharedByCores) ? arena.take(l1Words) : tags.l1i,
        l1d: arena.take(l1Words),
        l2: isFirst(l2.sharedByCores) ? arena.take(tagWords(l2)) : tags.l2,
        l3: l3s[node]!,
        channels,
      };
      cores.push(new Core(id, node, state, arenas, tags, latencies(processor, nodeCount, node)));
    }
    const wipe = (node: number) => {
      for (const { loss } of cores) loss.wipe(node);
    };
    tables.onReuse.push(wipe);
    return {
      processor,
      mhz: processor.clock / 1e6,
      cores,
      tables,
      memory,
      nodeCount,
      items: arenaOf(itemSpace, options.items),
      evictions,
      dispose() {
        // The tables may live on, with other machines.
        const at = tables.onReuse.indexOf(wipe);
        if (at >= 0) tables.onReuse.splice(at, 1);
        dispose();
      },
    };
  } catch (error) {
    dispose();
    throw error;
  }
}
