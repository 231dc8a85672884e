import type { Question } from '../sweep/question.ts';
import type { Effect, Sensitivity } from '../sweep/sensitivity.ts';

/**
 * A tornado chart as SVG: how many steps an answer moves at either end of the numbers that move it
 * most.
 */
const WIDTH = 760;
const LABEL = 330;
const ROW = 22;
const BAR = 14;
const SHOWN = 16;
const TOP = 58;
/** Blue and orange of Okabe and Ito's palette, which colour-blind readers can tell apart. */
export const LESS = '#0072b2';
export const MORE = '#e69f00';

interface Bar {
  readonly path: string;
  readonly value: string;
  readonly ends: readonly Effect[];
}

export function sensitivityChart({ axis, objective }: Question, found: Sensitivity): string {
  const bars = barsOf(found).slice(0, SHOWN);
  const reach = Math.max(1.2, ...bars.map(largest));
  const middle = LABEL + (WIDTH - LABEL - 10) / 2;
  const x = (steps: number) => middle + (steps * (WIDTH - LABEL - 130)) / 2 / reach;
  const bottom = TOP + bars.length * ROW;
  const answer = `${axis.path} = ${found.answer}`;
  const title = `How far ${answer} moves at either end of an assumed number`;
  const line = (steps: number, dashes: string) =>
    `<line x1="${x(steps).toFixed(1)}" x2="${x(steps).toFixed(1)}" y1="${TOP - 6}" ` +
    `y2="${bottom}" stroke="#888"${dashes}/>`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${bottom + 28}" ` +
      `width="${WIDTH}" height="${bottom + 28}" font-family="sans-serif" font-size="12" ` +
      'role="img" aria-labelledby="title">',
    `<title id="title">${escaped(title)}</title>`,
    `<rect width="${WIDTH}" height="${bottom + 28}" fill="#ffffff"/>`,
    '<text x="8" y="18" font-weight="bold" fill="#000">' +
      `${escaped(`${answer} with ${objective.text}: steps by which it moves`)}</text>`,
    `<rect x="8" y="28" width="14" height="12" fill="${LESS}"/><text x="28" y="38" ` +
      'fill="#222">lower or first end</text>',
    `<rect x="150" y="28" width="14" height="12" fill="${MORE}"/><text x="170" y="38" ` +
      'fill="#222">upper or last end</text>',
    ...[-1, 1].map((steps) => line(steps, ' stroke-dasharray="4 3"')),
    ...bars.flatMap((bar, i) => barOf(bar, TOP + i * ROW, middle, x)),
    line(0, ''),
    ...[-1, 0, 1].map(
      (steps) =>
        `<text x="${x(steps).toFixed(1)}" y="${bottom + 18}" text-anchor="middle" ` +
        `fill="#555">${steps > 0 ? '+1' : steps}</text>`,
    ),
    '</svg>',
    '',
  ].join('\n');
}

/** Numbers with an effect, greatest first. */
function barsOf({ effects }: Sensitivity): Bar[] {
  const bars = new Map<string, Effect[]>();
  for (const effect of effects) {
    if (!effect.steps) continue;
    bars.set(effect.number.path, [...(bars.get(effect.number.path) ?? []), effect]);
  }
  return [...bars.values()]
    .map((ends) => ({ path: ends[0]!.number.path, value: ends[0]!.number.value, ends }))
    .toSorted((a, b) => largest(b) - largest(a));
}

const largest = ({ ends }: Bar) => Math.max(...ends.map(({ steps }) => Math.abs(steps ?? 0)));

function barOf(
  { path, value, ends }: Bar,
  y: number,
  middle: number,
  x: (steps: number) => number,
): string[] {
  const drawn = ends.toSorted((a, b) => Math.abs(b.steps ?? 0) - Math.abs(a.steps ?? 0));
  const label = path.length > 46 ? `…${path.slice(-45)}` : path;
  return [
    `<text x="${LABEL - 8}" y="${y + 11}" text-anchor="end" ` +
      `fill="#222">${escaped(`${label} (${value})`)}</text>`,
    ...drawn.map((effect) => {
      const to = x(effect.steps!);
      const first = effect.end === effect.number.ends[0]!.value;
      const only = effect.number.ends.length === 1;
      return (
        `<rect x="${Math.min(to, middle).toFixed(1)}" y="${y}" ` +
        `width="${Math.abs(to - middle).toFixed(1)}" height="${BAR}" ` +
        (`fill="${first && !only ? LESS : MORE}` +
          `"><title>${escaped(`${path} = ${effect.end}: ${effect.steps!.toFixed(2)}`)}` +
          '</title></rect>')
      );
    }),
  ];
}

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
