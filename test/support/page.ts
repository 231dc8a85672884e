import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './program.ts';

/** The code of docs/library.md. */
const text = readFileSync(join(root, 'docs/library.md'), 'utf8');
const blocks = [
  ...text.matchAll(/```(\w+)\n(?:(?:\/\/|<!--) (\w+\.(?:js|html))(?: -->)?\n)?([\s\S]*?)```/g),
];

/** Blocks that are no file: the lines for Node, in their order. */
export const snippets = blocks
  .filter(([, language, name]) => language === 'js' && name === undefined)
  .map(([, , , code]) => code!);

/**
 * Writes the page of docs/library.md to `dir`, where `worldswitch` can be imported, and bundles it with
 * the commands given there. Returns the script of the page.
 */
export function buildPage(dir: string): Buffer {
  for (const [, , name, code] of blocks) if (name) writeFileSync(join(dir, name), code!);
  const commands = blocks.find(([, language]) => language === 'sh')![3]!;
  const esbuild = `"${process.execPath}" "${join(root, 'node_modules/esbuild/bin/esbuild')}"`;
  for (const command of commands.trim().split('\n')) {
    const here = command.replace(/^npx esbuild/, esbuild);
    execFileSync('sh', ['-c', `${here} --log-level=warning`], { cwd: dir, stdio: 'inherit' });
  }
  return readFileSync(join(dir, 'page.bundle.js'));
}
