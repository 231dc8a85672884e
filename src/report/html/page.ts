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
}

export interface Table {
  readonly caption: string;
  readonly head: readonly string[];
  /** Cells as text; the first of a row names it. */
  readonly rows: readonly (readonly string[])[];
  /** Shown when asked for. */
  readonly folded?: boolean;
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
}

export interface Page {
  readonly title: string;
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

export function pageHtml({ title, lead, sections }: Page): string {
  const links = sections.map(
    ({ id, title: name }) => `<li><a href="#${id}">${htmlText(name)}</a></li>`,
  );
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${htmlText(title)}</title>
<link rel="icon" href="data:,">
<style>${css}</style>
</head>
<body>
<header>
<h1>${htmlText(title)}</h1>
${lead.map((line) => `<p>${htmlText(line)}</p>`).join('\n')}
<nav aria-label="Contents"><ul>
${links.join('\n')}
</ul></nav>
</header>
<main>
${sections.map(sectionHtml).join('\n')}
</main>
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
}: Section): string {
  return [
    `<section id="${id}" aria-labelledby="${id}-heading">`,
    `<h2 id="${id}-heading">${htmlText(title)}</h2>`,
    ...text.map((line) => `<p>${htmlText(line)}</p>`),
    ...(code === undefined ? [] : [`<pre>${htmlText(code)}</pre>`]),
    ...figures.map(figureHtml),
    ...tables.map(tableHtml),
    ...(listing
      ? [
          `<details><summary>${htmlText(listing.caption)}</summary>\n<pre>${htmlText(listing.text)}</pre>\n</details>`,
        ]
      : []),
    '</section>',
  ].join('\n');
}

function figureHtml({ title, description, svg }: Figure): string {
  return `<figure>
<h3>${htmlText(title)}</h3>
<div class="scroll" tabindex="0" role="group" aria-label="${htmlText(title)}">${svg}</div>
<figcaption>${htmlText(description)}</figcaption>
</figure>`;
}

const NUMBER = /^[-+±]?[\d.,]+(?:[ %×]|$)/;

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
  const table = `<div class="scroll" tabindex="0" role="group" aria-label="${htmlText(caption)}"><table>
<caption>${htmlText(caption)}</caption>
<thead><tr>${header}</tr></thead>
<tbody>
${body.join('\n')}
</tbody>
</table></div>`;
  return folded ? `<details><summary>${htmlText(caption)}</summary>\n${table}\n</details>` : table;
}
