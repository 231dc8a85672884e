import { readFile } from 'node:fs/promises';
import { resolve, sep } from 'node:path';
import { build } from 'esbuild';
import { parseAst } from 'vitest/node';
import { bindBuilt } from './.build/bind-imports.mjs';
import { leanPackages, nodesIn, replaced } from './.build/lean-packages.mjs';

/**
 * Makes dist/core.browser.js, which pages get in place of dist/core.js: the same code in one module,
 * without the texts that only `list` and the schema for editors show, and with no more of zod and
 * yaml than it needs (.build/lean-packages.mjs). Moving and protecting VMs, replaying traces and
 * skipping is left out. A page is 110 kB smaller for it after gzip. `npm run build` runs this after the compiler.
 */

const { dependencies } = JSON.parse(await readFile('package.json', 'utf8'));

/** A text, of several lines perhaps. */
const isText = ({ type }) => /Literal$|^BinaryExpression$/.test(type);

const calls = ({ type }) =>
  /^(Call|New|Member|TaggedTemplate)Expression$|^SpreadElement$/.test(type);

/** Pieces of a module to be replaced: `[start, end, text]`. */
function editsOf(program) {
  const edits = [];
  const usesZod = program.body.some(({ source }) => source?.value === 'zod');
  const blank = ({ start, end }, text) => edits.push([start, end, text]);
  for (const node of nodesIn(program)) {
    // What a policy says of itself.
    if (node.type === 'Property' && node.key.name === 'summary' && isText(node.value)) {
      blank(node.value, "''");
    }
    if (!usesZod || node.type !== 'CallExpression' || node.arguments.length !== 1) continue;
    const { object, property } = node.callee;
    if (/^(describe|meta)$/.test(property?.name)) edits.push([object.end, node.end, '']);
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

/** A module of ours. It gets the half of yaml that reads, and writes JSON, which is YAML. */
function edited(text) {
  let done = '';
  let at = 0;
  for (const [start, end, by] of editsOf(parseAst(text))) {
    // Inside a piece that is gone.
    if (start < at) continue;
    done += text.slice(at, start) + by;
    at = end;
  }
  return (done + text.slice(at))
    .replace(
      /^import \{ stringify \} from 'yaml';/m,
      "const stringify = (value) => JSON.stringify(value, null, 2) + '\\n';",
    )
    .replace(/^(import \{[^}]*\} from )'yaml'/m, "$1'yaml-reader'");
}

const NO_SCHEMA =
  'worldswitch makes no JSON Schema in a page: use its file configs/scenario.schema.json';
const ONE_CLOCK = 'all hosts of a page have one clock';
const NO_TRACES = 'a page replays no traces';
const IN_DETAIL = 'a page simulates everything in detail';
const ONE_HOST = 'a page neither moves nor protects VMs';

/** Names of what a module exports. */
const exportsOf = (text) =>
  parseAst(text)
    .body.filter(({ type }) => type === 'ExportNamedDeclaration')
    .flatMap(({ declaration, specifiers }) =>
      declaration
        ? (declaration.declarations ?? [declaration]).map(({ id }) => id.name)
        : specifiers.map(({ exported }) => exported.name),
    );

/** The functions of a module of which there is nothing in a page: what they return instead. */
const none = (nothing) => (text) =>
  exportsOf(text)
    .map((name) => `export const ${name} = () => ${nothing};`)
    .join('\n');

/** Definitions of metrics: what counts what, by the place of the text among the arguments. */
const DEFINES = { count: 0, cycles: 0, ratio: 0, ns: 1 };

/** The metrics without what they mean, which a page can look up in dictionary.csv. */
const undefinedMetrics = (text) =>
  replaced(
    text,
    (node) => {
      const at = node.type === 'CallExpression' ? DEFINES[node.callee.name] : undefined;
      const said =
        node.type === 'Property' && node.key.name === 'definition' && !node.shorthand
          ? node.value
          : node.arguments?.[at];
      return said && isText(said) ? [said] : [];
    },
    "''",
  );

/** The exports of a module that is left out, which all refuse with `why` when they are used. */
const refusing = (why) => (text) =>
  [
    `function refuse() { throw new Error(${JSON.stringify(why)}); }`,
    ...exportsOf(text).map(
      (name) => `export const ${name} = ${name.startsWith('create') ? '() => refuse' : 'refuse'};`,
    ),
  ].join('\n');

const change = (how) => async (args) => ({ contents: how(await readFile(args.path, 'utf8')) });

const own = resolve('dist') + sep;
const lean = {
  name: 'lean',
  setup({ onLoad, onResolve }) {
    // Without their comments.
    onResolve({ filter: /[\\/]presets\.generated\.js$/ }, ({ resolveDir }) => ({
      path: resolve(resolveDir, 'presets-plain.generated.js'),
    }));
    onResolve({ filter: /^yaml-reader$/ }, () => ({
      path: resolve('node_modules/yaml/browser/dist/index.js'),
      sideEffects: false,
    }));
    for (const [filter, how] of leanPackages) onLoad({ filter }, change(how));
    // What spans hosts is left out (src/cluster/left-out.ts).
    onLoad({ filter: /cluster[\\/](events|fault-tolerance)[\\/]index\.js$/ }, ({ path }) =>
      change(edited)({ path: path.replace(/index\.js$/, 'index-page.js') }),
    );
    // What follows from events and protection is never asked there.
    const unasked =
      /cluster[\\/](copy[\\/]noted-guest|fault-tolerance[\\/]plan|migration[\\/]rows)\.js$/;
    onLoad({ filter: unasked }, change(refusing(ONE_HOST)));
    onLoad({ filter: /scenario[\\/]build-pairs\.js$/ }, change(none('[]')));
    onLoad(
      { filter: /(report[\\/]summary-moving|scenario[\\/]copies)\.js$/ },
      change(none('undefined')),
    );
    onLoad({ filter: /guest[\\/]trace-kernel\.js$/ }, change(refusing(NO_TRACES)));
    // Nothing is skipped there.
    const skipping =
      /(learned[\\/](learned-core|cells)|scenario[\\/](sampling|first-use)|workloads[\\/]skipping|guest[\\/]process-rights|hypervisor[\\/]learned-footprint)\.js$/;
    onLoad({ filter: skipping }, change(refusing(IN_DETAIL)));
    // Hosts of a page have one clock.
    onLoad({ filter: /engine[\\/]slowed-engine\.js$/ }, change(refusing(ONE_CLOCK)));
    // There only links are left of what spans hosts.
    onLoad({ filter: /scenario[\\/]cluster-checks\.js$/ }, () => ({
      contents: "export { checkLinks as checkCluster } from './link-checks.js';",
      resolveDir: resolve('dist/scenario'),
    }));
    onLoad(
      { filter: /stats[\\/]metrics\.js$/ },
      change((text) => edited(undefinedMetrics(text))),
    );
    onLoad(
      { filter: /(scenario[\\/](lanes|collect-moving|sampling-checks)|workloads[\\/]trace)\.js$/ },
      ({ path }) => change(edited)({ path: path.replace(/\.js$/, '-page.js') }),
    );
    const generator = /[\\/]zod[\\/]v4[\\/]core[\\/](to-json-schema|json-schema-processors)\.js$/;
    onLoad({ filter: generator }, change(refusing(NO_SCHEMA)));
    onLoad({ filter: /\.js$/ }, ({ path }) =>
      path.startsWith(own) ? change(edited)({ path }) : undefined,
    );
  },
};

const licence = async (name) => (await readFile(`node_modules/${name}/LICENSE`, 'utf8')).trim();
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
  banner: {
    js: `/* Parts of this file are zod.\n\n${await licence('zod')}\n\nand yaml.\n\n${await licence('yaml')}\n*/`,
  },
  plugins: [lean],
  logLevel: 'warning',
});

// After the module for pages, which is one scope as it is and would only be larger.
bindBuilt('dist');
