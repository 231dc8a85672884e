import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { program } from '../../support/command.ts';
import { root } from '../../support/program.ts';

/** What pages show of the program: a command and its output, or one section of it. */

/** Pages with such blocks, and the file that their scenario is called by in commands. */
export const pages = [{ page: 'docs/explain.md', scenario: 'pair.yaml' }] as const;

const BLOCK = /(```console\n\$ worldswitch (.*)\n)([\s\S]*?)(```\n)/g;
const SCENARIO = /```yaml\n([\s\S]*?)```/;
/** Sections after the first one begin so. */
const TITLE = /^What /;

/** The page with each block as its command prints it today. */
export function remade(page: string, scenario: string): string {
  const text = readFileSync(join(root, page), 'utf8');
  const folder = mkdtempSync(join(tmpdir(), 'worldswitch-screens-'));
  try {
    symlinkSync(join(root, 'configs'), join(folder, 'configs'));
    writeFileSync(join(folder, scenario), SCENARIO.exec(text)![1]!);
    return text.replace(
      BLOCK,
      (_, begin: string, command: string, shown: string, end: string) =>
        begin + section(printed(folder, command), shown) + end,
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function printed(folder: string, command: string): string {
  const args = [program, ...command.split(' ')];
  const env = { ...process.env, COLUMNS: '100' };
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: folder,
    encoding: 'utf8',
    env,
  });
  if (status !== 0) throw new Error(`worldswitch ${command}: ${stderr}`);
  return stdout;
}

/** As much of the output as the page shows: all up to the first title, or from the same title on. */
function section(output: string, shown: string): string {
  const lines = output.trimEnd().split('\n');
  const first = shown.split('\n')[0]!;
  const begin = TITLE.test(first) ? lines.indexOf(first) : 0;
  if (begin < 0) throw new Error(`no section '${first}' in:\n${output}`);
  const next = lines.findIndex((line, i) => i > begin && TITLE.test(line));
  return `${lines
    .slice(begin, next < 0 ? undefined : next)
    .join('\n')
    .trimEnd()}\n`;
}

/** Writes the page anew. */
export const write = (page: string, text: string): void => writeFileSync(join(root, page), text);

export const read = (page: string): string => readFileSync(join(root, page), 'utf8');
