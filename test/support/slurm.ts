import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, hostname, tmpdir } from 'node:os';
import { join } from 'node:path';

/** True where Debian's slurm-wlm and munge are installed and may be started. */
export const hasSlurm =
  process.getuid?.() === 0 &&
  ['slurmctld', 'slurmd', 'munged', 'sbatch'].every(
    (name) => spawnSync('sh', ['-c', `command -v ${name}`]).status === 0,
  );

/** A cluster of this machine alone, with all its files in one folder. */
export class PrivateSlurm {
  readonly #folder = mkdtempSync(join(tmpdir(), 'slurm-'));
  readonly env: Readonly<Record<string, string>>;

  constructor() {
    const folder = this.#folder;
    const at = (name: string) => join(folder, name);
    const host = hostname().split('.')[0];
    for (const name of ['state', 'spool', 'log']) mkdirSync(at(name));
    writeFileSync(at('munge.key'), randomBytes(1024), { mode: 0o600 });
    const port = 20_000 + (process.pid % 20_000);
    const settings = {
      ClusterName: 'private',
      SlurmctldHost: `${host}(127.0.0.1)`,
      AuthType: 'auth/munge',
      AuthInfo: `socket=${at('munge.sock')}`,
      SlurmUser: 'root',
      SlurmdUser: 'root',
      StateSaveLocation: at('state'),
      SlurmdSpoolDir: at('spool'),
      SlurmctldPidFile: at('slurmctld.pid'),
      SlurmdPidFile: at('slurmd.pid'),
      SlurmctldLogFile: at('log/slurmctld.log'),
      SlurmdLogFile: at('log/slurmd.log'),
      SlurmctldPort: port,
      SlurmdPort: port + 1,
      ProctrackType: 'proctrack/linuxproc',
      TaskPlugin: 'task/none',
      JobAcctGatherType: 'jobacct_gather/none',
      AccountingStorageType: 'accounting_storage/none',
      SelectType: 'select/cons_tres',
      SelectTypeParameters: 'CR_Core',
      MpiDefault: 'none',
      ReturnToService: 2,
      MaxArraySize: 6,
      SchedulerParameters: 'sched_interval=2,batch_sched_delay=1',
    };
    const lines = Object.entries(settings).map(([key, value]) => `${key}=${value}`);
    const cpus = availableParallelism();
    lines.push(`NodeName=${host} NodeAddr=127.0.0.1 CPUs=${cpus} RealMemory=1000 State=UNKNOWN`);
    lines.push(`PartitionName=all Nodes=${host} Default=YES MaxTime=INFINITE State=UP`);
    writeFileSync(at('slurm.conf'), `${lines.join('\n')}\n`);
    this.env = { SLURM_CONF: at('slurm.conf') };
    execFileSync('munged', [
      '--force',
      `--key-file=${at('munge.key')}`,
      `--socket=${at('munge.sock')}`,
      `--pid-file=${at('munged.pid')}`,
      `--log-file=${at('log/munged.log')}`,
      `--seed-file=${at('munged.seed')}`,
    ]);
    this.#call('slurmctld', []);
    this.#call('slurmd', []);
    this.#until(() => this.#call('sinfo', ['-h', '-o', '%T']).trim() === 'idle');
  }

  /** Waits until no job is left. */
  drain(): void {
    this.#until(() => this.#call('squeue', ['-h']).trim() === '');
  }

  /** Cancels a task of the array that runs and one that waits, as an administrator or a time limit would. */
  cancelTasks(array: string): void {
    let victims: (string | undefined)[] = [];
    this.#until(() => {
      const states = this.#call('squeue', ['-h', '-r', '-o', '%i %t', '-j', array]);
      victims = [/^(\S+) R$/m, /^(\S+) PD$/m].map((state) => state.exec(states)?.[1]);
      return victims.every((task) => task !== undefined);
    });
    this.#call('scancel', victims as string[]);
  }

  stop(): void {
    for (const name of ['slurmd', 'slurmctld', 'munged']) {
      const file = join(this.#folder, `${name}.pid`);
      if (!existsSync(file)) continue;
      const pid = Number(readFileSync(file, 'utf8'));
      process.kill(pid);
      // It writes its state before it ends.
      this.#until(() => !existsSync(`/proc/${pid}`));
    }
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }

  #call(command: string, args: readonly string[]): string {
    const { stdout } = spawnSync(command, args, {
      encoding: 'utf8',
      env: { ...process.env, ...this.env },
      // Daemons must not hold on to the pipes of the tests.
      stdio: command.startsWith('slurm') ? 'ignore' : ['ignore', 'pipe', 'ignore'],
    });
    return stdout ?? '';
  }

  #until(done: () => boolean): void {
    for (let i = 0; i < 600; i++) {
      if (done()) return;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 150);
    }
    throw new Error('the private Slurm did not get there in 90 s');
  }
}
