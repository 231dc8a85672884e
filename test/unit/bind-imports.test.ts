import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { bindImports, hotSources } from '../../.build/bind-imports.mjs';
import { runBlock } from '../../src/machine/run.ts';
import { walk2d } from '../../src/machine/walk.ts';
import { root } from '../support/program.ts';

/** Hot modules use constants of their own for what they import, in the built program and in tests. */

const read = (...path: string[]) => readFileSync(join(root, ...path), 'utf8');

describe('binding the imports of a module', () => {
  it.each([
    ["import { a } from './x.js';", "import { a as a$ } from './x.js'; const a = a$;"],
    [
      "import { a as b, c } from '../x.js';\nuse(b, c);",
      "import { a as b$, c as c$ } from '../x.js'; const b = b$, c = c$;\nuse(b, c);",
    ],
    [
      "import { a } from './x.js';\nimport { z } from 'zod';\nimport { b } from './y.js';\n",
      "import { a as a$ } from './x.js';\nimport { z } from 'zod';\n" +
        "import { b as b$ } from './y.js'; const a = a$, b = b$;\n",
    ],
    [
      "import {\n  a,\n  b,\n} from './x.js';\n",
      "import {\n  a as a$,\n  b as b$,\n} from './x.js'; const a = a$, b = b$;\n",
    ],
  ])('%j', (code, bound) => {
    expect(bindImports(code)).toBe(bound);
    expect(bound.split('\n')).toHaveLength(code.split('\n').length);
  });

  it.each([
    'export const a = 1;\n',
    "import './x.js';\n",
    "import { z } from 'zod';\nexport { a } from './x.js';\n",
  ])('leaves %j as it is', (code) => {
    expect(bindImports(code)).toBe(code);
  });
});

describe('hot modules', () => {
  const hot = hotSources();

  it('are the machine and what says so at its head', () => {
    expect(hot).toEqual(
      expect.arrayContaining(['machine/core.ts', 'machine/run.ts', 'guest/workloads/mixer.ts']),
    );
    expect(hot.filter((file) => /^(cli|report|scenario)/.test(file))).toEqual([]);
  });

  it('have nothing but bound imports in the built program', () => {
    const names = hot.flatMap((file) => {
      const code = read('dist', file.replace(/ts$/, 'js'));
      const lists = code.matchAll(/^import ([^']*?) from '\./gm);
      return [...lists].flatMap(([, list]) => list!.replace(/[{}]/g, '').split(','));
    });
    const given = names.map((name) => name.trim()).filter((name) => name !== '');
    expect(given.length).toBeGreaterThan(150);
    expect(given.filter((name) => !/^\w+ as \w+\$$/.test(name))).toEqual([]);
  });

  it('are loaded by tests as they are built', () => {
    // What Vite makes of a use of an imported binding.
    const imported = /\b__vite_ssr_import_\d+__\b/;
    expect(String(runBlock)).not.toMatch(imported);
    expect(String(walk2d)).not.toMatch(imported);
  });

  it('do not bind imports by hand', () => {
    const twice = hot.filter((file) => /^const (\w+) = \1_;$/m.test(read('src', file)));
    expect(twice).toEqual([]);
  });
});
