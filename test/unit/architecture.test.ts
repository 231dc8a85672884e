import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';
import { root } from '../support/program.ts';

/** Reads the sources and checks the rules that keep the layers apart. */

const src = join(root, 'src');
const files = readdirSync(src, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts') && !file.endsWith('.generated.ts'))
  .map((file) => file.replaceAll('\\', '/'))
  .toSorted();
const text = new Map(files.map((file) => [file, readFileSync(join(src, file), 'utf8')]));

/** What a file imports: paths below src, or names of packages. */
function importsOf(file: string): string[] {
  const found = (text.get(file) ?? '').matchAll(
    /^(?:(?:im|ex)port\b[^;'`]*\bfrom|import) '([^'\n]+)'|\bimport\('([^'\n]+)'\)/gm,
  );
  return [...found]
    .map(([, fixed, lazy]) => fixed ?? lazy)
    .map((name) =>
      name!.startsWith('.')
        ? relative(src, join(src, dirname(file), name!)).replaceAll('\\', '/')
        : name!,
    );
}

/** The code without comments and strings. */
function codeOf(file: string): string {
  return (text.get(file) ?? '')
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/'(?:[^'\\\n]|\\.)*'/g, "''")
    .replace(/\/\/.*$/gm, '');
}

function reachable(...starts: readonly string[]): Set<string> {
  const seen = new Set<string>();
  const queue = [...starts];
  for (let file = queue.pop(); file !== undefined; file = queue.pop()) {
    if (seen.has(file)) continue;
    seen.add(file);
    queue.push(...importsOf(file).filter((name) => name.endsWith('.ts')));
  }
  return seen;
}

/** Layer -> the layers that it may use, besides itself. */
const below: Readonly<Record<string, readonly string[]>> = {
  base: [],
  stats: ['base'],
  engine: ['base'],
  observe: ['base', 'stats'],
  tables: ['base', 'stats'],
  machine: ['base', 'engine', 'stats', 'observe'],
};
let lower = ['machine', ...below['machine']!];
for (const layer of ['hypervisor', 'guest', 'cluster', 'scenario']) {
  Object.assign(below, { [layer]: lower });
  lower = [layer, ...lower];
}
lower = ['tables', ...lower];
for (const layer of ['trace', 'files', 'sweep', 'report', 'explain']) {
  Object.assign(below, { [layer]: lower });
  lower = [layer, ...lower];
}

describe('the layers', () => {
  it('import only what lies below them', () => {
    const against = files.flatMap((file) => {
      const layer = file.split('/')[0]!;
      const allowed = below[layer];
      if (!allowed) return [];
      return importsOf(file)
        .filter((name) => name.endsWith('.ts'))
        .filter((name) => ![layer, ...allowed].includes(name.split('/')[0]!))
        .map((name) => `${file} imports ${name}`);
    });
    expect(against).toEqual([]);
  });

  it('of files make no circle', () => {
    // Files are taken away whose imports are gone, until nothing is left but circles.
    const left = new Map(
      files.map((file) => [file, importsOf(file).filter((name) => text.has(name))]),
    );
    for (let before = -1; before !== left.size; ) {
      before = left.size;
      for (const [file, names] of left)
        if (!names.some((name) => left.has(name))) left.delete(file);
    }
    expect([...left.keys()]).toEqual([]);
  });

  it('are all known', () => {
    const layers = new Set(
      files.filter((file) => file.includes('/')).map((file) => file.split('/')[0]!),
    );
    expect([...layers].filter((layer) => layer !== 'cli' && !below[layer])).toEqual([]);
  });
});

describe('whatever simulates, which `worldswitch/core` exports', () => {
  const simulating = reachable('core.ts');

  it('is found by following imports', () => {
    expect([...simulating]).toEqual(expect.arrayContaining(['machine/run.ts', 'guest/kernel.ts']));
  });

  it('imports nothing from Node', () => {
    const packages = [...simulating].flatMap((file) =>
      importsOf(file).filter((name) => !name.endsWith('.ts')),
    );
    expect([...new Set(packages)].toSorted()).toEqual([
      'fastest-levenshtein',
      'seedrandom/lib/alea.js',
      'yaml',
      'zod',
    ]);
  });

  it('uses no clock, console, process or other source of surprise', () => {
    const banned =
      /\b(Date|performance|console|process\.(?:env|argv|exit|std\w+|hrtime|on)|Math\.random|setTimeout|setInterval|setImmediate|Buffer|require|globalThis)\b/;
    const found = [...simulating].flatMap((file) => banned.exec(codeOf(file))?.[0] ?? []);
    expect(found).toEqual([]);
  });
});

describe('every file', () => {
  it('has at most 400 lines, or says at its head why it is longer', () => {
    const long = files.filter((file) => {
      const lines = text.get(file)!.split('\n').length - 1;
      return lines > 400 && !text.get(file)!.includes('Longer than 400 lines:');
    });
    expect(long).toEqual([]);
  });

  it('leaves nothing for later', () => {
    const words = new RegExp(
      ['TO' + 'DO', 'FIX' + 'ME', 'X'.repeat(3), '@ts-' + 'ignore'].join('|'),
    );
    expect(files.filter((file) => words.test(text.get(file)!))).toEqual([]);
  });

  it('outside of the command line neither prints nor exits', () => {
    const speaking = files.filter(
      (file) =>
        !file.startsWith('cli/') &&
        /\bconsole\.|process\.exit\b|process\.stdout\.write/.test(codeOf(file)),
    );
    expect(speaking).toEqual([]);
  });
});

describe('the clock of the wall', () => {
  it('is written down and never reckoned with: it may jump', () => {
    const stamping = ['cli/run.ts', 'files/manifest.ts', 'sweep/directory.ts'];
    const found = files.filter((file) => /\bDate\b/.test(codeOf(file)));
    expect(found).toEqual(stamping);
    for (const file of stamping) {
      expect(codeOf(file)).not.toMatch(/Date\.now|getTime|valueOf|[-+<>] *\w*(At|date)\b/i);
    }
  });
});

describe('files marked HOT', () => {
  const hot = files.filter((file) => /^\s*(?:\* |\/\*\* )HOT\./m.test(text.get(file)!));
  // The loops that run for every visit; files around them may build messages and tables when they start.
  const loops = hot.filter((file) => /^(machine|engine)\//.test(file));

  it('include the loops of machine and engine', () => {
    expect(loops).toEqual(
      expect.arrayContaining(['engine/event-queue.ts', 'machine/run.ts', 'machine/walk.ts']),
    );
  });

  it.each(hot)('%s awaits nothing and computes without BigInt', (file) => {
    expect(codeOf(file)).not.toMatch(/\basync\b|\bawait\b|\bBigInt\b|\b\d+n\b/);
  });

  it.each(loops)('%s makes no closures, copies or strings', (file) => {
    const lines = codeOf(file)
      .split('\n')
      .filter((line) => /^\s{2}/.test(line) && !/throw |Error\(|Int32Array\.from/.test(line));
    for (const line of lines) {
      expect(line).not.toMatch(/\bfor \((?:const|let) .* of /);
      expect(line).not.toMatch(/\.\.\.|`|\.(?:map|filter|forEach|reduce|slice|concat)\(/);
      expect(line).not.toMatch(/=> /);
    }
  });
});

describe('the lock file', () => {
  it('names no place that packages come from', () => {
    expect(readFileSync(join(root, 'package-lock.json'), 'utf8')).not.toContain('"resolved"');
  });
});
