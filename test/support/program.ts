import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The built program, run as a person runs it. */

export const root = fileURLToPath(new URL('../../', import.meta.url));
export const main = join(root, 'dist/cli/main.js');

export function worldswitch(cwd: string, ...args: readonly string[]): SpawnSyncReturns<string> {
  return spawnSync(process.execPath, [main, ...args], { cwd, encoding: 'utf8', timeout: 60_000 });
}

/** An empty directory and what removes it. */
export function scratch(): { readonly dir: string; readonly remove: () => void } {
  const dir = mkdtempSync(join(tmpdir(), 'worldswitch-test-'));
  return { dir, remove: () => rmSync(dir, { recursive: true, force: true }) };
}

/** A scenario that takes a moment; `more` are lines in place of the usual ones. */
export function smallYaml(more: Readonly<Record<string, string>> = {}): string {
  const lines: Record<string, string> = {
    name: 'small',
    duration: '4ms',
    warmup: '1ms',
    host: '{ processor: opteron-1354, memory: 2GiB, pcpus: 1 }',
    hypervisor: '{ profile: kvm-2.6.33 }',
    vms: '[{ name: web, count: 2, memory: 256MiB, workload: { kind: web-server } }]',
    ...more,
  };
  return Object.entries(lines)
    .map(([key, value]) => `${key}: ${value}\n`)
    .join('');
}
