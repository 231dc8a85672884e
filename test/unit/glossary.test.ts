import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runstateNames } from '../../src/hypervisor/vm.ts';
import { causeNames, exitNames } from '../../src/stats/leaves.ts';
import { leafColumns, measureNames } from '../../src/stats/measures.ts';
import { seriesDictionary } from '../../src/stats/metrics.ts';

/** docs/glossary.md explains every word that the program prints, and what it does not print it does not list. */

const root = resolve(import.meta.dirname, '../..');
const docs = join(root, 'docs');
const glossary = readFileSync(join(docs, 'glossary.md'), 'utf8');
const [wordSection, termSection] = glossary.split('\n## Terms\n') as [string, string];
const terms = termSection
  .split(/^### /m)
  .slice(1)
  .map((entry) => {
    const [name, ...text] = entry.split('\n');
    return { name: name!, text: text.join('\n').trim() };
  });
const names = terms.map(({ name }) => name);
const explained = (term: string) => terms.filter(({ name }) => name === `\`${term}\``);

it.each([
  ['leaf of the ledger', leafColumns],
  ['cause', causeNames],
  ['exit reason', exitNames],
])('has an entry for each %s, which says that it is one', (kind, all) => {
  const word = kind.split(' ')[0]!;
  for (const name of all) {
    const entries = explained(name);
    expect(entries, name).toHaveLength(1);
    expect(entries[0]!.text, name).toMatch(new RegExp(`\\b${word}\\b`, 'i'));
  }
});

it('has an entry for each run state', () => {
  for (const state of runstateNames) {
    const entry = terms.find(({ name }) => name.toLowerCase() === state);
    expect(entry?.text, state).toMatch(/^Run state/);
  }
});

it('names each metric at the term it belongs to, alone or with its family', () => {
  const listed = terms.flatMap(({ text }) => [
    ...(/In tables: (.*)\.$/m.exec(text)?.[1] ?? '').matchAll(/`([\w*]+)`/g),
  ]);
  const patterns = listed.map(([, pattern]) => pattern!);
  const fits = (pattern: string, name: string) =>
    new RegExp(`^${pattern.replaceAll('*', '\\w+')}$`).test(name);
  const metrics = [...measureNames, ...Object.keys(seriesDictionary)];
  const missing = metrics.filter((name) => !patterns.some((pattern) => fits(pattern, name)));
  expect(missing).toEqual([]);
  const columns = [...metrics, ...leafColumns.map((leaf) => `ledger_${leaf}`)];
  const idle = patterns.filter((pattern) => !columns.some((name) => fits(pattern, name)));
  expect(idle, 'families without a member').toEqual([]);
});

/** Heads of the columns of the summary, without units and what stands in parentheses. */
function columnWords(): string[] {
  const folder = join(root, 'src/report');
  const sources = readdirSync(folder).filter((name) => /^summary.*\.ts$/.test(name));
  const code = sources.map((name) => readFileSync(join(folder, name), 'utf8')).join('\n');
  const literals = [...code.matchAll(/\bhead: '([^']+)'/g)].map(([, head]) => head!);
  const latencies = [...code.matchAll(/\['(\w+)', 'latency_\w+_ns'\]/g)].map(([, head]) => head!);
  const words = [...literals, ...latencies].map((head) =>
    head
      .replace(/ \(.*\)$/, '')
      .replace(/^\| | %$|^% (?=of )/g, '')
      .trim(),
  );
  return words.filter((word) => word && !word.startsWith('in % of'));
}

it('explains each word at the head of a column of the summary', () => {
  const rows = [...wordSection.matchAll(/^\| ([^|]+) \| [^|]{10,} \|$/gm)];
  const words = new Set(rows.map(([, word]) => word!.toLowerCase()));
  const heads = columnWords();
  expect(heads.length).toBeGreaterThan(12);
  expect(heads.filter((word) => !words.has(word.toLowerCase()))).toEqual([]);
});

it('is in alphabetical order, with no term twice and no entry without a sentence', () => {
  const keys = names.map((name) => name.toLowerCase().replace(/[`#-]/g, '').replaceAll('.', ' '));
  expect(keys).toEqual(keys.toSorted());
  expect(new Set(names).size).toBe(names.length);
  for (const { name, text } of terms) expect(text, name).toMatch(/^[\s\S]{10,}\.$/);
});

describe('links of the documentation', () => {
  const files = ['docs', 'results', 'test/bench'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.(?:md|ipynb)$/.test(name))
      .map((name) => join(root, folder, name)),
  );

  /** Targets of Markdown links, without those in the world and those in code. */
  const links = (file: string) =>
    readFileSync(file, 'utf8')
      .replace(/```[\s\S]*?```/g, '')
      .matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)]*))?\)/g);

  it('lead to pages and headings that exist', () => {
    const anchors = (file: string) =>
      [...readFileSync(file, 'utf8').matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
        heading!
          .toLowerCase()
          .replace(/[^\p{L}\p{N}\s_-]/gu, '')
          .replaceAll(' ', '-'),
      );
    for (const file of files) {
      for (const [, target, anchor] of links(file)) {
        const page = target ? resolve(file, '..', target) : file;
        expect(existsSync(page), `${file}: ${target}`).toBe(true);
        if (anchor) expect(anchors(page), `${file}: ${target}#${anchor}`).toContain(anchor);
      }
    }
  });

  it('lead from each page for a reader to the glossary', () => {
    const entrances = files.filter((file) => /for-\w+\.md$/.test(file));
    expect(entrances).toHaveLength(3);
    for (const file of [...entrances, join(docs, 'README.md')]) {
      expect(readFileSync(file, 'utf8'), file).toContain('(glossary.md');
    }
  });
});
