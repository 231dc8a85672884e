import { afterEach, describe, expect, it } from 'vitest';
import { abandon, flushAll, flushAsid, invalidatePage } from '../../src/machine/flush.ts';
import { writeItem } from '../../src/machine/items.ts';
import { MOST_SEQUENCES } from '../../src/machine/loss.ts';
import { Pte } from '../../src/machine/page-tables.ts';
import { Cause, lossCauses } from '../../src/stats/leaves.ts';
import { walkMetric } from '../../src/stats/metrics.ts';
import { BareCore } from '../support/bare-core.ts';

/** Two vCPUs of one VM take turns on a core: why each walk is needed, whoever held the page before. */

/** So few entries that a flush is quick, and that a page falls out of the TLBs when 4 others come. */
const SMALL = [
  'host.cpu.tlb.l1d={ 4K: { entries: 2, ways: full }, shared: false }',
  'host.cpu.tlb.l2d={ 4K: { entries: 4, ways: full }, shared: false }',
  'host.cpu.tlb.l1i={ 4K: { entries: 2, ways: full }, shared: false }',
  'host.cpu.tlb.l2i={ 4K: { entries: 4, ways: full }, shared: false }',
];
const ROOM = 8;
const [A, B] = [0, 1] as const;
const FIRST = 100;

let bare: BareCore;
afterEach(() => bare.dispose());

function start(): void {
  bare = new BareCore(SMALL, 1, ROOM, false, 2);
}

/** Causes of the walks of loads of these pages by a vCPU, in order of number; each page once. */
function walks(vcpu: number, ...pages: number[]): string[] {
  bare.enter(vcpu);
  const before = lossCauses.map((cause) => bare.count(walkMetric(cause)));
  for (const [i, page] of pages.entries()) writeItem(bare.block + i, [page, 1, 1, 1]);
  bare.run(bare.block, bare.block + pages.length);
  return lossCauses.flatMap((cause, i) =>
    Array.from({ length: bare.count(walkMetric(cause)) - before[i]! }, () => cause),
  );
}

const flush = (vcpu: number, cause: Cause, keepGlobal = false) =>
  flushAsid(bare.core, vcpu + 1, vcpu, keepGlobal, cause);

describe('of two vCPUs of a VM on one core', () => {
  it('each is told the flush that came first after the page was filled last', () => {
    start();
    expect(walks(A, 1, 2)).toEqual(['cold', 'cold']);
    flush(A, Cause.Cr3);
    flush(A, Cause.Shootdown);
    // The core has held both for this address space: A's CR3 write took them.
    expect(walks(B, 1)).toEqual(['cr3']);
    flush(B, Cause.Migration);
    expect(walks(A, 1, 2)).toEqual(['cr3', 'migration']);
    expect(walks(A, 1, 2)).toEqual([]);
  });

  it('one that lacks what the other still holds has lost nothing', () => {
    start();
    walks(A, 1);
    // A flush of B that holds nothing is no sequence of its own.
    flush(B, Cause.Cr3);
    expect(walks(B, 1)).toEqual(['cold']);
    flush(A, Cause.Cr3);
    expect(walks(B, 1)).toEqual([]);
    expect(walks(A, 1)).toEqual(['cold']);
    expect(walks(B, 1)).toEqual([]);
  });

  it('a flush of one ends what it was filled with, and not what the other was', () => {
    start();
    walks(A, 1);
    walks(B, 2);
    flush(A, Cause.AsidExhausted);
    flush(B, Cause.Migration);
    walks(A, 3);
    walks(B, 3);
    expect(walks(A, 2)).toEqual(['migration']);
    expect(walks(B, 1)).toEqual(['asid-exhausted']);
  });

  it('a flush of everything is told to each as its own', () => {
    start();
    walks(A, 1);
    walks(B, 2);
    flushAll(bare.core, Cause.WorldSwitch, B, Cause.Cr3);
    expect(walks(A, 1, 2)).toEqual(['world-switch', 'cr3']);
  });

  it('a page that one loses to the other’s pages is lost to its own VM', () => {
    start();
    walks(A, 1);
    expect(walks(B, 2, 3, 4, 5)).toEqual(['cold', 'cold', 'cold', 'cold']);
    expect(walks(A, 1)).toEqual(['capacity']);
  });

  it('entries under a tag that was given up say nothing when they fall out or go', () => {
    start();
    walks(A, 1);
    abandon(bare.core, A, Cause.AsidExhausted);
    walks(B, 2, 3, 4, 5);
    expect(walks(B, 1)).toEqual(['asid-exhausted']);
    bare.enter(B);
    invalidatePage(bare.core, 1, Cause.Invlpg);
    expect(walks(A, 1)).toEqual(['invlpg']);
  });

  it('global entries outlive a CR3 write of their vCPU alone', () => {
    start();
    walks(A, 1, 2);
    walks(B, 1);
    flush(A, Cause.Shootdown);
    flush(B, Cause.Shootdown);
    bare.mark(2, Pte.Global);
    walks(A, 2);
    flush(A, Cause.Cr3, true);
    flush(B, Cause.Cr3, true);
    expect(walks(A, 1, 2)).toEqual(['shootdown']);
    flush(A, Cause.Invlpg);
    expect(walks(B, 1, 2)).toEqual(['invlpg', 'invlpg']);
  });
});

describe('sequences without end', () => {
  /** Fills one of a hundred pages after the other, with a flush after each. */
  const cycle = (count: number) => {
    const causes = [Cause.Cr3, Cause.Shootdown, Cause.Migration];
    for (let i = 0; i < count; i++) {
      writeItem(bare.block, [FIRST + (i % 100), 1, 1, 1]);
      bare.run(bare.block, bare.block + 1);
      flush(A, causes[i % 3]!);
    }
  };

  it('are told apart beyond the first length of the log', () => {
    start();
    bare.enter(A);
    cycle(600);
    // Page 99 of the hundred was filled last before flush 599, page 98 before 598.
    expect(walks(B, FIRST + 99)).toEqual(['migration']);
    expect(walks(B, FIRST + 98)).toEqual(['shootdown']);
    expect(walks(B, FIRST + 97)).toEqual(['cr3']);
    expect(bare.core.loss.count).toBeGreaterThan(600);
  });

  it('are numbered anew before there are too many, and nothing is forgotten', () => {
    start();
    walks(B, 1);
    walks(A, 2);
    flush(A, Cause.Invlpg);
    // One page that is held, one under a tag that was given up, and one that was lost.
    walks(A, 3, 4);
    abandon(bare.core, A, Cause.AsidExhausted);
    const { count } = bare.core.loss;
    bare.core.loss.count = MOST_SEQUENCES - 5;
    bare.core.loss.causeOf = Uint8Array.from({ length: MOST_SEQUENCES }, (_, i) =>
      i <= count ? bare.core.loss.causeOf[i]! : Cause.Cold,
    );
    bare.enter(A);
    cycle(12);
    expect(bare.core.loss.count).toBeLessThan(20);
    expect(walks(B, 1)).toEqual([]);
    expect(walks(B, 2)).toEqual(['invlpg']);
    expect(walks(B, 3)).toEqual(['asid-exhausted']);
    expect(walks(B, FIRST + 11)).toEqual(['migration']);
    expect(walks(B, FIRST + 1)).toEqual(['shootdown']);
    flush(B, Cause.WorldSwitch);
    expect(walks(A, 2, 3)).toEqual(['world-switch', 'world-switch']);
    expect(walks(A, 1)).toEqual(['capacity']);
  });
});
