import type { PerfettoFile, Slice } from './perfetto.ts';

/** Draws what a Perfetto file holds, for the documentation: there is no viewer in a text. */
const LEFT = 80;
const WIDTH = 860;
const RIGHT = 20;
const ROW = 16;
/** Colours that stay apart for any eye (Okabe and Ito). */
const PALETTE = ['#0072B2', '#E69F00', '#009E73', '#CC79A7', '#56B4E9', '#D55E00', '#8C8C00'];
const STATES: Readonly<Record<string, string>> = {
  running: '#00796B',
  ready: '#FFB300',
  'co-stopped': '#8E24AA',
  blocked: '#DDDDDD',
  parked: '#C62828',
};
const vmOf = (vcpu: string): string => vcpu.replace(/\/\d+$/, '');

/** Bars of one row; what is closer than a third of a pixel is drawn as one. */
function bars(
  slices: readonly Slice[],
  y: number,
  scale: (ns: number) => number,
  fill: (name: string) => string,
): string {
  const out: string[] = [];
  let last: { name: string; x: number; end: number } | undefined;
  const put = (): void => {
    if (!last) return;
    const width = Math.max(0.4, last.end - last.x).toFixed(1);
    const at = `x="${last.x.toFixed(1)}" y="${y}" width="${width}" height="${ROW - 3}"`;
    out.push(`<rect ${at} fill="${fill(last.name)}"/>`);
  };
  for (const { name, begin, end } of slices) {
    const x = scale(begin);
    if (last && last.name === name && x - last.end < 0.3) last.end = scale(end);
    else {
      put();
      last = { name, x, end: scale(end) };
    }
  }
  put();
  return out.join('\n');
}

/** The outline of a layer between two levels per sample. */
function layer(
  times: readonly number[],
  from: readonly number[],
  to: readonly number[],
  y: (value: number) => number,
): string {
  const up = times.map((x, i) => `${i === 0 ? 'M' : 'L'}${x.toFixed(1)},${y(to[i]!).toFixed(1)}`);
  const down = times.map((x, i) => `L${x.toFixed(1)},${y(from[i]!).toFixed(1)}`).toReversed();
  return `${up.join('')}${down.join('')}Z`;
}

/** An SVG: what runs on each pCPU, the run states of each vCPU, the TLB entries each VM holds. */
export function timelineSvg(file: PerfettoFile, title: string): string {
  const group = (name: string) => file.tracks.filter((track) => track.group === name);
  const pcpus = group('pCPUs');
  const vcpus = group('vCPU run states');
  const held = group('TLB entries held');
  const colours = new Map(held.map(({ name }, i) => [name, PALETTE[i % PALETTE.length]!]));
  const colour = (vcpu: string): string => colours.get(vmOf(vcpu)) ?? '#000';
  const end = Math.max(...vcpus.flatMap(({ slices }) => slices.map((slice) => slice.end)));
  const scale = (ns: number): number => LEFT + (ns / end) * WIDTH;
  const out: string[] = [];
  const text = (x: number, y: number, content: string, more = ''): void => {
    out.push(`<text x="${x}" y="${y}"${more}>${content}</text>`);
  };
  const heading = (y: number, content: string): void =>
    text(LEFT, y, content, ' font-weight="bold"');

  let y = 42;
  heading(y - 8, 'What runs on each pCPU (colour: the VM)');
  for (const track of pcpus) {
    text(LEFT - 6, y + 10, track.name, ' text-anchor="end"');
    const outer = track.slices.filter(({ depth }) => depth === 0);
    out.push(bars(outer, y, scale, colour));
    y += ROW;
  }
  y += 30;
  heading(y - 8, 'Run state of each vCPU');
  let x = LEFT + 180;
  const seen = new Set(vcpus.flatMap(({ slices }) => slices.map(({ name }) => name)));
  for (const state of Object.keys(STATES).filter((name) => seen.has(name))) {
    out.push(`<rect x="${x}" y="${y - 17}" width="10" height="10" fill="${STATES[state]}"/>`);
    text(x + 14, y - 8, state);
    x += 90;
  }
  for (const track of vcpus) {
    text(LEFT - 6, y + 10, track.name, ` text-anchor="end" fill="${colour(track.name)}"`);
    out.push(bars(track.slices, y, scale, (name) => STATES[name]!));
    y += ROW;
  }
  y += 30;
  const height = 110;
  const samples = held[0]!.values;
  const times = samples.map(({ at }) => scale(at));
  let sums = samples.map(() => 0);
  const layers = held.map((track) => {
    const from = sums;
    sums = sums.map((sum, i) => sum + track.values[i]!.value);
    return { track, from, to: sums };
  });
  const most = Math.max(1, ...sums);
  const level = (value: number): number => y + height - (value / most) * height;
  heading(y - 8, 'Entries of the last-level data TLBs held by each VM, all pCPUs together');
  text(LEFT - 6, y + 8, `${most}`, ' text-anchor="end"');
  text(LEFT - 6, y + height, '0', ' text-anchor="end"');
  for (const { track, from, to } of layers) {
    const path = layer(times, from, to, level);
    out.push(`<path d="${path}" fill="${colours.get(track.name)}"/>`);
  }
  y += height;
  out.push(`<path d="M${LEFT},${y + 4}H${LEFT + WIDTH}" stroke="#555"/>`);
  const step = 10 ** Math.floor(Math.log10(end / 2));
  for (let at = 0; at <= end; at += step) {
    out.push(`<path d="M${scale(at).toFixed(1)},${y + 4}v4" stroke="#555"/>`);
    text(Number(scale(at).toFixed(1)), y + 20, `${at / 1e6}`, ' text-anchor="middle"');
  }
  text(LEFT + WIDTH, y + 34, 'simulated time, ms', ' text-anchor="end"');
  const size = `${LEFT + WIDTH + RIGHT} ${y + 42}`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size}" role="img" font-family="sans-serif" font-size="11">`,
    `<title>${title}</title>`,
    `<rect width="100%" height="100%" fill="#fff"/>`,
    ...out,
    '</svg>\n',
  ].join('\n');
}
