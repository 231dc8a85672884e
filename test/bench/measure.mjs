/** Timing by CPU time, which other work on the machine disturbs least. */
import { spawnSync } from 'node:child_process';

/** CPU seconds of this process, all threads. */
export function cpuSeconds() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** Runs a command; returns its output and its CPU seconds. Throws when it fails. */
export function timed(command, args, options = {}) {
  const script = 'TIMEFORMAT="cpu %3U %3S"; time "$@"';
  const child = spawnSync('bash', ['-c', script, 'bash', command, ...args], {
    encoding: 'utf8',
    maxBuffer: 1 << 26,
    ...options,
  });
  const cpu = /cpu ([\d.]+) ([\d.]+)\s*$/.exec(child.stderr ?? '');
  if (child.status !== 0 || !cpu) {
    throw new Error(`${command} ${args.join(' ')} failed:\n${child.stderr || child.error}`);
  }
  return { stdout: child.stdout, cpu: Number(cpu[1]) + Number(cpu[2]) };
}

/** Whether a command can be started at all. */
export function available(command, args = ['--version']) {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0;
}

export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

export function geometricMean(numbers) {
  return Math.exp(numbers.reduce((sum, n) => sum + Math.log(n), 0) / numbers.length);
}
