import { readdirSync, readFileSync } from 'node:fs';
import { parseAst } from 'vitest/node';

/**
 * What a page needs of zod and yaml: schemas that check, in no words of their own, and the reader of
 * YAML 1.2. Bundlers leave out functions that nobody calls, but keep each method of a class that is
 * used, and what that calls.
 */

/** Every node of a syntax tree below `node`, itself included. */
export function* nodesIn(node) {
  if (typeof node !== 'object' || node === null) return;
  if (typeof node.type === 'string') yield node;
  for (const value of Object.values(node)) yield* nodesIn(value);
}

/** `text` with `by` in place of those nodes that `which` names for each node of its syntax tree. */
export const replaced = (text, which, by) =>
  [...nodesIn(parseAst(text))]
    .flatMap(which)
    .toSorted((a, b) => b.start - a.start)
    .reduce((left, { start, end }) => left.slice(0, start) + by + left.slice(end), text);

/** Names of the methods that a module calls. */
const calledIn = (text) =>
  [...nodesIn(parseAst(text))]
    .filter(({ type }) => type === 'CallExpression')
    .map(({ callee }) => callee.property?.name);

/** Texts of the modules below a folder. */
const modulesIn = (folder) =>
  readdirSync(folder, { recursive: true })
    .filter((file) => file.endsWith('.js') && !file.includes('browser'))
    .map((file) => readFileSync(`${folder}/${file}`, 'utf8'));

/** Methods of schemas that are called here, and those of `scenarioSchema()` (docs/library.md). */
const ofSchemas = new Set([
  ...modulesIn('dist')
    .filter((text) => /^import .* from 'zod';/m.test(text))
    .flatMap(calledIn),
  ...['parse', 'safeParse', 'parseAsync', 'safeParseAsync', '~standard', '_def'],
]);

/** The schemas of zod. They are used once: code made for each of them would not pay. */
function leanSchemas(text) {
  const lean = text
    .replaceAll('$ZodObjectJIT', '$ZodObject')
    // Of values that contain themselves, which YAML does not make here.
    .replace('core.memoizer()', 'undefined')
    // All of a namespace is kept when it is imported from a module that exports it.
    .replace('import { util } from "../core/index.js"', 'import * as util from "../core/util.js"');
  const ofZod = new Set(
    calledIn(lean.replaceAll(/\b(core|checks|parse|processors|util)\./g, 'of_')),
  );
  const idle = ({ type, method, kind, key, start, end }) => {
    const name = key?.name ?? key?.value;
    const isMethod = type === 'Property' && (method || kind !== 'init');
    if (!isMethod || ofZod.has(name) || ofSchemas.has(name)) return [];
    return [{ start, end: lean[end] === ',' ? end + 1 : end }];
  };
  return replaced(
    lean,
    ({ type, callee, arguments: [, , methods] = [] }) =>
      type === 'CallExpression' && callee.property?.name === '$constructor'
        ? [...nodesIn(methods)].flatMap(idle)
        : [],
    '',
  );
}

/** Methods of documents and nodes that are called while they are read. */
const ofNodes = new Set([
  ...modulesIn('node_modules/yaml/browser/dist/compose').flatMap(calledIn),
  ...['atDocument', 'constructor', 'setSchema'],
]);

/** The documents and nodes of yaml. */
const leanNodes = (text) =>
  replaced(
    text,
    (node) => {
      const { type, kind, key, computed } = node;
      const isMethod = type === 'MethodDefinition' && kind === 'method' && !computed;
      return isMethod && !ofNodes.has(key.name) ? [node] : [];
    },
    '',
  );

/** The exports of a module that only writes YAML, or reads version 1.1. */
const silent = (text) =>
  [...text.matchAll(/^export \{ (.*) \};$/gm)]
    .flatMap(([, names]) => names.split(', '))
    .map((name) => `export const ${name} = undefined;`)
    .join('\n');

/** For zod's own sentences: scenario/issues.ts writes others, and asks only whether one is zod's. */
const mute = () => "export default () => ({ localeError: () => 'Invalid input' });";

const inYaml = (path) => new RegExp(`/yaml/browser/dist/${path}`.replaceAll('/', '[\\\\/]'));
const inZod = (path) => new RegExp(`/zod/v4/${path}`.replaceAll('/', '[\\\\/]'));

/** Which modules are changed, and how. The first that fits counts. */
export const leanPackages = [
  [inYaml('(stringify|schema/yaml-1\\.1)/'), silent],
  [inYaml('(visit|nodes/addPair\\w+|doc/(anchors|applyReviver|createNode))\\.js$'), silent],
  [inYaml('(doc|nodes)/'), leanNodes],
  [inZod('classic/schemas\\.js$'), leanSchemas],
  [inZod('locales/en\\.js$'), mute],
];
