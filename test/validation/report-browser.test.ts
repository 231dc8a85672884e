import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasChromium, launch } from '../support/chromium.ts';
import {
  movingYaml,
  reportedYaml,
  scratch,
  sweptYaml,
  worldswitchHere,
} from '../support/program.ts';

/** A browser opens the report as a reader does: on a desk and on a phone, light and dark. */
if (!hasChromium) console.warn('SKIPPED: no browser is here; install the Debian package chromium');

const { dir, remove } = scratch();
let browser: Browser;

beforeAll(async () => {
  if (!hasChromium) return;
  writeFileSync(join(dir, 's.yaml'), reportedYaml());
  await worldswitchHere(dir, 'run', 's.yaml', '-q', '--out', 'run', '--report');
  writeFileSync(join(dir, 'moving.yaml'), movingYaml());
  await worldswitchHere(dir, 'run', 'moving.yaml', '-q', '--out', 'moving', '--report');
  writeFileSync(join(dir, 'swept.yaml'), sweptYaml());
  await worldswitchHere(dir, 'sweep', 'swept.yaml', '-q', '-j', '0', '--out', 'swept');
  await worldswitchHere(dir, 'report', 'swept', '--objective', 'ready share < 60%');
  browser = await launch();
}, 60_000);
afterAll(async () => {
  await browser?.close();
  remove();
});

const screens = [
  { width: 1280, height: 720, colorScheme: 'light' },
  { width: 1280, height: 720, colorScheme: 'dark' },
  { width: 390, height: 844, colorScheme: 'light' },
  { width: 390, height: 844, colorScheme: 'dark' },
] as const;

interface Opened {
  readonly page: Page;
  /** What it asked for and complained about. */
  readonly complaints: readonly string[];
  readonly close: () => Promise<void>;
}

async function open(
  file: string,
  { width, height, colorScheme }: (typeof screens)[number],
  javaScriptEnabled = true,
): Promise<Opened> {
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme,
    javaScriptEnabled,
  });
  const page = await context.newPage();
  const complaints: string[] = [];
  const url = pathToFileURL(join(dir, file)).href;
  page.on('console', (message) => complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('request', (request) => {
    if (request.url() !== url && !request.url().startsWith('data:')) complaints.push(request.url());
  });
  await page.goto(url);
  return { page, complaints, close: () => context.close() };
}

/**
 * Texts of figures that leave their figure, lie on one another, are smaller than 12 px, or do not
 * stand out from what is behind them by 4.5 to 1.
 */
const flaws = (page: Page): Promise<string[]> => page.evaluate(FLAWS);
const FLAWS = `[...document.querySelectorAll('svg[role=img]')].flatMap((svg) => {
  const box = svg.getBoundingClientRect();
  const title = svg.querySelector('title').textContent;
  const texts = [...svg.querySelectorAll('text')]
    .filter((text) => text.textContent.trim())
    .map((text) => ({ words: text.textContent, at: text.getBoundingClientRect() }));
  const outside = texts
    .filter(({ at }) => at.left < box.left - 0.5 || at.right > box.right + 0.5 || at.top < box.top - 0.5 || at.bottom > box.bottom + 0.5)
    .map(({ words }) => title + ': clipped: ' + words);
  const over = texts.flatMap((one, i) => texts.slice(i + 1)
    .filter(({ at }) => Math.min(one.at.right, at.right) - Math.max(one.at.left, at.left) > 1 &&
      Math.min(one.at.bottom, at.bottom) - Math.max(one.at.top, at.top) > 3)
    .map(({ words }) => title + ': ' + one.words + ' over ' + words));
  const small = [...svg.querySelectorAll('text')]
    .filter((text) => parseFloat(getComputedStyle(text).fontSize) * text.getScreenCTM().a < 11.9)
    .map((text) => title + ': small: ' + text.textContent);
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const light = (colour) => {
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map((v) => v / 255)
      .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const page = light(getComputedStyle(document.body).backgroundColor);
  const boxes = [...svg.querySelectorAll('svg rect')].map((rect) => ({ at: rect.getBoundingClientRect(), fill: getComputedStyle(rect).fill }))
    .filter(({ fill }) => fill !== 'none');
  const pale = [...svg.querySelectorAll('text')].filter((text) => text.textContent.trim()).flatMap((text) => {
    const at = text.getBoundingClientRect();
    const [x, y] = [(at.left + at.right) / 2, (at.top + at.bottom) / 2];
    const under = boxes.findLast(({ at: box }) => box.left <= x && x <= box.right && box.top <= y && y <= box.bottom);
    const [a, b] = [light(getComputedStyle(text).fill), under ? light(under.fill) : page].toSorted((p, q) => q - p);
    return (a + 0.05) / (b + 0.05) < 4.5 ? [title + ': pale: ' + text.textContent] : [];
  });
  return [...outside, ...over, ...small, ...pale];
})`;

/** Where the answer and its numbers end, from the top of the page. */
const ANSWER_END =
  "Math.max(...[...document.querySelectorAll('.answer, .tiles')].map((e) => e.getBoundingClientRect().bottom))";

