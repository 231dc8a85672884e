/**
 * The two layouts of ChampSim's records (ChampSim, `trace_instruction.h`). Nothing in a file tells
 * them apart except the records themselves. Offsets are in bytes. Both begin with the instruction
 * pointer (8 bytes), is-branch and branch-taken (1 each) and the numbers of registers; addresses
 * have 8 bytes, 0 = none.
 */
export interface Layout {
  /** The word for `--from`. */
  readonly name: string;
  /** Bytes of a record. */
  readonly size: number;
  readonly stores: readonly number[];
  readonly loads: readonly number[];
  /** Number of the address space, 2 bytes; -1: there is none. */
  readonly space: number;
}

/** `input_instr`: 2 registers written, 4 read, 2 addresses stored to, 4 loaded from. */
export const usualLayout: Layout = {
  name: 'champsim',
  size: 64,
  stores: [16, 24],
  loads: [32, 40, 48, 56],
  space: -1,
};

/**
 * `cloudsuite_instr`: 4 registers written, 4 read, 4 addresses each, the address space; 6 + 6 bytes
 * of padding.
 */
export const wideLayout: Layout = {
  name: 'champsim-cloudsuite',
  size: 96,
  stores: [24, 32, 40, 48],
  loads: [56, 64, 72, 80],
  space: 88,
};

/** From this many steps between fetch addresses on, some of them must stay in their page. */
const STEPS = 8;
/** Share of these steps that do in any program: most instructions follow the one before. */
const NEAR = 1 / 8;

/** What speaks against a layout. `near`: the share of `steps` that stay within a page. */
interface Verdict {
  readonly layout: Layout;
  readonly against: string | undefined;
  /** No record is impossible; the steps speak against it. */
  readonly possible: boolean;
  readonly near: number;
}

/**
 * Tells the layout from the first records. `whole`: nothing follows `head`. Returns the name for
 * `--from`, or why neither or both layouts are possible.
 */
export function judgeLayout(head: Uint8Array, whole: boolean): { name?: string; why: string } {
  const usual = examine(head, whole, usualLayout);
  const wide = examine(head, whole, wideLayout);
  const good = [usual, wide].filter(({ against }) => against === undefined);
  if (good.length === 1) return { name: good[0]!.layout.name, why: '' };
  if (good.length === 0) {
    return {
      why: [usual, wide].map(({ layout, against }) => `${layout.size}: ${against}`).join('; '),
    };
  }
  // Both are possible: consecutive fetches decide.
  const [better, other] = good.toSorted((a, b) => b.near - a.near) as [Verdict, Verdict];
  if (better.near >= 4 * NEAR && other.near === 0) return { name: better.layout.name, why: '' };
  return { why: 'its records may be of 64 or of 96 bytes' };
}

/** What speaks against reading the file as `name`, which was asked for; undefined = nothing. */
export function againstLayout(name: string, head: Uint8Array): string | undefined {
  const layout = [usualLayout, wideLayout].find((candidate) => candidate.name === name);
  if (!layout) return undefined;
  const { possible, against } = examine(head, false, layout);
  return possible ? against : undefined;
}

function examine(head: Uint8Array, whole: boolean, layout: Layout): Verdict {
  const { size } = layout;
  const no = (against: string): Verdict => ({ layout, against, possible: false, near: 0 });
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  let steps = 0;
  let near = 0;
  let lastHigh = 0;
  let lastPage = 0;
  let lastLow = 0;
  for (let at = 0; at + size <= head.length; at += size) {
    const record = `record ${at / size + 1} (at byte ${at})`;
    const low = view.getUint32(at, true);
    const high = view.getUint32(at + 4, true);
    if (low === 0 && high === 0) return no(`${record} fetches from address 0`);
    if (head[at + 8]! > 1 || head[at + 9]! > 1) {
      return no(`the branch flags of ${record} are not 0 or 1`);
    }
    for (const offset of [0, ...layout.stores, ...layout.loads]) {
      if (isCanonical(head, at + offset)) continue;
      return no(`${record} has an address that is not canonical`);
    }
    const page = low >>> 12;
    if (at > 0 && (low !== lastLow || high !== lastHigh)) {
      steps++;
      if (page === lastPage && high === lastHigh) near++;
    }
    lastHigh = high;
    lastPage = page;
    lastLow = low;
  }
  if (head.length < size) return no('it is shorter than one record');
  if (whole && head.length % size !== 0) {
    return no(`${head.length} bytes are no whole number of records`);
  }
  const share = steps === 0 ? 0 : near / steps;
  const against =
    steps >= STEPS && share < NEAR
      ? `fetch addresses hardly ever stay in a page (${near} of ${steps} steps)`
      : undefined;
  return { layout, against, possible: true, near: share };
}

/** Whether bits 63 to 47 of the little-endian address at `at` are equal. */
export function isCanonical(bytes: Uint8Array, at: number): boolean {
  const top = (bytes[at + 5]! >> 7) | (bytes[at + 6]! << 1) | (bytes[at + 7]! << 9);
  return top === 0 || top === 0x1ffff;
}
