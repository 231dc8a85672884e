import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { traceFormats } from '../../src/trace/formats/index.ts';
import { scratch, worldswitchHere } from '../support/program.ts';

/** The scripts of `worldswitch completion`, in the shells they are for. */

const shells = ['bash', 'zsh', 'fish'] as const;
type Shell = (typeof shells)[number];
const installed = (shell: Shell) => spawnSync(shell, ['--version']).status === 0;

for (const shell of shells.filter((one) => !installed(one))) {
  console.warn(`SKIPPED: ${shell} is not here; install the Debian package ${shell}`);
}

let dir: string;
let remove: () => void;
beforeAll(async () => {
  ({ dir, remove } = scratch());
  mkdirSync(join(dir, 'sub'));
  for (const name of ['mine.yaml', 'other.yml', 'note.txt']) writeFileSync(join(dir, name), '');
  for (const shell of shells) {
    const { status, stdout, stderr } = await worldswitchHere(dir, 'completion', shell);
    expect([status, stderr]).toEqual([0, '']);
    writeFileSync(join(dir, shell), stdout);
  }
});
afterAll(() => remove());

function inShell(shell: Shell, script: string, ...options: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(shell, [...options, '-c', script], {
    cwd: dir,
    encoding: 'utf8',
    timeout: 30_000,
  });
  expect([status, stderr]).toEqual([0, '']);
  return stdout;
}

/** What bash offers for each command line: the words after it was taken apart at `=`. */
function offeredByBash(lines: readonly string[]): string[][] {
  const calls = lines.map((line) => {
    const words = line
      .split(' ')
      .flatMap((word) =>
        word
          .split(/(=)/)
          .filter((part, i, all) => part !== '' || all.length === 1 || i === all.length - 1),
      );
    return `COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}; _worldswitch; echo "\${COMPREPLY[*]}"`;
  });
  const out = inShell('bash', `source ./bash\n${calls.join('\n')}`, '--norc');
  return out
    .split('\n')
    .slice(0, -1)
    .map((line) => (line === '' ? [] : line.split(' ')));
}

/** Command lines, with some of what is offered, and something that is not. */
const rows: readonly (readonly [line: string, offered: readonly string[], not?: string])[] = [
  ['', ['run', 'sweep', 'completion', 'help'], 'plan'],
  ['swe', ['sweep'], 'run'],
  ['run --s', ['--set', '--seed'], '--axis'],
  ['run mine.yaml --set a=1 --ba', ['--baseline']],
  ['run ', ['mine.yaml', 'other.yml'], 'report'],
  ['run --set host.mem', ['host.memory='], 'host.pcpus='],
  ['run --set vms.0.c', ['vms.0.count=', 'vms.0.cap=']],
  ['compare mine.yaml --with hypervisor.mmu.k', ['hypervisor.mmu.kind=']],
  ['sweep --axis host.pc', ['host.pcpus=']],
  ['find --axis host.pc', ['host.pcpus'], 'host.pcpus='],
  ['run --trace ', ['perfetto', 'xen', 'csv'], 'mine.yaml'],
  ['report --format=s', []],
  ['trace import --from ch', ['champsim', 'champsim-cloudsuite'], 'csv'],
  ['why --free tlb-f', ['tlb-flush']],
  ['list sche', ['schedulers']],
  ['sweep ', ['plan', 'run', 'submit', 'mine.yaml']],
  ['sweep plan ', ['mine.yaml'], 'submit'],
  ['sweep submit --sl', ['--slurm']],
  ['trace ', ['import', 'info', 'synth'], 'run'],
  ['trace synth we', ['web-server']],
  ['help sw', ['sweep']],
  ['completion ', [...shells]],
  ['run --set host.memory=', [], 'host.pcpus='],
];

