import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import type { EventEmitter } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { vi } from 'vitest';

/** The built program, run as a person runs it. */

export const root = fileURLToPath(new URL('../../', import.meta.url));
export const main = join(root, 'dist/cli/main.cjs');

export function worldswitch(cwd: string, ...args: readonly string[]): SpawnSyncReturns<string> {
  return spawnSync(process.execPath, [main, ...args], { cwd, encoding: 'utf8', timeout: 60_000 });
}

/** An empty directory and what removes it. */
export function scratch(): { readonly dir: string; readonly remove: () => void } {
  const dir = mkdtempSync(join(tmpdir(), 'worldswitch-test-'));
  return { dir, remove: () => rmSync(dir, { recursive: true, force: true }) };
}

/** A directory in which programs can import the package of this checkout. */
export function linkedPackage(): ReturnType<typeof scratch> {
  const made = scratch();
  mkdirSync(join(made.dir, 'node_modules'));
  symlinkSync(root, join(made.dir, 'node_modules/worldswitch'));
  writeFileSync(join(made.dir, 'package.json'), '{ "type": "module" }\n');
  return made;
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
    .filter(([, value]) => value !== '')
    .map(([key, value]) => `${key}: ${value}\n`)
    .join('');
}

const load = createRequire(import.meta.url);

/**
 * The program without a process of its own, which takes a fraction of the time: `main.cts` is evaluated again with
 * other arguments in another directory, and what it prints is caught. Not for standard input, signals and pipes.
 */
export async function worldswitchHere(
  cwd: string,
  ...args: readonly string[]
): Promise<Pick<SpawnSyncReturns<string>, 'status' | 'stdout' | 'stderr'>> {
  const { argv, exitCode } = process;
  const before = process.cwd();
  const text = { stdout: '', stderr: '' };
  const spies = (['stdout', 'stderr'] as const).map((name) =>
    vi.spyOn(process[name], 'write').mockImplementation((piece) => {
      text[name] += piece.toString();
      return true;
    }),
  );
  const emitters: [EventEmitter, string][] = [
    [process, 'SIGINT'],
    [process, 'SIGTERM'],
    [process.stdout, 'error'],
    [process.stderr, 'error'],
  ];
  const kept = emitters.map(([emitter, event]) => emitter.listeners(event));
  process.argv = [process.execPath, main, ...args];
  process.exitCode = 0;
  process.chdir(cwd);
  try {
    delete load.cache[main];
    await load(main);
    return { status: Number(process.exitCode), ...text };
  } finally {
    for (const spy of spies) spy.mockRestore();
    for (const [i, [emitter, event]] of emitters.entries()) {
      for (const listener of emitter.listeners(event)) {
        if (!kept[i]!.includes(listener)) emitter.removeListener(event, listener as () => void);
      }
    }
    process.chdir(before);
    process.argv = argv;
    process.exitCode = exitCode;
  }
}

/** A scenario that leaves something to show in every part of a report: requests, exits, walks of several causes. */
export function reportedYaml(): string {
  const web = `{ name: web, count: 2, memory: 64MiB, workload: { kind: synthetic, regions: [{ name: heap, kind: anon, size: 1MiB, share: 1, stores: 0.3 }], requests: { arrivals: { kind: open, rate: 2000/s }, instructions: 100000 } } }`;
  const loop = '{ name: loop, memory: 32MiB, workload: { kind: page-fault-loop, pages: 64 } }';
  return smallYaml({
    vms: `[${web}, ${loop}]`,
    hypervisor: '{ profile: kvm-2.6.33, scheduler: { kind: credit, timeslice: 1ms } }',
    output: '{ timeseries: 500us }',
  });
}

/** Two hosts: a VM moves, another is protected, and then its host loses power. */
export function movingYaml(more: Readonly<Record<string, string>> = {}): string {
  const serves = (cycles: number) =>
    `{ kind: synthetic, regions: [{ name: heap, kind: anon, size: 256KiB, share: 1, stores: 0.3 }], requests: { arrivals: { kind: open, rate: 2000/s }, instructions: ${cycles} } }`;
  const protect =
    '{ kind: record-replay, secondary: b, link: log, timeScale: 0.002, goLive: 2ms, hostTimeout: 2s }';
  return smallYaml({
    name: 'moving',
    duration: '40ms',
    host: '',
    hosts:
      '{ a: { processor: opteron-1354, pcpus: 2, memory: 256MiB }, b: { processor: opteron-1354, pcpus: 2, memory: 256MiB } }',
    links: '[{ name: log, between: [a, b], bandwidth: 10Gb/s, latency: 50us }]',
    hypervisor: '{ profile: esx-4 }',
    vms: `[{ name: db, host: a, memory: 16MiB, workload: ${serves(100_000)}, faultTolerance: ${protect} }, { name: web, host: a, memory: 16MiB, workload: ${serves(20_000)} }]`,
    events:
      '[{ at: 2ms, kind: migrate, vm: web-0, to: b, link: log, policy: { kind: vmotion-5, goal: 2ms } }, { at: 25ms, kind: fail, host: a }]',
    output: '{ timeseries: 2ms }',
    ...more,
  });
}

/** A sweep of 24 quick runs: numbers of VMs, timeslices, and ways of paging. */
export function sweptYaml(): string {
  return smallYaml({
    name: 'swept',
    duration: '3ms',
    hypervisor:
      '{ profile: kvm-2.6.33, mmu: { kind: nested }, scheduler: { kind: round-robin, timeslice: 1ms } }',
    vms: '[{ name: loop, memory: 16MiB, workload: { kind: page-fault-loop, pages: 32 } }]',
    sweep:
      '{ axes: { vms.loop.count: [1, 2, 4], hypervisor.scheduler.timeslice: [200us, 1ms], hypervisor.mmu.kind: [nested, shadow] }, replications: 2 }',
  });
}
