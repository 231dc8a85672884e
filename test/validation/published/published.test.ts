import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { aScenario } from '../../support/scenarios.ts';
import { type Apart, measureApart } from './apart.ts';
import { bounds, judge, uninformative } from './case.ts';
import { cases } from './cases/index.ts';
import { document, sensitivityText } from './document.ts';
import { figureNames, firstLooks, keepFirstLook } from './first-looks.ts';
import { armsOf, type CaseResult, measureCase, publishedValue } from './measure.ts';
import {
  measurePrograms,
  type Program,
  type ProgramResult,
  programsText,
  sixPrograms,
} from './programs.ts';
import { publishedRows } from './published.ts';
import { measureSensitivity, type SubjectResult, subjects } from './sensitivity.ts';
import { tornado } from './tornado.ts';

/**
 * Published experiments against the simulator: a few, shortened, in every test run; all of them under
 * `npm run validate`, which also writes docs/validation.md.
 */
const full = process.env['VALIDATE'] === 'full';
const TIMEOUT_MS = full ? 900_000 : 120_000;
const results: CaseResult[] = [];
const sensitivities: SubjectResult[] = [];

describe('against published measurements, the sign of every claimed figure is right in', () => {
  const chosen = cases.filter(({ quick }) => full || quick);
  test.each(chosen.map((which) => [which.id, which.title, which] as const))(
    '%s: %s',
    async (...[, , which]) => {
      const result = await measureCase(which, full ? which.seeds : 1);
      results.push(result);
      const wrong = result.figures.filter(
        ({ verdict, figure }) => verdict === 'disagrees' && !figure.unclaimed,
      );
      expect(wrong.map(({ figure, ours }) => `${figure.what}: ${ours.mean}`)).toEqual([]);
    },
    TIMEOUT_MS,
  );
});

/** Where we stand: a change of the model must not lose what has been reached. */
const share = process.env['VALIDATE'] === 'full' ? 0.6 : 0.4;

test(`at least ${Math.round(100 * share)} % of the informative figures lie within their tolerance`, () => {
  const figures = results
    .flatMap((result) => result.figures)
    .filter(({ uninformative }) => uninformative === undefined);
  const agreeing = figures.filter(({ verdict }) => verdict === 'agrees');
  expect(figures.length).toBeGreaterThan(0);
  expect(agreeing.length / figures.length).toBeGreaterThanOrEqual(share);
});

test('every figure has a published row with a number, and every row is used', () => {
  const used = cases.flatMap(({ figures }) => figures.map((f) => publishedValue(f).row.id));
  expect([...publishedRows.keys()].filter((id) => !used.includes(id))).toEqual([]);
});

test('cases with a date have one tolerance, and it always says something', () => {
  const dated = cases.filter(({ written }) => written !== undefined);
  expect(dated.length).toBeGreaterThan(0);
  for (const { id, figures, written } of dated) {
    expect(written).toMatch(/^\d{4}-\d\d-\d\d$/);
    for (const figure of figures) {
      expect(figure.tolerance, `${id} ${figure.what}`).toEqual({ kind: 'uniform' });
      expect(uninformative(figure, publishedValue(figure).value), figure.what).toBeUndefined();
    }
  }
  const figure = { ...dated[0]!.figures[0]!, neutral: 1 };
  expect(bounds(figure, 1.4)).toEqual([expect.closeTo(1.2), expect.closeTo(1.6)]);
  expect(bounds(figure, 0.8)).toEqual([expect.closeTo(0.7), expect.closeTo(0.9)]);
  expect(bounds(figure, 6)).toEqual([
    expect.closeTo(6 / Math.SQRT2),
    expect.closeTo(6 * Math.SQRT2),
  ]);
  expect([judge(figure, 1.4, 1.25), judge(figure, 1.4, 1.1), judge(figure, 1.4, 0.9)]).toEqual([
    'agrees',
    'same direction',
    'disagrees',
  ]);
});

test('what a figure was at the first look is kept under its name', () => {
  const names = figureNames(cases);
  expect(new Set(names).size).toBe(names.length);
  expect([...firstLooks.keys()].filter((name) => !names.includes(name))).toEqual([]);
  for (const { date, value } of firstLooks.values()) {
    expect(date).toMatch(/^\d{4}-\d\d-\d\d$/);
    expect(value).not.toBeNaN();
  }
  if (!full) return;
  const today = new Date().toISOString().slice(0, 10);
  for (const { case: which, figures } of results) {
    for (const { figure, first, ours } of figures) {
      if (!first) keepFirstLook(which, figure, ours.mean, today);
    }
  }
});

