import { coreNeeds } from '../machine/core-arenas.ts';
import { tagWords, tagWordsOfL1 } from '../machine/core-caches.ts';
import { KEY, SETS } from '../machine/entries.ts';
import { heap } from '../machine/heap.ts';
import type { Processor } from '../machine/processor.ts';
import type { Path } from './located.ts';

/** Whether a processor's geometry can be built: what `host.cpu` may not be changed to. */

interface Fault {
  readonly path: Path;
  readonly message: string;
}

/** Words of hot state a machine may take; the rest is for vCPUs and visit blocks. */
const MAX_WORDS = 0.75 * heap.length;

const TOO_MANY = 'are more than can be simulated';

const isPowerOfTwo = (n: number) => n >= 1 && Number.isInteger(Math.log2(n));

export function processorFaults(processor: Processor, pcpus: number): Fault[] {
  const faults: Fault[] = [];
  for (const level of ['l1i', 'l1d', 'l2i', 'l2d'] as const) {
    for (const size of ['4K', '2M', '1G'] as const) {
      const { entries, ways } = processor.tlb[level][size];
      if (entries === 0 && level.startsWith('l1') && size === '4K') {
        const message = 'the first level needs at least one entry for 4 KiB pages';
        faults.push({ path: ['tlb', level, size, 'entries'], message });
      }
      if (ways === 'full' || isPowerOfTwo(entries / ways) || entries === 0) continue;
      const message =
        `${entries} entries in ${ways} ways make ${entries / ways} sets: it must be a power of ` +
        'two';
      faults.push({ path: ['tlb', level, size, 'entries'], message });
    }
  }
  for (const level of ['l1i', 'l1d', 'l2', 'l3'] as const) {
    const { size, ways } = processor.caches[level];
    const sets = size / 64 / ways;
    if (level === 'l3' && size === 0) continue;
    if (isPowerOfTwo(sets) && sets >= 64) continue;
    const message =
      `${size} bytes in ${ways} ways make ${sets} sets of 64-byte lines: it must be a power of ` +
      'two, 64 or more';
    faults.push({ path: ['caches', level, 'size'], message });
  }
  if (faults.length === 0 && !fits(processor, pcpus)) {
    const message = `${pcpus} pCPUs with TLBs and caches of this size ${TOO_MANY}`;
    faults.push({ path: [], message });
  }
  return faults;
}

function fits(processor: Processor, pcpus: number): boolean {
  const { l1i, l2, l3 } = processor.caches;
  const dies = Math.ceil(pcpus / processor.coresPerDie);
  const lines =
    (pcpus / l1i.sharedByCores + pcpus) * tagWordsOfL1(processor.caches) +
    (pcpus / l2.sharedByCores) * tagWords(l2) +
    dies * tagWords(l3);
  const { words, entries, arrays } = coreNeeds(processor, 0);
  return (
    pcpus * words + lines <= MAX_WORDS &&
    pcpus * entries < KEY.length &&
    pcpus * arrays < SETS.length
  );
}
