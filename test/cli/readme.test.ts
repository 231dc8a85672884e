import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '../..');
const readme = join(root, 'README.md');
const reference = join(root, 'results/quickstart');
const QUOTE = /(<!-- quickstart:begin -->\n```\n)([\s\S]*?)(```\n<!-- quickstart:end -->)/;

/** The README shows the first screen: up to the tables after that of the VMs. */
const firstScreen = (printed: string) => printed.slice(0, printed.indexOf('\nRequests\n'));

it('the main job prints what the README quotes and leaves the tables that are kept in results/', () => {
  const out = mkdtempSync(join(tmpdir(), 'worldswitch-readme-'));
  try {
    const args = ['dist/cli/main.cjs', 'run', 'configs/quickstart.yaml', '--out', out];
    const printed = execFileSync('node', args, { cwd: root, encoding: 'utf8' });
    const shown = firstScreen(printed);
    const tables = readdirSync(out).filter((name) => name.endsWith('.csv'));
    if (process.env.GOLDEN === 'update') {
      const text = readFileSync(readme, 'utf8');
      writeFileSync(
        readme,
        text.replace(QUOTE, (_, begin, _old, end) => begin + shown + end),
      );
      rmSync(reference, { recursive: true, force: true });
      mkdirSync(reference, { recursive: true });
      for (const name of tables) {
        writeFileSync(join(reference, name), readFileSync(join(out, name)));
      }
    }
    expect(QUOTE.exec(readFileSync(readme, 'utf8'))?.[2]).toBe(shown);
    expect(readdirSync(reference).filter((name) => name.endsWith('.csv'))).toEqual(tables);
    for (const name of tables) {
      expect(readFileSync(join(out, name), 'utf8'), name).toBe(
        readFileSync(join(reference, name), 'utf8'),
      );
    }
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
});
