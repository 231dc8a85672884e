import type { Markish, PlotOptions } from '@observablehq/plot';
import { type Figure, htmlText } from './page.ts';
import { themes } from './style.ts';

/**
 * Draws figures: Observable Plot on a document that exists in memory only, which gives the same
 * text every time. The libraries are loaded when the first figure is drawn, not when the program
 * starts.
 */

export interface Swatch {
  readonly label: string;
  /** `none`: an outline. */
  readonly colour: string;
  /** A line with these dashes (none: '') instead of a box. */
  readonly dash?: string;
}

export interface Drawing {
  readonly id: string;
  readonly title: string;
  readonly description: string;
  readonly legend?: readonly Swatch[];
  /** As wide as a desk screen. */
  readonly wide?: boolean;
  /** Follow the pointer with a line: time goes to the right. */
  readonly cross?: boolean;
  readonly options: PlotOptions;
  readonly marks: (plot: PlotModule) => Markish[];
}

export type PlotModule = typeof import('@observablehq/plot');

/** Width of figures in px: two beside each other on a desk of 1280 px, or one alone. */
export const HALF = 540;
export const WIDE = 1220;
export const widthOf = (wide: boolean): number => (wide ? WIDE : HALF);
/** Of the letters, in px. */
const FONT = 13;
/** A figure is never shown so small that its letters fall below 12 px: it scrolls instead. */
const SMALLEST = 12 / FONT;
/**
 * Width of the letters, in px: measured widths of DejaVu Sans at this size, the widest of the usual
 * fonts, stay below.
 */
export const LETTER = 8.2;

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

  draw({ id, legend = [], options, marks, wide = false, cross, ...drawing }: Drawing): Figure {
    const title = sentenceCase(drawing.title);
    const description = drawing.description.trim();
    const width = widthOf(wide);
    const drawn = this.#plot.plot({
      width,
      marginBottom: 46,
      ...options,
      className: 'plot',
      document: this.#document,
      style: { fontSize: `${FONT}px` },
      marks: marks(this.#plot),
    });
    const svg = drawn.outerHTML.replace(/<style>.*?<\/style>/s, '');
    const height = Number(/ height="([\d.]+)"/.exec(svg)![1]);
    const { text, height: above } = legendSvg(legend, width);
    return {
      id,
      title,
      description,
      wide,
      svg: [
        `<svg role="img" aria-labelledby="${id}-title" aria-describedby="${id}-desc" ` +
          `width="${width}" height="${height + above}"`,
        ` viewBox="0 0 ${width} ${height + above}" ` +
          `style="min-width:${Math.ceil(width * SMALLEST)}px"${cross ? ' data-cross=""' : ''}`,
        ` fill="currentColor" font-family="system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif" ` +
          `font-size="${FONT}">`,
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
  const parts = legend.map(({ label, colour, dash }) => {
    const takes = 18 + label.length * LETTER + 12;
    if (x > 0 && x + takes > width) {
      x = 0;
      y += 20;
    }
    const sign =
      dash === undefined
        ? `<rect x="${x + 0.5}" y="${y + 0.5}" width="11" height="11" ` +
          (`fill="${colour}` +
            `"${colour === 'none' ? ' stroke="currentColor" stroke-dasharray="2 2"' : ''}` +
            '/>')
        : `<line x1="${x - 2}" x2="${x + 14}" y1="${y + 6}" y2="${y + 6}" stroke="${colour}" ` +
          `stroke-width="2" stroke-dasharray="${dash || 'none'}"/>`;
    const part = `${sign}<text x="${x + 17}" y="${y + 10.5}">${htmlText(label)}</text>`;
    x += takes;
    return part.replaceAll(/(\d\.\d\d)\d+/g, '$1');
  });
  return { text: parts.join(''), height: legend.length > 0 ? y + 20 : 0 };
}

/** `Walk share`, but `p95 latency`. */
export const sentenceCase = (text: string): string =>
  /^p\d/.test(text) ? text : text.charAt(0).toUpperCase() + text.slice(1);

/** The figure as a file of its own. */
export function standaloneSvg({ svg }: Figure): string {
  const paper = 'color:var(--text);background:var(--page)';
  const style =
    `<style>:root{${themes.light};${paper}}@media ` +
    `(prefers-color-scheme:dark){:root{${themes.dark}}}text{white-space:pre}</style>`;
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
