import { rounded } from '../base/rounded.ts';
import type { StreamProfile, TraceProfile } from '../trace/profile.ts';

/** A profile as tables for a person. */
export function profileText(name: string, profile: TraceProfile): string {
  const { references, instruction, data } = profile;
  const total = instruction.references + data.references;
  const events = Object.entries(profile.events).map(([event, count]) => `${event} ${whole(count)}`);
  return [
    name,
    `  references      ${whole(total)}: ${whole(references.fetches)} fetches, ` +
      `${whole(references.loads)} loads, ${whole(references.stores)} stores, ` +
      `${whole(references.modifies)} modifies`,
    `  visits          ${whole(profile.visits)} runs of references to one page`,
    `  distinct pages  ${whole(instruction.distinctPages)} instruction, ` +
      `${whole(data.distinctPages)} data (2 MiB: ${whole(instruction.distinct2MiB)}, ` +
      `${whole(data.distinct2MiB)})`,
    `  address spaces  ${whole(profile.addressSpaces)}`,
    `  events          ${events.length > 0 ? events.join(', ') : 'none'}`,
    '',
    'misses of a fully associative LRU TLB, predicted from reuse distances',
    ...table(
      ['entries', 'instruction', 'ratio', 'data', 'ratio'],
      instruction.predictions.map((prediction, i) => [
        whole(prediction.entries),
        whole(prediction.misses),
        ratio(prediction.missRatio),
        whole(data.predictions[i]!.misses),
        ratio(data.predictions[i]!.missRatio),
      ]),
    ),
    '',
    'reuse distance: different pages since the last reference to the same page, itself included',
    ...table(
      ['distance', 'instruction', 'share', 'data', 'share'],
      distanceRows(instruction, data),
    ),
    '',
    'footprint: different pages referenced in each stretch, and from the beginning',
    ...table(
      ['from reference', 'instruction', 'so far', 'data', 'so far'],
      instruction.footprint.map((window, i) => {
        const other = data.footprint[i]!;
        return [window.from, window.touched, window.total, other.touched, other.total].map(whole);
      }),
    ),
    '',
  ].join('\n');
}

function distanceRows(instruction: StreamProfile, data: StreamProfile): string[][] {
  const longer = instruction.distances.length > data.distances.length ? instruction : data;
  const row = (label: string, count: (stream: StreamProfile) => number) => [
    label,
    ...[instruction, data].flatMap((stream) => {
      const n = count(stream);
      return [whole(n), ratio(n / Math.max(1, stream.references))];
    }),
  ];
  return [
    ...longer.distances.map(({ from, to }, i) =>
      row(from === to ? `${from}` : `${from}-${to}`, (s) => s.distances[i]?.references ?? 0),
    ),
    row('first', (stream) => stream.firstTouches),
  ];
}

/** Columns of equal width, numbers to the right. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const all = [head, ...rows];
  const widths = head.map((_, i) => Math.max(...all.map((cells) => cells[i]!.length)));
  return all.map((cells) => `  ${cells.map((cell, i) => cell.padStart(widths[i]!)).join('  ')}`);
}

const whole = (n: number): string => rounded(n, 0);
const ratio = (share: number): string => (share === 0 ? '0' : share.toPrecision(3));
