import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { worldswitchHere } from './program.ts';

/** The built program, as a user starts it, in a folder of its own. */
export const program = fileURLToPath(new URL('../../dist/cli/main.cjs', import.meta.url));

export interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/**
 * Sweeps and searches use one thread, or none in this process, unless a test says how many they are
 * to use: starting threads takes longer than runs that are made for tests.
 */
function alone(args: readonly string[], jobs: '0' | '1'): readonly string[] {
  const [command = '', more = ''] = args;
  const simulates =
    command === 'find' || (command === 'sweep' && !/^(plan|status|merge|submit)$/.test(more));
  const said = args.some((word) => /^(--jobs|-j|--help|-h)\b/.test(word));
  return simulates && !said ? [...args, '--jobs', jobs] : args;
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
    const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...alone(args, '1')], {
      cwd: this.path,
      encoding: 'utf8',
      env: { ...process.env, ...env },
      maxBuffer: 2 ** 26,
    });
    return { code: status, out: stdout, err: stderr };
  }

  /** The same in this process, which saves the start of another: without signals, pipes and limits. */
  async here(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended> {
    const before = { ...process.env };
    Object.assign(process.env, env);
    try {
      const { status, stdout, stderr } = await worldswitchHere(this.path, ...alone(args, '0'));
      return { code: status, out: stdout, err: stderr };
    } finally {
      for (const name of Object.keys(env)) {
        if (before[name] === undefined) delete process.env[name];
        else process.env[name] = before[name];
      }
    }
  }

  /** Several commands in this process, one after the other. */
  async allHere(commands: readonly (readonly string[])[]): Promise<Ended[]> {
    const ended: Ended[] = [];
    for (const args of commands) ended.push(await this.here(args));
    return ended;
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
