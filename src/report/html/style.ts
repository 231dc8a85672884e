/**
 * Colours and the style sheet of a report: light, dark, paper, and screens from 360 px on. Each
 * colour means one thing on a page: a leaf of the ledger, a VM, or a configuration of a sweep;
 * percentiles and causes are told apart by shape and place. `var(…)` follows the theme and has the
 * light one as its default, for figures that stand alone.
 */

/**
 * Configurations of a sweep: Okabe and Ito's colours, told apart with every kind of colour vision.
 */
export const series = [
  '#0072B2',
  '#D55E00',
  '#009E73',
  '#B07800',
  '#A65C8C',
  '#3C97CB',
  '#7A7A7A',
] as const;

/** VMs: far from the colours of leaves and from each other with every kind of colour vision. */
export const vmColours = [
  '#4861D5',
  '#C8800D',
  '#B91A96',
  '#3CA0BC',
  '#845F10',
  '#C4576D',
  '#6887FF',
] as const;

/** From nothing to much: nothing is next to the page. */
export const steps = [
  'var(--step-0, #EDF1F5)',
  'var(--step-1, #C3CFDC)',
  'var(--step-2, #8FA5BC)',
  'var(--step-3, #55738F)',
  'var(--step-4, #27435F)',
] as const;

/** Text on a step. */
export const onStep = [
  'var(--on-step-0, #111)',
  'var(--on-step-1, #111)',
  'var(--on-step-2, #111)',
  'var(--on-step-3, #fff)',
  'var(--on-step-4, #fff)',
] as const;

/** Page and lines of the theme, with the light one as default. */
export const page = 'var(--page, #fff)';
export const line = 'var(--line, #d0d7de)';
export const soft = 'var(--soft, #57606a)';

interface Leaf {
  /** What a reader calls it. */
  readonly words: string;
  readonly meaning: string;
  readonly colour: string;
}

/**
 * The leaves of the ledger in the order in which they are drawn: what guests do in blue, walks
 * warm, data green, the hypervisor purple and grey.
 */
export const leaves: Readonly<Record<string, Leaf>> = {
  'guest.user': {
    words: 'guest programs',
    meaning: 'instructions of guest programs',
    colour: '#56B4E9',
  },
  'guest.kernel': {
    words: 'guest kernels',
    meaning: 'instructions of guest kernels',
    colour: '#0072B2',
  },
  'tlb.l2hit': {
    words: 'L2 TLB hits',
    meaning: 'misses in the L1 TLB that hit in the L2 TLB',
    colour: '#F0E442',
  },
  'walk.guest': {
    words: 'page walks',
    meaning: 'reading the tables of the guest, native or shadow',
    colour: '#E69F00',
  },
  'walk.nested': {
    words: 'nested part of page walks',
    meaning: 'reading nested tables',
    colour: '#D55E00',
  },
  'data.stall': {
    words: 'waiting for memory',
    meaning: 'waiting for data lines',
    colour: '#009E73',
  },
  'exit.transition': {
    words: 'world switches',
    meaning: '#VMEXIT and VMRUN',
    colour: '#CC79A7',
  },
  'exit.handler': {
    words: 'exit handling',
    meaning: 'code of the hypervisor that handles exits',
    colour: '#8B3A6B',
  },
  switch: { words: 'vCPU switches', meaning: 'taking up another vCPU', colour: '#8C8C8C' },
  shootdown: {
    words: 'TLB shootdowns',
    meaning: 'invalidations on other cores',
    colour: '#5C4A3D',
  },
  host: {
    words: 'host devices',
    meaning: 'devices and interrupts of the host',
    colour: '#B8A27A',
  },
  ft: {
    words: 'log of fault tolerance',
    meaning: 'writing or replaying the log of a fault-tolerant VM',
    colour: '#6A4C93',
  },
  idle: { words: 'idle', meaning: 'nothing to run', colour: 'var(--idle, #E3E6EA)' },
  off: { words: 'off', meaning: 'the host has lost power', colour: 'var(--idle, #C4C9CF)' },
};

/** States of a protected pair. */
export const pairColours: Readonly<Record<string, string>> = {
  off: 'var(--idle, #E3E6EA)',
  cloning: '#A7C4E0',
  running: '#6BAF4B',
  lagging: '#E3B23C',
  'go-live': '#C1272D',
  alone: '#F28E6B',
  lost: 'var(--text, #1b1f24)',
};

