import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasChromium, launch } from '../support/chromium.ts';
import { reportedYaml, scratch, sweptYaml, worldswitch } from '../support/program.ts';

/** A browser opens the report as a reader does: on a desk and on a phone, light and dark. */
if (!hasChromium) console.warn('SKIPPED: no browser is here; install the Debian package chromium');

const { dir, remove } = scratch();
let browser: Browser;

beforeAll(async () => {
  if (!hasChromium) return;
  writeFileSync(join(dir, 's.yaml'), reportedYaml());
  worldswitch(dir, 'run', 's.yaml', '-q', '--out', 'run', '--trace', 'csv', '--report');
  writeFileSync(join(dir, 'swept.yaml'), sweptYaml());
  worldswitch(dir, 'sweep', 'swept.yaml', '-q', '-j', '0', '--out', 'swept');
  worldswitch(dir, 'report', 'swept', '--objective', 'ready share < 60%');
  browser = await launch();
}, 60_000);
afterAll(async () => {
  await browser?.close();
  remove();
});

const screens = [
  { width: 1280, height: 900, colorScheme: 'light' },
  { width: 1280, height: 900, colorScheme: 'dark' },
  { width: 390, height: 844, colorScheme: 'light' },
  { width: 390, height: 844, colorScheme: 'dark' },
] as const;

/** Opens a page and tells what it asked for and complained about. */
async function open(file: string, { width, height, colorScheme }: (typeof screens)[number]) {
  const page = await browser.newPage({ viewport: { width, height }, colorScheme });
  const complaints: string[] = [];
  const url = pathToFileURL(join(dir, file)).href;
  page.on('console', (message) => complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('request', (request) => {
    if (request.url() !== url && !request.url().startsWith('data:')) complaints.push(request.url());
  });
  await page.goto(url);
  return { page, complaints };
}

/** Texts of figures that leave their figure, lie on one another, or are as dark as what is behind them. */
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
  return [...outside, ...over];
})`;

describe.skipIf(!hasChromium)('the report in a browser', () => {
  const cases = screens.flatMap((screen) => [
    { ...screen, file: 'run/report.html', title: 'small: one run', figures: 10 },
    { ...screen, file: 'swept/report.html', title: 'swept: a sweep', figures: 8 },
  ]);

  it.each(cases)('shows $file whole at $width px, $colorScheme', async ({ file, ...screen }) => {
    const { page, complaints } = await open(file, screen);
    expect(await page.title()).toBe(screen.title);
    expect(await page.locator('svg[role=img]').count()).toBe(screen.figures);
    expect(await flaws(page)).toEqual([]);
    const wide = await page.evaluate('document.documentElement.scrollWidth - innerWidth');
    expect(wide).toBeLessThanOrEqual(0);
    const background = await page.evaluate('getComputedStyle(document.body).backgroundColor');
    expect(background).toBe(
      screen.colorScheme === 'dark' ? 'rgb(20, 23, 27)' : 'rgb(255, 255, 255)',
    );
    expect(complaints).toEqual([]);
    await page.close();
  });

  it('names every figure and table to a screen reader', async () => {
    const { page } = await open('run/report.html', screens[0]);
    for (const figure of await page.getByRole('img').all()) {
      expect(await figure.ariaSnapshot()).toMatch(/^- img "[^"]{5,60}"$/);
      expect(await figure.locator('> desc').textContent()).toMatch(/\.$/);
    }
    for (const table of await page.locator('table').all()) {
      expect(await table.locator('caption').count()).toBe(1);
      expect(await table.locator('thead th[scope=col]').count()).toBeGreaterThan(1);
    }
    await page.close();
  });
});
