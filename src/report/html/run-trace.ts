import type { RunFiles, Slice } from '../../files/results.ts';
import { short } from '../table.ts';
import { type Drawing, marginFor } from './charts.ts';
import { number } from './run-ledger.ts';
import { colours, type Interval, timeAxis, windowStart } from './run-time.ts';
import { series } from './style.ts';

/** What ran on each core when. */

/** Pieces into which time is cut: what ran longest in one stands for it. */
export const PIECES = 480;

/**
 * Cycles of each name in each piece, by pCPU. `indexOf`: number of the name of a VM, below 0 to
 * leave it out; `width`: cycles of a piece.
 */
export async function fillPieces(
  slices: AsyncIterable<Slice>,
  indexOf: (vm: string) => number,
  names: number,
  width: number,
): Promise<Map<number, Float64Array[]>> {
  const cores = new Map<number, Float64Array[]>();
  for await (const { pcpu, vm, start, cycles } of slices) {
    const at = indexOf(vm);
    if (at < 0) continue;
    const pieces = cores.get(pcpu) ?? Array.from({ length: names }, () => new Float64Array(PIECES));
    cores.set(pcpu, pieces);
    const end = start + cycles;
    for (let piece = Math.floor(start / width); piece < PIECES && piece * width < end; piece++) {
      const part = Math.min(end, (piece + 1) * width) - Math.max(start, piece * width);
      pieces[at]![piece] = pieces[at]![piece]! + Math.max(0, part);
    }
  }
  return cores;
}

/** What ran on each pCPU, from the trace. */
export async function coreTimeline(
  files: RunFiles,
  warmup: number,
  mhz: number,
): Promise<Drawing | undefined> {
  if (!files.slices) return undefined;
  const lived = files.vms.reduce((most, row) => Math.max(most, number(row, 'elapsed_cycles')), 0);
  const end = files.timeseries.reduce(
    (last, row) => Math.max(last, number(row, 'time_ns') / 1e6),
    warmup + lived / mhz / 1000,
  );
  const width = (end * 1000 * mhz) / PIECES;
  const groups = [...new Set(files.vms.map((row) => row['group']!))];
  const few = files.vms.length <= series.length;
  const names = few ? files.vms.map((row) => row['vm']!) : groups;
  const nameOf = new Map(files.vms.map((row) => [row['vm']!, few ? row['vm']! : row['group']!]));
  const cores = await fillPieces(
    files.slices(),
    (vm) => names.indexOf(nameOf.get(vm) ?? ''),
    names.length,
    width,
  );
  const bars = [...cores]
    .toSorted(([a], [b]) => a - b)
    .flatMap(([pcpu, pieces]) => merge(`pCPU ${pcpu}`, pieces, names, width, end / PIECES));
  if (bars.length === 0) return undefined;
  const colour = colours(names);
  const lines = [...new Set(bars.map(({ line }) => line))];
  return {
    id: 'timeline',
    title: 'What ran on each core',
    description: `Which ${few ? 'VM' : 'group of VMs'} ran on each pCPU, from the trace, in pieces of ${short((end * 1000) / PIECES)} µs: what ran longest in a piece stands for it. Blank: idle.`,
    legend: names.map((label) => ({ label, colour: colour.get(label)! })),
    options: {
      height: 76 + lines.length * 28,
      marginTop: 28,
      marginLeft: marginFor(lines),
      marginRight: 24,
      x: { ...timeAxis, domain: [0, end] },
      y: { domain: lines, label: null, type: 'band' },
      color: { type: 'identity' },
    },
    marks: (plot) => [
      plot.barX(bars, {
        x1: 'from',
        x2: 'to',
        y: 'line',
        fill: ({ name }: { name: string }) => colour.get(name)!,
        title: ({ line, name, from, to }: (typeof bars)[number]) =>
          `${line}: ${name}, ${from.toFixed(2)} to ${to.toFixed(2)} ms`,
      }),
      ...windowStart(warmup)(plot),
    ],
  };
}

/** Pieces in a row in which the same ran become one bar. */
function merge(
  line: string,
  pieces: readonly Float64Array[],
  names: readonly string[],
  width: number,
  length: number,
) {
  const bars: (Interval & { name: string })[] = [];
  let current = -1;
  let since = 0;
  for (let piece = 0; piece <= PIECES; piece++) {
    const idle = width - pieces.reduce((sum, cycles) => sum + (cycles[piece] ?? 0), 0);
    let best = -1;
    let most = idle;
    for (const [name, cycles] of pieces.entries()) {
      const here = cycles[piece] ?? 0;
      if (piece < PIECES && here > most) [best, most] = [name, here];
    }
    if (best === current && piece < PIECES) continue;
    if (current >= 0) {
      bars.push({
        line,
        name: names[current]!,
        from: since * length,
        to: piece * length,
        value: 0,
      });
    }
    [current, since] = [best, piece];
  }
  return bars;
}
