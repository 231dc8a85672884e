import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { worldswitchHere } from './program.ts';

/** The built program, as a user starts it, in a folder of its own. */
export const program = fileURLToPath(new URL('../../dist/cli/main.cjs', import.meta.url));

const batch = fileURLToPath(new URL('batch.cjs', import.meta.url));

export interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/**
 * Sweeps and searches run in the process of the command, unless a test says how many they are to
 * use: starting others takes longer than runs that are made for tests.
 */
function alone(args: readonly string[]): readonly string[] {
  const [command = '', more = ''] = args;
  const simulates =
    command === 'find' || (command === 'sweep' && !/^(plan|status|merge|submit)$/.test(more));
  const said = args.some((word) => /^(--jobs|-j|--help|-h)\b/.test(word));
  return simulates && !said ? [...args, '--jobs', '1'] : args;
}

export class Folder {
  readonly path = mkdtempSync(join(tmpdir(), 'worldswitch-'));

  write(name: string, text: string): string {
    const path = join(this.path, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    return path;
  }

  read(name: string): string {
    return readFileSync(join(this.path, name), 'utf8');
  }

  run(args: readonly string[], env: Readonly<Record<string, string>> = {}): Ended {
    const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...alone(args)], {
      cwd: this.path,
      encoding: 'utf8',
      env: { ...process.env, ...env },
      maxBuffer: 2 ** 26,
    });
    return { code: status, out: stdout, err: stderr };
  }

  /** The same in this process, which saves the start of another: without signals, pipes and limits. */
  async here(args: readonly string[]): Promise<Ended> {
    const { status, stdout, stderr } = await worldswitchHere(this.path, ...alone(args));
    return { code: status, out: stdout, err: stderr };
  }

  /** Several commands in one process, which saves its start: for those that only read and refuse. */
  runAll(commands: readonly (readonly string[])[]): Ended[] {
    const { stdout, stderr } = spawnSync(process.execPath, [batch], {
      cwd: this.path,
      encoding: 'utf8',
      input: JSON.stringify({ program, commands }),
      maxBuffer: 2 ** 26,
    });
    if (stderr !== '') throw new Error(stderr);
    return JSON.parse(stdout);
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