/** Live migration, from copying to standing still; what was stored to; and the guest itself. */
export const moveColours = {
  copying: '#8FB8A8',
  held: '#D9B44A',
  stopped: '#A02C2C',
  dirtied: '#A02C2C',
  guest: '#56B4E9',
} as const;

/** Black or white, whichever is easier to read on a colour `#RRGGBB`. */
export function onColour(colour: string): string {
  const [r, g, b] = [1, 3, 5].map((at) => {
    const value = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r! + 0.7152 * g! + 0.0722 * b! > 0.179 ? '#111' : '#fff';
}

/** Colours of the page in both themes: shared with figures that stand alone. */
export const themes = {
  light:
    '--page:#fff;--text:#1b1f24;--soft:#57606a;--line:#d0d7de;--shade:#f6f8fa;--idle:#E3E6EA;' +
    '--edge:rgb(0 0 0/.28);--step-0:#EDF1F5;--step-1:#C3CFDC;--step-2:#8FA5BC;' +
    '--step-3:#55738F;--step-4:#27435F;--on-step-0:#111;--on-step-1:#111;--on-step-2:#111;' +
    '--on-step-3:#fff;--on-step-4:#fff',
  dark:
    '--page:#14171b;--text:#e6e9ed;--soft:#a3adb8;--line:#3a424b;--shade:#1d2229;' +
    '--idle:#2A3038;--edge:rgb(0 0 0/.75);--step-0:#1F252C;--step-1:#2F4152;--step-2:#4A6682;' +
    '--step-3:#7F9FBF;--step-4:#C3D6E8;--on-step-0:#fff;--on-step-1:#fff;--on-step-2:#fff;' +
    '--on-step-3:#111;--on-step-4:#111',
} as const;

export const css = `
:root { color-scheme: light dark; ${themes.light}; }
@media (prefers-color-scheme: dark) { :root { ${themes.dark}; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 100rem; padding: 1rem clamp(1rem, 2vw, 2rem); \
background: var(--page); color: var(--text);
  font: 16px/1.5 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.1rem; line-height: 1.3; margin: 0; color: var(--soft); font-weight: 600; }
h2 { font-size: 1.3rem; line-height: 1.3; margin: 2.2rem 0 0.4rem; }
h3 { font-size: 1rem; line-height: 1.3; margin: 0 0 0.4rem; }
p { margin: 0.4rem 0; max-width: 70ch; }
.answer { font-size: clamp(1.15rem, 0.9rem + 1vw, 1.7rem); line-height: 1.3; font-weight: 600; \
margin: 0.5rem 0 0.8rem; max-width: 62ch; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(11.5rem, 1fr)); \
gap: 0.6rem; margin: 0 0 0.8rem; padding: 0; list-style: none; }
.tiles li { border: 1px solid var(--line); border-radius: 6px; background: var(--shade); \
padding: 0.5rem 0.8rem; font-size: 0.85rem; line-height: 1.35; }
.tiles strong { display: block; font-size: 1.5rem; line-height: 1.25; \
font-variant-numeric: tabular-nums; }
figcaption, .caption, .soft { color: var(--soft); }
.soft { max-width: none; }
nav ul { list-style: none; display: flex; flex-wrap: wrap; gap: 0.2rem 1.1rem; padding: 0; \
margin: 0.6rem 0; }
a { color: inherit; }
.grid { display: grid; grid-template-columns: minmax(0, 1fr); gap: 1.6rem 2rem; \
align-items: start; margin: 0.8rem 0; }
figure { margin: 0; }
figcaption { font-size: 0.9rem; max-width: 70ch; margin-top: 0.4rem; }
.scroll { overflow-x: auto; max-width: 100%; position: relative;
  background: linear-gradient(to right, var(--page) 30%, \
transparent) 0 0 / 3rem 100% no-repeat local,
    linear-gradient(to left, var(--page) 30%, transparent) 100% 0 / 3rem 100% no-repeat local,
    linear-gradient(to right, var(--edge), transparent) 0 0 / 0.9rem 100% no-repeat scroll,
    linear-gradient(to left, var(--edge), transparent) 100% 0 / 0.9rem 100% no-repeat scroll, \
var(--page);
  animation: wide linear; animation-timeline: scroll(self inline); }
@keyframes wide { from, to { --hint: block; } }
.hint { display: var(--hint, none); position: sticky; left: 0; width: max-content; \
font-size: 0.8rem; color: var(--soft); }
.scroll:focus-visible { outline: 2px solid #0072B2; outline-offset: 2px; }
.scroll > svg { display: block; width: 100%; height: auto; }
svg text { white-space: pre; }
.half .scroll > svg { max-width: 46rem; } .wide .scroll > svg { max-width: 92rem; }
table { border-collapse: collapse; font-size: 0.85rem; font-variant-numeric: tabular-nums; \
margin: 0; overflow-wrap: normal; }
caption { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); \
white-space: nowrap; }
.caption { margin: 0.8rem 0 0.3rem; font-size: 0.9rem; }
th, td { padding: 0.2rem 0.9rem 0.2rem 0; text-align: left; border-bottom: 1px solid var(--line); \
vertical-align: top; }
thead th { font-weight: 600; vertical-align: bottom; }
tbody th { font-weight: 400; white-space: nowrap; }
.number { text-align: right; white-space: nowrap; }
thead .number { white-space: normal; }
th [role=button] { cursor: pointer; }
th [role=button]::after { content: "\\00a0↕"; color: var(--soft); }
[aria-sort=ascending] [role=button]::after { content: "\\00a0↑"; \
} [aria-sort=descending] [role=button]::after { content: "\\00a0↓"; }
button:focus-visible, [role=button]:focus-visible { outline: 2px solid #0072B2; \
outline-offset: 2px; }
.copy { all: unset; cursor: pointer; text-decoration: underline; font-size: 0.8rem; \
color: var(--soft); }
pre { background: var(--shade); border: 1px solid var(--line); border-radius: 4px; \
padding: 0.6rem; white-space: pre-wrap; font-size: 0.85rem; max-width: 100ch; }
summary { cursor: pointer; margin: 0.6rem 0; }
#tip { position: fixed; z-index: 9; pointer-events: none; max-width: 22rem; \
padding: 0.3rem 0.6rem; border-radius: 4px;
  background: var(--text); color: var(--page); font-size: 0.85rem; line-height: 1.35; }
#tip[hidden] { display: none; }
@media (max-width: 30rem) {
  thead th { min-width: 6rem; }
  .tiles { grid-template-columns: 1fr 1fr; gap: 0.4rem; }
  .tiles li { padding: 0.35rem 0.5rem; font-size: 0.8rem; line-height: 1.3; \
} .tiles strong { font-size: 1.2rem; }
}
@media (min-width: 70rem) { .grid { grid-template-columns: repeat(2, minmax(0, 1fr)); \
} .wide { grid-column: 1 / -1; } }
@page { size: A4 landscape; margin: 12mm; }
@media print {
  :root { color-scheme: light; ${themes.light}; --text: #000; --soft: #333; --line: #999; \
--shade: #fff; }
  body { max-width: none; padding: 0; font-size: 10pt; }
  .answer { font-size: 15pt; margin: 2mm 0; max-width: none; } .tiles strong { font-size: 13pt; \
} p { max-width: none; }
  nav, .hint, .copy, th [role=button]::after, #tip { display: none; }
  .grid { grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 5mm 8mm; }
  .wide { grid-column: 1 / -1; }
  figure, tr, thead, .tiles, .answer { break-inside: avoid; }
  h2, h3, summary, .caption { break-after: avoid; }
  .tiles { grid-template-columns: repeat(auto-fit, minmax(50mm, 1fr)); }
  .scroll { overflow: visible; background: none; animation: none; position: static; }
  .scroll > svg { min-width: 0 !important; } .half .scroll > svg { max-width: 98mm; \
} figcaption { font-size: 9pt; max-width: none; }
  h2 { margin: 4mm 0 1mm; } h3 { margin: 0; }
  table { font-size: 8pt; } th, td { padding-right: 3mm; overflow-wrap: break-word; }
  thead { display: table-header-group; }
  tbody tr:nth-child(-n + 3) { break-before: avoid; } .few { break-inside: avoid; }
  details::details-content { content-visibility: visible; block-size: auto; opacity: 1; \
display: block; }
  .pairs, .pairs tbody { display: block; } .pairs thead { display: none; }
  .pairs tbody { columns: 3; column-gap: 6mm; } .pairs tr { display: flex; \
justify-content: space-between; gap: 3mm; }
  .pairs th, .pairs td { border: 0; padding: 0; font-size: 7pt; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
`;
