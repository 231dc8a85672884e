import { policy, script } from './script.ts';
import { css } from './style.ts';

/** The page around the figures: one HTML file that needs no script and asks nobody for anything. */

export interface Figure {
  /** Also the name of the file when figures are written alone. */
  readonly id: string;
  readonly title: string;
  /** What a reader who does not see it has to know. */
  readonly description: string;
  /** A complete svg element. */
  readonly svg: string;
  /** Takes the whole width of a desk screen; otherwise two stand side by side. */
  readonly wide: boolean;
}

export interface Table {
  readonly caption: string;
  readonly head: readonly string[];
  /** Cells as text; the first of a row names it. */
  readonly rows: readonly (readonly string[])[];
  /** Shown when asked for. */
  readonly folded?: boolean;
  /** Stands among the figures, as wide as one of two. */
  readonly beside?: boolean;
}

export interface Section {
  readonly id: string;
  readonly title: string;
  /** Paragraphs of plain text. */
  readonly text?: readonly string[];
  readonly figures?: readonly Figure[];
  readonly tables?: readonly Table[];
  /** A text as it stands, shown when asked for. */
  readonly listing?: { readonly caption: string; readonly text: string } | undefined;
  /** A command, shown as such. */
  readonly code?: string;
  /** The same after figures and tables. */
  readonly after?: { readonly text: string; readonly code: string } | undefined;
}

/** What a reader came for: a sentence and at most four numbers. */
export interface Answer {
  readonly sentence: string;
  readonly numbers: readonly { readonly value: string; readonly text: string }[];
}

export interface Page {
  readonly title: string;
  readonly answer: Answer;
  /** What the answer is about, in a few lines. */
  readonly lead: readonly string[];
  readonly sections: readonly Section[];
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/**
 * Text as HTML shows it. Whatever comes from a file goes through here. Control characters are left
 * out.
 */
export function htmlText(text: string): string {
  return text.replace(/[&<>"']/g, (sign) => entities[sign]!).replace(/(?![\t\n])\p{Cc}/gu, '');
}

export function pageHtml({ title, answer, lead, sections }: Page): string {
  const tiles = answer.numbers.map(
    ({ value, text }) => `<li><strong>${htmlText(value)}</strong> ${htmlText(text)}</li>`,
  );
  const links = sections.map(
    ({ id, title: name }) => `<li><a href="#${id}">${htmlText(name)}</a></li>`,
  );
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<title>${htmlText(title)}</title>
<link rel="icon" href="data:,">
<style>${css}</style>
</head>
<body>
<header>
<h1>${htmlText(title)}</h1>
<p class="answer">${htmlText(answer.sentence)}</p>
${tiles.length > 0 ? `<ul class="tiles">${tiles.join('\n')}</ul>\n` : ''}${lead
  .map((line) => `<p class="soft">${htmlText(line)}</p>`)
  .join('\n')}
<nav aria-label="Contents"><ul>
${links.join('\n')}
</ul></nav>
</header>
<main>
${sections.map(sectionHtml).join('\n')}
</main>
<script>${script}</script>
</body>
</html>
`;
}

function sectionHtml({
  id,
  title,
  text = [],
  figures = [],
  tables = [],
  code,
  listing,
  after,
}: Section): string {
  const beside = tables.filter(({ beside }) => beside);
  const grid = [
    ...figures.map(figureHtml),
    ...beside.map((table) => `<div>${tableHtml(table)}</div>`),
  ];
  return [
    `<section id="${id}" aria-labelledby="${id}-heading">`,
    `<h2 id="${id}-heading">${htmlText(title)}</h2>`,
    ...text.map((line) => `<p>${htmlText(line)}</p>`),
    ...(code === undefined ? [] : [codeHtml(code)]),
    ...(grid.length > 0 ? [`<div class="grid">\n${grid.join('\n')}\n</div>`] : []),
    ...tables.filter(({ beside }) => !beside).map(tableHtml),
    ...(after ? [`<p>${htmlText(after.text)}</p>`, codeHtml(after.code)] : []),
    ...(listing
      ? [
          `<details><summary>${htmlText(listing.caption)}` +
            `</summary>\n${codeHtml(listing.text)}\n</details>`,
        ]
      : []),
    '</section>',
  ].join('\n');
}

const codeHtml = (text: string) => `<pre>${htmlText(text)}</pre>`;
const HINT = '<span class="hint" aria-hidden="true">scroll →</span>';

function figureHtml({ title, description, svg, wide }: Figure): string {
  return `<figure class="${wide ? 'wide' : 'half'}">
<h3>${htmlText(title)}</h3>
<div class="scroll" tabindex="0" role="group" aria-label="${htmlText(title)}">${HINT}${svg}</div>
<figcaption>${htmlText(description)}</figcaption>
</figure>`;
}

const NUMBER = /^[-+±<−]?[\d.,]+(?:[ %×]|$)/;

function tableHtml({ caption, head, rows, folded }: Table): string {
  const numeric = head.map(
    (_, column) =>
      column > 0 &&
      rows.some((row) => row[column] !== '') &&
      rows.every((row) => row[column] === '' || NUMBER.test(row[column]!)),
  );
  const mark = (column: number) => (numeric[column] ? ' class="number"' : '');
  const header = head.map((cell, i) => `<th scope="col"${mark(i)}>${htmlText(cell)}</th>`).join('');
  const body = rows.map((row) => {
    const [name, ...rest] = row.map((cell, i) =>
      i === 0 ? `<th scope="row">${htmlText(cell)}</th>` : `<td${mark(i)}>${htmlText(cell)}</td>`,
    );
    return `<tr>${name}${rest.join('')}</tr>`;
  });
  // On paper, long lists of two columns stand in several, and short tables stay whole.
  const long = head.length === 2 && rows.length > 40;
  const shape = long ? ' class="pairs"' : rows.length <= 15 ? ' class="few"' : '';
  const above = folded ? '' : `<p class="caption" aria-hidden="true">${htmlText(caption)}</p>\n`;
  const named = `role="group" aria-label="${htmlText(caption)}"`;
  const table = `${above}<div class="scroll" tabindex="0" ${named}>${HINT}<table${shape}>
<caption>${htmlText(caption)}</caption>
<thead><tr>${header}</tr></thead>
<tbody>
${body.join('\n')}
</tbody>
</table></div>`;
  return folded ? `<details><summary>${htmlText(caption)}</summary>\n${table}\n</details>` : table;
}
