import type { RunFiles, Slice } from '../../files/results.ts';
import { counted, plain } from '../quantities.ts';
import { type Drawing, marginFor } from './charts.ts';
import { coreName } from './cores.ts';
import { windowsOf } from './run-ledger.ts';
import { timeAxis, VmColours } from './run-time.ts';
import { leaves, page } from './style.ts';

/** What ran on each core when, from the first slices of the measured window. */

/** Threads of the host and Dom0, as slices.csv calls them. */
const THREADS = 'host';
const threads = { label: 'threads of the host', colour: leaves['host']!.colour };

/** The picture ends after so much simulated time, in ms, or so many slices. */
const MOST_MS = 60;
const MOST_SLICES = 1500;

/** The beginning of the slices that one picture can show, each cut at its end; in cycles. */
export function stretchOf(
  slices: readonly Slice[],
  most: { readonly cycles: number; readonly slices: number },
): { readonly from: number; readonly to: number; readonly slices: readonly Slice[] } {
  const from = slices.reduce((least, { start }) => Math.min(least, start), Infinity);
  const last = slices.reduce((end, { start, cycles }) => Math.max(end, start + cycles), from);
  const next = slices.toSorted((a, b) => a.start - b.start)[most.slices]?.start ?? Infinity;
  const to = Math.min(last, next, from + most.cycles);
  return {
    from,
    to,
    slices: slices
      .filter(({ start }) => start < to)
      .map((slice) => ({ ...slice, cycles: Math.min(slice.cycles, to - slice.start) })),
  };
}

/** Undefined when the run has noted no slices. `mhz`: cycles per microsecond. */
export function coreTimeline(files: RunFiles, mhz: number): Drawing | undefined {
  if (!files.slices || files.slices.length === 0) return undefined;
  const perMs = mhz * 1000;
  const stretch = stretchOf(files.slices, { cycles: MOST_MS * perMs, slices: MOST_SLICES });
  const vms = new VmColours(files);
  const colourOf = (name: string) => (name === THREADS ? threads.colour : vms.of(name));
  // The ledger has them in their order, host after host.
  const lines = [...new Set(files.ledger.map((row) => coreName(row['host'], row['id']!)))];
  const bars = stretch.slices.map(({ host, pcpu, vm, start, cycles }) => ({
    line: coreName(host, pcpu),
    vm,
    name: vms.nameOf(vm),
    from: start / perMs,
    to: (start + cycles) / perMs,
  }));
  const shown = (stretch.to - stretch.from) / perMs;
  const [measured = 0] = windowsOf(files).values();
  const window = measured / perMs;
  const whole = shown > 0.98 * window;
  return {
    id: 'timeline',
    title: 'What ran on each core',
    description:
      `Which ${vms.each ? 'VM' : 'group of VMs'} ran on each pCPU in ` +
      `${whole ? 'the measured window' : `the first ${plain(shown)} ms of the measured window`}: ` +
      `${counted(bars.length, 'turns')}${vms.each ? '' : ', parted by thin lines'}. Blank: ` +
      'nothing to run.',
    wide: true,
    cross: true,
    legend: [
      ...vms.legend(bars.map(({ name }) => name)),
      ...(bars.some(({ name }) => name === THREADS) ? [threads] : []),
    ],
    options: {
      height: 60 + lines.length * 32,
      marginTop: 10,
      marginLeft: marginFor(lines),
      marginRight: 24,
      x: { ...timeAxis, domain: [stretch.from / perMs, stretch.to / perMs] },
      y: { domain: lines, label: null, type: 'band' },
      color: { type: 'identity' },
    },
    marks: (plot) => [
      plot.barX(bars, {
        x1: 'from',
        x2: 'to',
        y: 'line',
        fill: ({ name }: { name: string }) => colourOf(name),
        // VMs that share a colour are seen apart.
        ...(vms.each ? {} : { stroke: page, strokeWidth: 0.5 }),
        title: ({ line, vm, from, to }: (typeof bars)[number]) =>
          `${line}: ${vm === THREADS ? 'a thread of the host' : vm} for ` +
          `${plain((to - from) * 1000)} µs, ${from.toFixed(3)} to ${to.toFixed(3)} ms`,
      }),
    ],
  };
}
