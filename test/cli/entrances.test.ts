import { readFileSync, symlinkSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { loadScenario } from '../../src/scenario/load.ts';
import { Folder } from '../support/command.ts';

/** The pages that readers start from are short, and what they tell people to type works. */

const root = resolve(import.meta.dirname, '../..');
const page = (name: string) => readFileSync(join(root, 'docs', name), 'utf8');
const folder = new Folder();
symlinkSync(join(root, 'configs'), join(folder.path, 'configs'));
afterAll(() => folder.remove());

/** Commands of a page, without `npx worldswitch` and comments. */
const commands = (name: string): string[] =>
  [...page(name).matchAll(/^npx worldswitch (.*?)(?: +#.*)?$/gm)].map(([, words]) => words!);
/** The same on a short window: enough to see that it works. */
const cheap = ['--set', 'duration=9ms', '--set', 'warmup=1ms'];

describe.each(['for-planners.md', 'for-teachers.md', 'for-researchers.md'])('docs/%s', (name) => {
  it('has at most 400 words', () => {
    expect(page(name).split(/\s+/).length).toBeLessThan(402);
  });

  it('shows commands that work', () => {
    const shown = commands(name);
    expect(shown.length).toBeGreaterThan(2);
    for (const words of shown) {
      const args = words.split(' ');
      const simulates = ['run', 'why', 'compare'].includes(args[0]!);
      const { code, out, err } = folder.run([...args, ...(simulates ? cheap : [])]);
      expect([words, code, err.match(/error:.*/)]).toEqual([words, 0, null]);
      expect(out.length + err.length, words).toBeGreaterThan(20);
    }
  }, 120_000);
});

it('the exercises for students name scenarios and settings that there are', () => {
  const rows = [
    ...page('for-teachers.md').matchAll(/^\| [^|]+\? [^|]*\| ([^|]+) \| ([^|]+) \|$/gm),
  ];
  expect(rows.length).toBeGreaterThan(5);
  for (const [, change, observation] of rows) {
    const [scenario, ...words] = [...`${change} ${observation}`.matchAll(/`([\w.=-]+)`/g)].map(
      ([, word]) => word!,
    );
    const settings = words.filter((word) => word.includes('='));
    const file = join(root, 'configs', `${scenario}.yaml`);
    const load = () => loadScenario(readFileSync(file, 'utf8'), { file, set: settings });
    expect(settings.length, scenario).toBeGreaterThan(0);
    expect(load, `${scenario} ${settings}`).not.toThrow();
  }
});