describe.skipIf(!hasChromium)('the report in a browser', () => {
  const cases = screens.flatMap((screen) => [
    { ...screen, file: 'run/report.html', title: 'small: one run', figures: 8 },
    { ...screen, file: 'swept/report.html', title: 'swept: a sweep', figures: 11 },
  ]);

  const moving = [screens[0], screens[3]].map((screen) => ({
    ...{ ...screen, file: 'moving/report.html', title: 'moving: one run', figures: 15 },
  }));

  it.each([...cases, ...moving])(
    'shows $file whole at $width px, $colorScheme',
    async ({ file, ...screen }) => {
      const { page, complaints, close } = await open(file, screen);
      expect(await page.title()).toBe(screen.title);
      expect(await page.locator('svg[role=img]').count()).toBe(screen.figures);
      expect(await flaws(page)).toEqual([]);
      const wide = await page.evaluate('document.documentElement.scrollWidth - innerWidth');
      expect(wide).toBeLessThanOrEqual(0);
      expect(await page.evaluate(ANSWER_END)).toBeLessThan(screen.height);
      // What does not fit says so.
      const hint = page.locator('figure.wide .hint').first();
      expect(await hint.isVisible()).toBe(screen.width < 1000);
      const background = await page.evaluate('getComputedStyle(document.body).backgroundColor');
      expect(background).toBe(
        screen.colorScheme === 'dark' ? 'rgb(20, 23, 27)' : 'rgb(255, 255, 255)',
      );
      expect(complaints).toEqual([]);
      await close();
    },
  );

  it('needs no script: figures, tables and the sign that something scrolls are there', async () => {
    const { page, complaints, close } = await open('run/report.html', screens[2], false);
    expect(await page.locator('svg[role=img]').count()).toBe(8);
    expect(await page.locator('figure.wide .hint').first().isVisible()).toBe(true);
    expect(await page.locator('th [role=button]').count()).toBe(0);
    expect(await page.locator('svg g title').count()).toBeGreaterThan(50);
    // The browser names the script that it did not run, if anything.
    expect(complaints).toEqual([]);
    await close();
  });

  it('prints everything, also what is folded, on white', async () => {
    for (const script of [true, false]) {
      const { page, close } = await open('run/report.html', screens[1], script);
      const table = page.locator('details table').last();
      expect(await table.isVisible()).toBe(false);
      await page.emulateMedia({ media: 'print' });
      expect(await table.isVisible()).toBe(true);
      expect((await table.boundingBox())!.height).toBeGreaterThan(500);
      expect(await page.locator('nav').isVisible()).toBe(false);
      const background = await page.evaluate('getComputedStyle(document.body).backgroundColor');
      expect(background).toBe('rgb(255, 255, 255)');
      await close();
    }
  });

  it('has figures that are pictures of their own, also as XML', async () => {
    await worldswitchHere(dir, 'report', 'run', '--format', 'svg', '-q', '-o', 'figures');
    await worldswitchHere(dir, 'report', 'swept', '--format', 'svg', '-q', '-o', 'figures');
    const names = readdirSync(join(dir, 'figures'));
    expect(names.length).toBeGreaterThan(15);
    const texts = names.map((name) => readFileSync(join(dir, 'figures', name), 'utf8'));
    const { page, close } = await open('run/report.html', screens[0]);
    const broken = await page.evaluate<number[]>(
      `${JSON.stringify(texts)}.flatMap((svg, i) =>
        new DOMParser().parseFromString(svg, 'image/svg+xml').querySelector('parsererror') ? [i] : [])`,
    );
    expect(broken.map((i) => names[i])).toEqual([]);
    await close();
  });

  it('sorts a table by click and by key, and says in which order it is', async () => {
    const { page, close } = await open('run/report.html', screens[0]);
    const table = page.locator('#vms table');
    const column = async (n: number) =>
      (await table.locator(`tbody tr > :nth-child(${n})`).allTextContents()).map((text) =>
        Number(text.replaceAll(',', '')),
      );
    const heads = await table.locator('thead th').allTextContents();
    const walks = heads.indexOf('page walks') + 1;
    const head = table.locator(`thead th:nth-child(${walks})`);
    const before = await column(walks);
    await head.getByRole('button').click();
    expect(await head.getAttribute('aria-sort')).toBe('descending');
    expect(await column(walks)).toEqual(before.toSorted((a, b) => b - a));
    await head.getByRole('button').press('Enter');
    expect(await head.getAttribute('aria-sort')).toBe('ascending');
    expect(await column(walks)).toEqual(before.toSorted((a, b) => a - b));
    await table.locator('thead th').first().getByRole('button').press(' ');
    expect(await head.getAttribute('aria-sort')).toBeNull();
    expect(await table.locator('tbody th').allTextContents()).toEqual(['loop-0', 'web-0', 'web-1']);
    await close();
  });

  it('tells at once what the pointer is on', async () => {
    const { page, complaints, close } = await open('run/report.html', screens[0]);
    const tip = page.locator('#tip');
    expect(await tip.isVisible()).toBe(false);
    await page.locator('#ledger [data-tip]').first().hover();
    expect(await tip.textContent()).toMatch(
      /^web-0: instructions of guest programs \(guest\.user\)/,
    );
    await page.mouse.move(2, 2);
    expect(await tip.isVisible()).toBe(false);
    expect(complaints).toEqual([]);
    await close();
  });

  it('names every figure and table to a screen reader', async () => {
    const { page, close } = await open('run/report.html', screens[0]);
    for (const figure of await page.getByRole('img').all()) {
      expect(await figure.ariaSnapshot()).toMatch(/^- img "[^"]{5,60}"$/);
      expect(await figure.locator('> desc').textContent()).toMatch(/\.$/);
    }
    for (const table of await page.locator('table').all()) {
      expect(await table.locator('caption').count()).toBe(1);
      expect(await table.locator('thead th[scope=col]').count()).toBeGreaterThan(1);
    }
    const levels = await page.evaluate(
      "[...document.querySelectorAll('h1, h2, h3')].map((h) => Number(h.tagName[1]))",
    );
    const jumps = (levels as number[]).filter((level, i, all) => level > (all[i - 1] ?? 0) + 1);
    expect(jumps).toEqual([]);
    await close();
  });
});
