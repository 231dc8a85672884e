import { LESS, MORE } from '../../../src/cli/sensitivity-chart.ts';
import { number } from './format.ts';
import type { SubjectResult } from './sensitivity.ts';

/** A tornado chart as SVG: for each subject the prices that move it most, as bars around the base value. */
const WIDTH = 760;
const LABEL = 210;
const ROW = 22;
const BAR = 14;
const SHOWN = 7;

export function tornado(results: readonly SubjectResult[]): string {
  let height = 52;
  const panels = results.map((result) => {
    const top = height;
    height += Math.min(SHOWN, result.prices.length) * ROW + 56;
    return panel(result, top);
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" font-family="sans-serif" font-size="12" role="img" aria-labelledby="title">`,
    '<title id="title">How far results move when an assumed price is halved or raised by half</title>',
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
    `<rect x="${LABEL}" y="14" width="14" height="12" fill="${LESS}"/><text x="${LABEL + 20}" y="24" fill="#222">price − 50 %</text>`,
    `<rect x="${LABEL + 120}" y="14" width="14" height="12" fill="${MORE}"/><text x="${LABEL + 140}" y="24" fill="#222">price + 50 %</text>`,
    ...panels,
    '</svg>',
    '',
  ].join('\n');
}

function panel({ subject, base, prices }: SubjectResult, top: number): string {
  const shown = prices.slice(0, SHOWN);
  const values = shown.flatMap(({ low, high }) => [low, high]);
  const reach = Math.max(...values.map((value) => Math.abs(value - base)), base * 0.01);
  const middle = LABEL + (WIDTH - LABEL - 60) / 2;
  const scale = (middle - LABEL - 50) / reach;
  const x = (value: number) => middle + (value - base) * scale;
  const rows = shown.map(({ price, value, low, high }, i) => {
    const y = top + 26 + i * ROW;
    const bar = (to: number, colour: string) => {
      const width = Math.abs(x(to) - middle);
      return `<rect x="${Math.min(x(to), middle).toFixed(1)}" y="${y}" width="${width.toFixed(1)}" height="${BAR}" fill="${colour}"/>`;
    };
    const ends = [low, high].sort((a, b) => a - b);
    return [
      `<text x="${LABEL - 8}" y="${y + 11}" text-anchor="end" fill="#222">${price} (${value})</text>`,
      bar(low, LESS),
      bar(high, MORE),
      `<text x="${(Math.min(x(ends[0]!), middle) - 5).toFixed(1)}" y="${y + 11}" text-anchor="end" fill="#555" font-size="11">${number(ends[0]!)}</text>`,
      `<text x="${(Math.max(x(ends[1]!), middle) + 5).toFixed(1)}" y="${y + 11}" fill="#555" font-size="11">${number(ends[1]!)}</text>`,
    ].join('\n');
  });
  const bottom = top + 26 + shown.length * ROW;
  return [
    `<text x="8" y="${top + 10}" fill="#000" font-weight="bold">${subject.id}: ${subject.title} (${number(base)})</text>`,
    ...rows,
    `<line x1="${middle}" x2="${middle}" y1="${top + 20}" y2="${bottom}" stroke="#222"/>`,
  ].join('\n');
}
