import { PageIndex } from './page-index.ts';

/**
 * HOT. LRU stack distances of a stream of pages in one pass. The distance of a touch is the number
 * of different pages touched since the last touch of the same page, itself included: a fully
 * associative LRU TLB of N entries hits exactly the touches of distance N or less (Mattson et al.
 * 1970).
 *
 * Each page has a mark in a Fenwick tree at the time of its last touch, so that counting the marks
 * after a time takes O(log n) (Bennett and Kruskal 1975). When the times run out, the marks are
 * moved together: the tree stays below four times the number of pages, however long the stream is.
 */
export class StackDistances {
  /** Touches of pages never touched before. */
  cold = 0;
  /** Touches in all. */
  references = 0;
  /** Pages seen, numbered from 0. */
  readonly pages = new PageIndex();
  /** `hits[d]`: touches of distance d. */
  #hits = new Float64Array(1024);
  #capacity = 1024;
  #tree = new Int32Array(this.#capacity + 1);
  /** Which page was touched at a time, and when each page was touched last. Times count from 1. */
  #pageAt = new Int32Array(this.#capacity + 1);
  #last = new Int32Array(1024);
  #now = 0;

  /** `count` touches of one page, one after the other; returns its number. */
  touch(key: number, count: number): number {
    if (this.#now === this.#capacity) this.#compact();
    const { pages } = this;
    const known = pages.size;
    const page = pages.numberOf(key);
    this.references += count;
    let distance = 0;
    if (page === known) {
      this.cold++;
      if (page === this.#last.length) this.#last = enlarged(this.#last);
    } else {
      const time = this.#last[page]!;
      distance = time === this.#now ? 1 : known - this.#marksUpTo(time) + 1;
      if (distance > 1) this.#add(time, -1);
      this.#hit(distance, 1);
    }
    if (count > 1) this.#hit(1, count - 1);
    if (distance !== 1) {
      this.#now++;
      this.#last[page] = this.#now;
      this.#pageAt[this.#now] = page;
      this.#add(this.#now, 1);
    }
    return page;
  }

  /** Misses of a fully associative LRU TLB with this many entries that starts empty. Exact. */
  misses(entries: number): number {
    return this.references - this.between(1, entries);
  }

  /** The largest distance seen; 0 = no page was touched twice. */
  get farthest(): number {
    return Math.max(
      0,
      this.#hits.findLastIndex((touches) => touches > 0),
    );
  }

  /** Touches of distances `from` to `to`, both included. */
  between(from: number, to: number): number {
    return this.#hits.subarray(from, to + 1).reduce((sum, touches) => sum + touches, 0);
  }

  #hit(distance: number, count: number): void {
    while (distance >= this.#hits.length) {
      const grown = new Float64Array(2 * this.#hits.length);
      grown.set(this.#hits);
      this.#hits = grown;
    }
    this.#hits[distance] = this.#hits[distance]! + count;
  }

  #add(time: number, mark: number): void {
    const tree = this.#tree;
    const capacity = this.#capacity;
    for (let i = time; i <= capacity; i += i & -i) tree[i] = tree[i]! + mark;
  }

  #marksUpTo(time: number): number {
    const tree = this.#tree;
    let marks = 0;
    for (let i = time; i > 0; i -= i & -i) marks += tree[i]!;
    return marks;
  }

  /** Gives the pages the times 1, 2, … in the order of their last touches. */
  #compact(): void {
    const last = this.#last;
    const pageAt = this.#pageAt;
    let time = 0;
    for (let t = 1; t <= this.#now; t++) {
      const page = pageAt[t]!;
      if (last[page] !== t) continue;
      time++;
      last[page] = time;
      pageAt[time] = page;
    }
    this.#now = time;
    if (time * 2 > this.#capacity) {
      this.#capacity *= 2;
      this.#pageAt = enlarged(this.#pageAt, this.#capacity + 1);
      this.#tree = new Int32Array(this.#capacity + 1);
    } else {
      this.#tree.fill(0);
    }
    for (let t = 1; t <= time; t++) this.#tree[t] = 1;
    for (let i = 1; i <= this.#capacity; i++) {
      const parent = i + (i & -i);
      if (parent <= this.#capacity) this.#tree[parent] = this.#tree[parent]! + this.#tree[i]!;
    }
  }
}

function enlarged(array: Int32Array, length = 2 * array.length): Int32Array<ArrayBuffer> {
  const grown = new Int32Array(length);
  grown.set(array);
  return grown;
}
