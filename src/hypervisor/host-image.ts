import { HOST_OWNER } from '../machine/host-memory.ts';
import type { Machine } from '../machine/machine.ts';
import { indexAt, type PageTables, PTE_SHIFT, Pte, target } from '../machine/page-tables.ts';

/**
 * The address space in which the host's software runs, in pages of 4 KiB: where its parts lie, and
 * the tables that map them. Tables and frames are real, and are taken when they are first needed.
 */

/** Top-level slot of each part, 2^27 pages apart. */
const SLOT = 2 ** 27;
/** User space: the device model of each VM with the VM's memory. */
const WINDOW = 2 ** 22;
/** All memory of the host, in pages of 2 MiB. */
export const DIRECT = 8 * SLOT;
/** Text of the kernel, then that of handlers in modules, then that of device models. */
export const TEXT = { kernel: 9 * SLOT, hypervisor: 10 * SLOT, user: 7 * SLOT } as const;
/** Records of guest frames. */
const RECORDS = 11 * SLOT;
const RECORD_SPAN = 2 ** 21;

/** 4K and 2M, as the TLBs number them. */
export const SMALL = 0;
export const LARGE = 1;

const ENTRY = Pte.Present | Pte.Writable | Pte.Accessed | Pte.Dirty;

/** Where QEMU maps the memory of a VM begins at another page in each process, as mmap draws it. */
const scattered = (vm: number): number => (Math.imul(vm + 1, 0x9e3779b1) >>> 16) & 0xffff;

/** Host page through which the host's software reaches a guest frame in user space. */
export const guestPageOf = (vm: number, gfn: number): number =>
  ((vm & 127) * WINDOW + scattered(vm) + gfn) % (7 * SLOT);

/** Host page of the n-th page of a VM's records of a kind (0 = its reverse map). */
export const recordPageOf = (vm: number, kind: number, page: number): number =>
  RECORDS + (vm & 255) * RECORD_SPAN + (kind === 0 ? 0 : 2 ** 16 + (kind - 1) * 2 ** 19) + page;

/** The part of each node that records, structures and tables of the host may take: 1/128. */
const SHARE = 7;

/** Frames that a node gives to the host for itself, and how many of them are in use. */
interface Reserve {
  readonly first: number;
  readonly frames: number;
  used: number;
}

/**
 * All of it lies in frames that are set aside when the host boots, so that what VMs can have does
 * not depend on what they do. On small hosts parts of it share frames.
 */
export class HostImage {
  readonly root: number;
  /** Tables that map it. */
  tableCount = 1;
  readonly #tables: PageTables;
  /** By node. */
  readonly #reserves: readonly Reserve[];
  /** Frames behind pages of records. */
  readonly #behind = new Map<number, number>();

  /** `text`: bytes of code, which lies on the first node. */
  constructor({ memory, tables }: Machine, text: number) {
    this.#tables = tables;
    const share = Math.max(16, memory.framesPerNode >> SHARE);
    this.#reserves = Array.from({ length: memory.nodes }, (_, node) => {
      const code = node === 0 ? Math.min(Math.ceil(text / 4096), share * 4) : 0;
      const frames = share + code;
      return { first: memory.takeRange(node, HOST_OWNER, frames, 1), frames, used: 0 };
    });
    this.root = tables.alloc(this.take(0));
  }

  /** A frame of the host's own, on `node`. */
  take(node: number): number {
    const reserve = this.#reserves[node]!;
    return reserve.first + (reserve.used++ % reserve.frames);
  }

  /** Sees that a page is mapped, with `size`. What it is mapped to does not matter to a walk. */
  map(page: number, size: number): void {
    const tables = this.#tables;
    let node = this.root;
    for (let level = 4; level > size + 1; level--) {
      const slot = (node << 9) | indexAt(page, level);
      let entry = tables.entries[slot]!;
      if (entry === 0) {
        this.tableCount++;
        entry = (tables.alloc(this.take(0)) << PTE_SHIFT) | ENTRY;
        tables.set(slot, entry);
      }
      node = target(entry);
    }
    const slot = (node << 9) | indexAt(page, size + 1);
    if (tables.entries[slot] === 0) tables.set(slot, ENTRY | (size === LARGE ? Pte.Large : 0));
  }

  /** The frame behind a page of records, on `node` if it is new. */
  behind(page: number, node: number): number {
    let frame = this.#behind.get(page);
    if (frame === undefined) this.#behind.set(page, (frame = this.take(node)));
    return frame;
  }
}
