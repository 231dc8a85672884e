import type { Markish, PlotOptions } from '@observablehq/plot';
import { type Figure, htmlText } from './page.ts';

/**
 * Draws figures: Observable Plot on a document that exists in memory only, which gives the same
 * text every time. The libraries are loaded when the first figure is drawn, not when the program
 * starts.
 */

export interface Swatch {
  readonly label: string;
  readonly colour: string;
}

export interface Drawing {
  readonly id: string;
  readonly title: string;
  readonly description: string;
  readonly legend?: readonly Swatch[];
  readonly options: PlotOptions;
  readonly marks: (plot: PlotModule) => Markish[];
}

export type PlotModule = typeof import('@observablehq/plot');

/** Width of every figure in px: as wide as the text beside it on a desk, scrolled on a phone. */
export const WIDTH = 720;
/**
 * Of the letters, in px: measured widths of DejaVu Sans at 12 px, the widest of the usual fonts,
 * stay below.
 */
const LETTER = 7.6;

export class Pencil {
  readonly #plot: PlotModule;
  readonly #document: NonNullable<PlotOptions['document']>;

  private constructor(plot: PlotModule, document: NonNullable<PlotOptions['document']>) {
    this.#plot = plot;
    this.#document = document;
  }

  static async load(): Promise<Pencil> {
    const [plot, { parseHTML }] = await Promise.all([
      import('@observablehq/plot'),
      import('linkedom'),
    ]);
    return new Pencil(plot, parseHTML('<!DOCTYPE html><html><body></body></html>').document);
  }

  draw({ id, title, legend = [], options, marks, ...drawing }: Drawing): Figure {
    const description = drawing.description.trim();
    const width = options.width ?? WIDTH;
    const drawn = this.#plot.plot({
      width,
      marginBottom: 44,
      ...options,
      className: 'plot',
      document: this.#document,
      style: { fontSize: '12px' },
      marks: marks(this.#plot),
    });
    const svg = drawn.outerHTML.replace(/<style>.*?<\/style>/s, '');
    const height = Number(/ height="([\d.]+)"/.exec(svg)![1]);
    const { text, height: above } = legendSvg(legend, width);
    return {
      id,
      title,
      description,
      svg: [
        `<svg role="img" aria-labelledby="${id}-title" aria-describedby="${id}-desc" width="${width}" height="${height + above}"`,
        ` viewBox="0 0 ${width} ${height + above}" fill="currentColor" font-family="system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif" font-size="12">`,
        `<title id="${id}-title">${htmlText(title)}</title>`,
        `<desc id="${id}-desc">${htmlText(description)}</desc>`,
        '<g aria-hidden="true">',
        text,
        svg.replace('<svg ', `<svg y="${above}" `),
        '</g></svg>',
      ].join(''),
    };
  }
}

/** A row of swatches, or several where one is too short. */
function legendSvg(legend: readonly Swatch[], width: number): { text: string; height: number } {
  let x = 0;
  let y = 4;
  const parts = legend.map(({ label, colour }) => {
    const takes = 18 + label.length * LETTER + 14;
    if (x > 0 && x + takes > width) {
      x = 0;
      y += 20;
    }
    const part = `<rect x="${x}" y="${y}" width="12" height="12" fill="${colour}"/><text x="${x + 17}" y="${y + 10.5}">${htmlText(label)}</text>`;
    x += takes;
    return part.replaceAll(/(\d\.\d\d)\d+/g, '$1');
  });
  return { text: parts.join(''), height: legend.length > 0 ? y + 20 : 0 };
}

/** The figure as a file of its own. */
export function standaloneSvg({ svg }: Figure): string {
  const style =
    '<style>:root{--page:#fff;color:#1b1f24;background:#fff}@media (prefers-color-scheme:dark){:root{--page:#14171b;color:#e6e9ed;background:#14171b}}text{white-space:pre}</style>';
  const [, head, rest] = /^(<svg [^>]*>)(.*)$/s.exec(svg)!;
  return `${head!.replace('<svg ', '<svg xmlns="http://www.w3.org/2000/svg" ')}${style}${rest}\n`;
}

/** Room for labels to the left of an axis. */
export function marginFor(labels: readonly string[]): number {
  return Math.min(
    260,
    14 + Math.ceil(Math.max(3, ...labels.map((label) => label.length)) * LETTER),
  );
}
