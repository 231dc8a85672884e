/**
 * A slow two-level TLB with exact LRU, written to be read: one Map per set, oldest entry first. Knows the text
 * of page traces by itself, so that it shares nothing with what it judges.
 */
export interface Level {
  readonly entries: number;
  readonly ways: number | 'full';
}

/** One side: first level, second level (0 entries = none), and whether the second holds only victims. */
export class NaiveTlb {
  misses = 0;
  walks = 0;
  readonly #first: Level;
  readonly #second: Level;
  readonly #victim: boolean;
  #sets1 = new Map<number, Map<string, number>>();
  #sets2 = new Map<number, Map<string, number>>();

  constructor(first: Level, second: Level, victim: boolean) {
    this.#first = first;
    this.#second = second;
    this.#victim = victim;
  }

  flush(): void {
    this.#sets1.clear();
    this.#sets2.clear();
  }

  access(tag: string, page: number): void {
    const key = `${tag}/${page}`;
    const set1 = setOf(this.#sets1, this.#first, page);
    if (refresh(set1, key, page)) return;
    this.misses++;
    const set2 = setOf(this.#sets2, this.#second, page);
    const held = this.#second.entries > 0 && refresh(set2, key, page);
    if (!held) this.walks++;
    if (held && this.#victim) set2.delete(key);
    if (!held && !this.#victim) insert(set2, this.#second, key, page);
    const evicted = insert(set1, this.#first, key, page);
    if (evicted && this.#victim) {
      insert(setOf(this.#sets2, this.#second, evicted[1]), this.#second, ...evicted);
    }
  }
}

const waysOf = ({ entries, ways }: Level): number => (ways === 'full' ? entries : ways);

function setOf(sets: Map<number, Map<string, number>>, level: Level, page: number) {
  const index = level.entries > 0 ? page % (level.entries / waysOf(level)) : 0;
  const set = sets.get(index) ?? new Map<string, number>();
  sets.set(index, set);
  return set;
}

/** Makes `key` the newest if it is there. */
function refresh(set: Map<string, number>, key: string, page: number): boolean {
  if (!set.delete(key)) return false;
  set.set(key, page);
  return true;
}

/** Adds `key` as the newest; returns what had to go. */
function insert(
  set: Map<string, number>,
  level: Level,
  key: string,
  page: number,
): [string, number] | undefined {
  if (level.entries === 0) return undefined;
  let evicted: [string, number] | undefined;
  if (set.size === waysOf(level)) {
    evicted = set.entries().next().value!;
    set.delete(evicted[0]);
  }
  set.set(key, page);
  return evicted;
}

interface Touch {
  readonly side: 'I' | 'D';
  readonly space: string;
  readonly page: number;
}

/** Every single touch of a trace, in order. */
export function touchesOf(text: string): Touch[] {
  const touches: Touch[] = [];
  const last = { I: 0, D: 0 };
  let space = '0';
  for (const line of text.split('\n')) {
    const [letter, count, hex] = line.split(' ') as [string, string, string | undefined];
    if (letter === 'P') space = count;
    if (!'ILSM'.includes(letter) || letter === '') continue;
    const side = letter === 'I' ? 'I' : 'D';
    if (hex !== undefined) last[side] = Number.parseInt(hex, 16);
    for (let i = 0; i < Number(count); i++) touches.push({ side, space, page: last[side] });
  }
  return touches;
}

export interface NaiveSetup {
  readonly traces: readonly string[];
  /** References of a turn. */
  readonly q: number;
  /** References of each VM; 0 = all. */
  readonly limit: number;
  readonly flush: boolean;
  readonly victim: boolean;
  readonly l1i: Level;
  readonly l1d: Level;
  readonly l2i: Level;
  readonly l2d: Level;
}

/** Replays the traces in turns; per VM `[l1i, l2i, l1d, l2d]` misses, and the number of switches. */
export function replayNaively(setup: NaiveSetup): { misses: number[][]; switches: number } {
  const tlbs = {
    I: new NaiveTlb(setup.l1i, setup.l2i, setup.victim),
    D: new NaiveTlb(setup.l1d, setup.l2d, setup.victim),
  };
  const vms = setup.traces.map((text, vm) => {
    const touches = touchesOf(text);
    return { vm, touches: setup.limit > 0 ? touches.slice(0, setup.limit) : touches, at: 0 };
  });
  const misses = vms.map(() => [0, 0, 0, 0]);
  let rotation = [...vms];
  let switches = 0;
  let last = -1;
  while (rotation.length > 0) {
    const turn = rotation.shift()!;
    if (last !== -1 && last !== turn.vm) {
      switches++;
      if (setup.flush) for (const tlb of Object.values(tlbs)) tlb.flush();
    }
    last = turn.vm;
    for (let i = 0; i < setup.q && turn.at < turn.touches.length; i++) {
      const { side, space, page } = turn.touches[turn.at++]!;
      const tlb = tlbs[side];
      const before = [tlb.misses, tlb.walks] as const;
      tlb.access(`${turn.vm}/${space}`, page);
      const counts = misses[turn.vm]!;
      const offset = side === 'I' ? 0 : 2;
      counts[offset] = counts[offset]! + tlb.misses - before[0];
      counts[offset + 1] = counts[offset + 1]! + tlb.walks - before[1];
    }
    if (turn.at < turn.touches.length) rotation = [...rotation, turn];
  }
  return { misses, switches };
}
