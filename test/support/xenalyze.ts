import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** True where Debian's package xen-utils-common is installed. */
export const hasXenalyze = spawnSync('xenalyze', ['--help']).status === 0;

export interface Total {
  readonly count: number;
  readonly cycles: number;
}

/** What xenalyze says of one vCPU. */
export interface XenVcpu {
  readonly runstates: Map<string, Total>;
  readonly exits: Map<string, Total>;
}

export interface XenReport {
  /** By `d1v0`. */
  readonly vcpus: Map<string, XenVcpu>;
  readonly pcpus: { running: number; idle: number }[];
  /** What it complained about. */
  readonly complaints: string[];
}

/** Lines on stderr that belong to any good trace. */
const USUAL = [
  /^Creating (domain|vcpu) /,
  /Activating pcpu /,
  /^init_pcpus: through first trace write/,
  /read returned zero, deactivating pcpu/,
  /Setting max_active_pcpu to/,
  /^Using (SVM|VMX) hardware-assisted/,
  // Why an exit happened is told by handler records, which the model has no content for.
  /missing a handler/,
  /HVM evt .* in .* and /,
];

/**
 * Runs xenalyze over a trace. With a clock of 1 Hz its seconds, printed with two decimals, are cycles.
 */
export function xenalyze(trace: Uint8Array): XenReport {
  const directory = mkdtempSync(join(tmpdir(), 'worldswitch-xen-'));
  try {
    const file = join(directory, 'trace.xen');
    writeFileSync(file, trace);
    const run = spawnSync(
      'xenalyze',
      ['--svm-mode', '--cpu-hz', '1', '--summary', '--report-pcpu', file],
      { encoding: 'utf8', maxBuffer: 2 ** 26 },
    );
    if (run.status !== 0) throw new Error(`xenalyze: ${run.status} ${run.stderr.slice(-2000)}`);
    const complaints = run.stderr
      .split('\n')
      .filter((line) => line.trim() !== '' && !USUAL.some((usual) => usual.test(line)));
    return { ...parse(run.stdout), complaints };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function parse(report: string): Omit<XenReport, 'complaints'> {
  const vcpus = new Map<string, XenVcpu>();
  const pcpus: { running: number; idle: number }[] = [];
  let domain = '';
  let vcpu: XenVcpu | undefined;
  for (const line of report.split('\n')) {
    const inDomain = /^\|-- Domain (\d+) --\|/.exec(line);
    const inVcpu = /^-- v(\d+) --/.exec(line);
    if (inDomain) {
      domain = inDomain[1]!;
      vcpu = undefined;
    } else if (inVcpu) {
      vcpu = { runstates: new Map(), exits: new Map() };
      vcpus.set(`d${domain}v${inVcpu[1]}`, vcpu);
    } else if (/^pcpu \d+/.test(line)) {
      pcpus.push({ running: 0, idle: 0 });
      vcpu = undefined;
    }
    const row = /^ +(running|runnable|blocked|offline|idle|VMEXIT_\w+):? +(\d+) +([\d.]+)s/.exec(
      line,
    );
    if (!row) continue;
    const [, name, count, seconds] = row as unknown as [string, string, string, string];
    const total = { count: Number(count), cycles: Number(seconds) };
    if (vcpu) (name.startsWith('VMEXIT') ? vcpu.exits : vcpu.runstates).set(name, total);
    else if (pcpus.length > 0 && (name === 'running' || name === 'idle')) {
      pcpus.at(-1)![name] = total.cycles;
    }
  }
  return { vcpus, pcpus };
}
