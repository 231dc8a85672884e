import { describe, expect, test } from 'vitest';
import { pages, read, remade, write } from './screens.ts';
import { singles } from './single.ts';
import { sweeps } from './sweeps.ts';
import { markdown, print, printed, type Table } from './table.ts';

/**
 * Tables of results/ that commands make. `npm run results` makes them again and writes them to their
 * pages; `npm run validate` compares them with what the pages say. RESULTS=turns,large-pages makes
 * some of them only. `screens` are what pages show of the program's output.
 */
const { RESULTS = '', VALIDATE } = process.env;
const all: readonly Table[] = [...singles, ...sweeps];
const asked = RESULTS === 'all' ? undefined : RESULTS.split(',');
const chosen = all.filter(({ name }) => (asked ? asked.includes(name) : true));

test.each(all.map((table) => [table.page, table.name, table] as const))(
  '%s has a place for the table %s, with its columns',
  (_page, _name, table) => {
    const head = printed(table)?.split('\n')[0];
    expect(head).toBe(`| ${table.head.join(' | ')} |`);
  },
);

const needed = RESULTS !== '' || VALIDATE === 'full';
describe.runIf(needed)('what the commands make', () => {
  const some = RESULTS === '' ? all : chosen;
  test.each(some.map((table) => [table.name, table] as const))(
    '%s is what its page says',
    async (_name, table) => {
      const text = await markdown(table);
      if (RESULTS !== '') print(table, text);
      expect(printed(table)).toBe(text);
    },
    3_600_000,
  );
  const screens = RESULTS === '' || asked === undefined || asked.includes('screens');
  test.runIf(screens).each(pages)(
    '$page shows what its commands print',
    ({ page, scenario }) => {
      const text = remade(page, scenario);
      if (RESULTS !== '') write(page, text);
      expect(read(page)).toBe(text);
    },
    600_000,
  );
});
