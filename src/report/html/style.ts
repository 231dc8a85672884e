import type { LossCause } from '../../stats/leaves.ts';

/** The style sheet of a report: light, dark, paper, and screens from 360 px on. */

/**
 * Okabe and Ito's colours, told apart with every kind of colour vision; the first six suit lines.
 */
export const series = [
  '#0072B2',
  '#E69F00',
  '#009E73',
  '#D55E00',
  '#56B4E9',
  '#CC79A7',
  '#8C8C8C',
] as const;

/** From little to much, in steps that differ in lightness (ColorBrewer YlGnBu). */
export const steps = ['#FFFFCC', '#A1DAB4', '#41B6C4', '#2C7FB8', '#253494'] as const;

/** Text on a step. */
export const onStep = ['#111', '#111', '#111', '#fff', '#fff'] as const;

/**
 * Of each leaf of the ledger: what guests do in blue, walks warm, data green, the hypervisor purple
 * and grey.
 */
export const leafColours: Readonly<Record<string, string>> = {
  'guest.user': '#56B4E9',
  'guest.kernel': '#0072B2',
  'tlb.l2hit': '#F0E442',
  'walk.guest': '#E69F00',
  'walk.nested': '#D55E00',
  'data.stall': '#009E73',
  'exit.transition': '#CC79A7',
  'exit.handler': '#8B3A6B',
  switch: '#8C8C8C',
  shootdown: '#5C4A3D',
  host: '#B8A27A',
  idle: '#D8D8D8',
};

/** Of each cause of walks, in the order in which they are drawn. */
export const causeColours: Readonly<Record<LossCause, string>> = {
  cold: '#56B4E9',
  capacity: '#0072B2',
  interference: '#D55E00',
  'world-switch': '#E69F00',
  'asid-exhausted': '#F0E442',
  cr3: '#009E73',
  invlpg: '#7FCDB5',
  shootdown: '#CC79A7',
  migration: '#8B3A6B',
};

export const css = `
:root { color-scheme: light dark; --page: #fff; --text: #1b1f24; --soft: #57606a; --line: #d0d7de; --shade: #f6f8fa; }
@media (prefers-color-scheme: dark) {
  :root { --page: #14171b; --text: #e6e9ed; --soft: #a3adb8; --line: #3a424b; --shade: #1d2229; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 60rem; padding: 1rem; background: var(--page); color: var(--text);
  font: 16px/1.5 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0.5rem 0; }
h2 { font-size: 1.2rem; line-height: 1.3; margin: 2.2rem 0 0.4rem; }
h3 { font-size: 1rem; line-height: 1.3; margin: 1.2rem 0 0.4rem; }
p { margin: 0.4rem 0; max-width: 46rem; }
.soft, figcaption, caption { color: var(--soft); }
nav ul { list-style: none; display: flex; flex-wrap: wrap; gap: 0.2rem 1.1rem; padding: 0; margin: 0.6rem 0; }
a { color: inherit; }
figure { margin: 0.6rem 0; }
figcaption { font-size: 0.9rem; max-width: 46rem; margin-top: 0.4rem; }
.scroll { overflow-x: auto; max-width: 100%; }
.scroll:focus-visible { outline: 2px solid #0072B2; outline-offset: 2px; }
svg { display: block; max-width: none; }
svg text { white-space: pre; }
table { border-collapse: collapse; font-size: 0.85rem; font-variant-numeric: tabular-nums; margin: 0.4rem 0; overflow-wrap: normal; }
caption { text-align: left; padding: 0.2rem 0; font-size: 0.9rem; }
th, td { padding: 0.2rem 0.7rem 0.2rem 0; text-align: left; border-bottom: 1px solid var(--line); vertical-align: top; }
thead th { font-weight: 600; }
tbody th { font-weight: 400; white-space: nowrap; }
.number { text-align: right; white-space: nowrap; }
pre { background: var(--shade); border: 1px solid var(--line); border-radius: 4px; padding: 0.6rem; white-space: pre-wrap; font-size: 0.85rem; }
summary { cursor: pointer; margin: 0.4rem 0; }
@media print {
  :root { --page: #fff; --text: #000; --soft: #333; --line: #999; --shade: #fff; }
  body { max-width: none; padding: 0; font-size: 10pt; }
  nav { display: none; }
  figure, tr { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
  .scroll { overflow: visible; }
  svg { max-width: 100%; height: auto; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
`;
