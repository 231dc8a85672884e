import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { resolve, sep } from 'node:path';
import { parseAst } from 'vitest/node';

/**
 * Gives hot modules constants of their own for what they import: V8 folds a constant of a module
 * into the code, but loads an imported binding at each use (docs/decisions/0011). So
 *
 *     import { find } from './hash.js';
 *
 * becomes, on the same line,
 *
 *     import { find as find$ } from './hash.js'; const find = find$;
 *
 * `npm run build` does this to the modules in dist, and the tests to those that they load from src.
 */

const src = resolve(import.meta.dirname, '../src') + sep;
const HEAD = /^\/\*\*(?:\n \*)? HOT\. /m;

/** Whether a source is hot: all of the machine, and what says so at its head. */
export function isHot(file) {
  if (!file.startsWith(src) || !file.endsWith('.ts')) return false;
  return file.startsWith(`${src}machine${sep}`) || HEAD.test(readFileSync(file, 'utf8'));
}

/** The sources that are hot, as paths below src. */
export function hotSources() {
  return readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((file) =>
    isHot(src + file),
  );
}

/** The module (JavaScript) with constants for what it imports by name from modules of the project. */
export function bindImports(code) {
  const imports = parseAst(code).body.filter(
    ({ type, source }) => type === 'ImportDeclaration' && source.value.startsWith('.'),
  );
  const names = imports
    .flatMap(({ specifiers }) => specifiers)
    .filter(({ type }) => type === 'ImportSpecifier');
  if (names.length === 0) return code;
  let bound = '';
  let at = 0;
  for (const { start, end, imported, local } of names) {
    bound += `${code.slice(at, start)}${imported.name} as ${local.name}$`;
    at = end;
  }
  const { end } = imports.at(-1);
  const constants = names.map(({ local: { name } }) => `${name} = ${name}$`);
  return `${bound}${code.slice(at, end)} const ${constants.join(', ')};${code.slice(end)}`;
}

/** Binds the imports of the hot modules that the compiler has just written to a directory. */
export function bindBuilt(directory) {
  for (const source of hotSources()) {
    const file = resolve(directory, source.replace(/\.ts$/, '.js'));
    writeFileSync(file, bindImports(readFileSync(file, 'utf8')));
  }
}

/** The same for Vite, which loads the sources of tests. */
export const boundImports = {
  name: 'bound-imports',
  transform: (code, id) => (isHot(id) ? { code: bindImports(code), map: null } : undefined),
};