test('what does not agree says why', () => {
  const silent = results.flatMap((result) =>
    result.figures
      .filter(({ verdict, figure }) => verdict !== 'agrees' && !figure.reason)
      .map(({ figure }) => `${result.case.id} ${figure.what}`),
  );
  expect(silent).toEqual([]);
});

const programs: ProgramResult[] = [];
const apart: Apart[] = [];

/** What stands for the six programs in a quick run. */
const loop: Program = {
  ...{ title: 'a loop', where: 'KVM', published: 'nothing', nested: 'nested' },
  run: (arms, kind) => arms.run(`loop ${kind}`, { hypervisor: { mmu: { kind } } }),
};

test(
  'programs are compared by paging mode, and the parts of the difference are its sum',
  async () => {
    programs.push(...(await measurePrograms(armsOf(1).arms, full ? sixPrograms : [loop])));
    const lines = programsText(programs).split('\n');
    for (const line of lines.filter((text) => text.startsWith('- *'))) {
      const [total, ...parts] = [...line.matchAll(/[+−]([\d.,]+)(?=[:,.]( |$))/g)].map(([text]) =>
        Number(
          text
            .replace('−', '-')
            .replaceAll(/,(?=\d{3})/g, '')
            .replace(/[,.]$/, ''),
        ),
      );
      const sum = parts.reduce((a, b) => a + b, 0);
      expect(Math.abs(sum - total!), line).toBeLessThan(0.02 * Math.abs(total!) + 20);
    }
  },
  TIMEOUT_MS,
);

test(
  'figures kept apart are measured and judged as the others',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'apart-'));
    const path = join(folder, 'apart.csv');
    writeFileSync(join(folder, 'loop.yaml'), aScenario());
    const [shadow, nested] = ['shadow', 'nested'].map((kind) => `hypervisor.mmu={kind: ${kind}}`);
    const rows = [
      `"gain, shadow",loop.yaml,${shadow},${nested};seed=2,time,3,,`,
      `loss,loop.yaml,${shadow},${nested},time,0.5,1,1`,
      `anything,loop.yaml,${shadow},,exits,0,0,1`,
    ];
    const head = 'figure,scenario,over,under,measure,published,neutral,seeds';
    writeFileSync(path, `${[head, ...rows].join('\n')}\n`);
    const [gain, loss, count] = await measureApart(path);
    expect(gain!.ours).toBeGreaterThan(1);
    expect(gain!.verdict).toBe(gain!.ours >= 2.12 && gain!.ours <= 4 ? 'agrees' : 'same direction');
    expect(loss).toMatchObject({ ours: expect.closeTo(gain!.ours, 1), verdict: 'disagrees' });
    expect(count!.ours).toBeGreaterThan(100);
    expect(readFileSync(`${path}.measured.csv`, 'utf8')).toMatch(
      /^figure,.*\n"gain, shadow",3,[\d.]+,.*,yes\n/,
    );
    rmSync(folder, { recursive: true });
    const own = process.env['FIGURES_APART'];
    if (full && own) apart.push(...(await measureApart(own)));
  },
  TIMEOUT_MS,
);

const image = 'img/validation-tornado.svg';

test(
  'each assumed price can be varied',
  async () => {
    for (const subject of full ? subjects : subjects.slice(0, 1)) {
      const result = await measureSensitivity(subject, full ? undefined : 4);
      expect(result.base).toBeGreaterThan(1);
      expect(result.varied).toBeGreaterThan(2);
      expect(result.prices.length).toBeGreaterThan(0);
      expect(result.prices[0]!.low).not.toBe(result.prices[0]!.high);
      sensitivities.push(result);
    }
  },
  TIMEOUT_MS,
);

test(full ? 'the document is written' : 'the document can be written', () => {
  const text = document(results, {
    programs,
    apart,
    sensitivity: sensitivityText(sensitivities, image),
  });
  const chart = tornado(sensitivities);
  for (const { case: which } of results) expect(text).toContain(`## ${which.id}: ${which.title}`);
  expect(chart).toContain(sensitivities[0]!.prices[0]!.price);
  if (!full) return;
  const docs = fileURLToPath(new URL('../../../docs/', import.meta.url));
  writeFileSync(`${docs}validation.md`, text);
  writeFileSync(`${docs}${image}`, chart);
});