describe.skipIf(!installed('bash'))('bash', () => {
  it('offers what can stand there', () => {
    const offered = offeredByBash(rows.map(([line]) => `worldswitch ${line}`));
    for (const [i, [line, some, not]] of rows.entries()) {
      expect(offered[i], line).toEqual(expect.arrayContaining([...some]));
      if (not !== undefined) expect(offered[i], line).not.toContain(not);
    }
  });

  it('offers the values of an option after =, directories for directories', () => {
    expect(offeredByBash(['worldswitch report --format=s', 'worldswitch report '])).toEqual([
      ['svg'],
      ['sub'],
    ]);
  });

  it('offers every command and option that the help shows', async () => {
    const shown = async (...command: readonly string[]) => {
      const { stdout } = await worldswitchHere(dir, ...command, '--help');
      const [options, commands = ''] = stdout.slice(stdout.indexOf('Options:')).split('Commands:');
      return {
        options: [...options!.matchAll(/^ {2}(?:-\w, )?(--[\w-]+)/gm)].map(([, flag]) => flag!),
        commands: [...commands.split('\n\n')[0]!.matchAll(/^ {2}([a-z]+) /gm)].map(
          ([, name]) => name!,
        ),
      };
    };
    const lines: string[] = [];
    const wanted: string[][] = [];
    const visit = async (...command: readonly string[]) => {
      const { options, commands } = await shown(...command);
      lines.push(['worldswitch', ...command, '--'].join(' '));
      wanted.push(options.toSorted());
      expect(options.length).toBeGreaterThan(0);
      for (const name of commands.filter((one) => one !== 'help')) await visit(...command, name);
    };
    await visit();
    expect(lines.length).toBeGreaterThan(18);
    const offered = offeredByBash(lines).map((words) => words.toSorted());
    expect(offered).toEqual(wanted);
  });
});

describe.skipIf(!installed('fish'))('fish', () => {
  it('offers what can stand there', () => {
    const calls = rows.map(([line]) => `complete -C 'worldswitch ${line}'; echo ====`);
    const out = inShell('fish', `source ./fish\n${calls.join('\n')}`, '--no-config');
    const offered = out
      .split('====\n')
      .map((text) => text.split('\n').map((one) => one.split('\t')[0]));
    for (const [i, [line, some, not]] of rows.entries()) {
      expect(offered[i], line).toEqual(expect.arrayContaining([...some]));
      if (not !== undefined) expect(offered[i], line).not.toContain(not);
    }
  });
});

describe.skipIf(!installed('zsh'))('zsh', () => {
  it('completes a line in an interactive shell', () => {
    const lines: Readonly<Record<string, string>> = {
      'worldswitch rep': 'worldswitch report ',
      'worldswitch sweep pl': 'worldswitch sweep plan ',
      'worldswitch run --set host.mem': 'worldswitch run --set host.memory=',
      'worldswitch run --base': 'worldswitch run --baseline ',
      'worldswitch report --format=s': 'worldswitch report --format=svg ',
      'worldswitch check m': 'worldswitch check mine.yaml ',
      'worldswitch list sche': 'worldswitch list schedulers ',
      'worldswitch trace import --from la': 'worldswitch trace import --from lackey ',
    };
    const typed = Object.keys(lines).map((line) => `zpty -w -n z '${line}'$'\\t\\C-Xd'`);
    const setUp = [
      'autoload -Uz compinit; compinit -u -D; source ./zsh; touch typed',
      'dump() { print -r -- "$BUFFER" >> typed; BUFFER= }; zle -N dump; bindkey "^Xd" dump',
    ];
    // A terminal of its own; a second key notes down what the line has become.
    const script = `zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z '${setUp.join('; ')}'
${typed.join('\n')}
for i in {1..200}; do
  [[ -f typed && $(wc -l < typed) -ge ${typed.length} ]] && break
  zpty -r -t z junk
  sleep 0.05
done
cat typed`;
    expect(inShell('zsh', script, '-f').split('\n').slice(0, -1)).toEqual(Object.values(lines));
  });
});

describe('completion', () => {
  it('refuses another shell', async () => {
    const { status, stderr } = await worldswitchHere(dir, 'completion', 'bsh');
    expect(status).toBe(2);
    expect(stderr).toBe(
      'worldswitch: completion: there is no completion for "bsh" — did you mean "bash"?\n',
    );
  });

  it('knows the formats of traces', async () => {
    const { stdout } = await worldswitchHere(dir, 'trace', 'import', '--help');
    const names = traceFormats.map(({ name }) => name).join(', ');
    expect(stdout.replaceAll(/\s+/g, ' ')).toContain(`guessed when left out: ${names}`);
  });
});
