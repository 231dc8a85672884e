import { readFile } from 'node:fs/promises';
import { resolve, sep } from 'node:path';
import { build } from 'esbuild';
import { parseAst } from 'vitest/node';
import { bindBuilt } from './.build/bind-imports.mjs';

/**
 * Makes dist/core.browser.js, which pages get in place of dist/core.js: the same code in one module,
 * without the texts that only `list` and the schema for editors show, and with a zod that makes no
 * JSON Schema and says no more than `Invalid input`. A page is 13 kB smaller for it after gzip.
 * `npm run build` runs this after the compiler.
 */

const { dependencies } = JSON.parse(await readFile('package.json', 'utf8'));

/** Every node of a syntax tree below `node`, itself included. */
function* nodesIn(node) {
  if (typeof node !== 'object' || node === null) return;
  if (typeof node.type === 'string') yield node;
  for (const value of Object.values(node)) yield* nodesIn(value);
}

const calls = ({ type }) =>
  /^(Call|New|Member|TaggedTemplate)Expression$|^SpreadElement$/.test(type);

/** Pieces of a module to be replaced: `[start, end, text]`. */
function editsOf(program) {
  const edits = [];
  const usesZod = program.body.some(({ source }) => source?.value === 'zod');
  const blank = ({ start, end }, text) => edits.push([start, end, text]);
  for (const node of nodesIn(program)) {
    // What a policy says of itself.
    if (node.type === 'Property' && node.key.name === 'summary' && node.value.type === 'Literal') {
      blank(node.value, "''");
    }
    if (!usesZod || node.type !== 'CallExpression' || node.arguments.length !== 1) continue;
    // The calls stay: they return a schema of its own.
    const name = node.callee.property?.name;
    if (name === 'describe') blank(node.arguments[0], "''");
    if (name === 'meta') blank(node.arguments[0], '{}');
  }
  // Modules have no side effects (package.json): what a page does not use can be left out of it.
  for (const statement of program.body) {
    for (const { init } of (statement.declaration ?? statement).declarations ?? []) {
      if (!init || /Function/.test(init.type) || ![...nodesIn(init)].some(calls)) continue;
      edits.push(
        [init.start, init.start, '/* @__PURE__ */ (() => ('],
        [init.end, init.end, '))()'],
      );
    }
  }
  return edits.toSorted(([a, b], [c, d]) => a - c || b - d);
}

function edited(text) {
  let done = '';
  let at = 0;
  for (const [start, end, by] of editsOf(parseAst(text))) {
    // Inside a piece that is gone.
    if (start < at) continue;
    done += text.slice(at, start) + by;
    at = end;
  }
  return done + text.slice(at);
}

const REFUSAL =
  'worldswitch makes no JSON Schema in a page: use its file configs/scenario.schema.json';

/** The exports of a module of zod's generator of JSON Schema, which all refuse when they are used. */
function refusing(text) {
  const names = parseAst(text)
    .body.filter(({ type }) => type === 'ExportNamedDeclaration')
    .flatMap(({ declaration, specifiers }) =>
      declaration
        ? (declaration.declarations ?? [declaration]).map(({ id }) => id.name)
        : specifiers.map(({ exported }) => exported.name),
    );
  return [
    `function refuse() { throw new Error(${JSON.stringify(REFUSAL)}); }`,
    ...names.map(
      (name) => `export const ${name} = ${name.startsWith('create') ? '() => refuse' : 'refuse'};`,
    ),
  ].join('\n');
}

/** For zod's own sentences: scenario/issues.ts writes others, and asks only whether one is zod's. */
const MUTE = "export default () => ({ localeError: () => 'Invalid input' });";

const change = (how) => async (args) => ({ contents: how(await readFile(args.path, 'utf8')) });

const own = resolve('dist') + sep;
const lean = {
  name: 'lean',
  setup({ onLoad, onResolve }) {
    // Without their comments.
    onResolve({ filter: /[\\/]presets\.generated\.js$/ }, ({ resolveDir }) => ({
      path: resolve(resolveDir, 'presets-plain.generated.js'),
    }));
    const generator = /[\\/]zod[\\/]v4[\\/]core[\\/](to-json-schema|json-schema-processors)\.js$/;
    onLoad({ filter: generator }, change(refusing));
    onLoad({ filter: /[\\/]zod[\\/]v4[\\/]locales[\\/]en\.js$/ }, () => ({ contents: MUTE }));
    onLoad({ filter: /\.js$/ }, ({ path }) =>
      path.startsWith(own) ? change(edited)({ path }) : undefined,
    );
  },
};

const licence = await readFile('node_modules/zod/LICENSE', 'utf8');
await build({
  entryPoints: ['dist/core.js'],
  outfile: 'dist/core.browser.js',
  bundle: true,
  format: 'esm',
  // Not `browser`: package.json gives pages the very file that is made here.
  platform: 'neutral',
  target: 'es2023',
  // No more than that: without blanks `@__PURE__` would go too, and syntax minified twice is larger.
  minifyIdentifiers: true,
  external: Object.keys(dependencies)
    .filter((name) => name !== 'zod')
    .flatMap((name) => [name, `${name}/*`]),
  banner: { js: `/* Parts of this file are zod.\n\n${licence.trim()}\n*/` },
  plugins: [lean],
  logLevel: 'warning',
});

// After the module for pages, which is one scope as it is and would only be larger.
bindBuilt('dist');
