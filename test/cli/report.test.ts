import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { estimated } from '../../src/report/quantities.ts';
import { reportedYaml, scratch, sweptYaml, worldswitchHere } from '../support/program.ts';

const { dir, remove } = scratch();
afterAll(remove);
const read = (...path: string[]) => readFileSync(join(dir, ...path), 'utf8');

beforeAll(async () => {
  writeFileSync(join(dir, 's.yaml'), reportedYaml());
  await worldswitchHere(dir, 'run', 's.yaml', '-q', '--out', 'run', '--trace', 'csv', '--report');
});

function copyRun(to: string): void {
  rmSync(join(dir, to), { recursive: true, force: true });
  cpSync(join(dir, 'run'), join(dir, to), { recursive: true });
  rmSync(join(dir, to, 'report.html'));
}

/** Ids of the figures of a page. */
const figures = (html: string) =>
  [...html.matchAll(/<svg role="img" aria-labelledby="([\w-]+)-title/g)].map(([, id]) => id);

describe('worldswitch report', () => {
  it('says of a sampled run how much of it was simulated in detail', async () => {
    const text = `
name: long
duration: 100ms
warmup: 5ms
sampling: { kind: learned, warm: 1ms, detail: 5ms }
host: { processor: opteron-1354, pcpus: 1, memory: 1GiB, caches: { data: off } }
hypervisor: { profile: kvm-2.6.33 }
vms: [{ name: vm, memory: 512MiB, workload: { kind: java-server } }]
`;
    writeFileSync(join(dir, 'long.yaml'), text);
    const { stdout } = await worldswitchHere(dir, 'run', 'long.yaml', '--out', 'long', '--report');
    const said = /sampled +(\d+(\.\d)? % of the time in detail, in \d+ windows)/.exec(stdout);
    expect(said).not.toBeNull();
    expect(read('long', 'report.html')).toContain(`Sampled: ${said![1]}`);
  });

  it('makes one page of a run, the same bytes as run --report', async () => {
    const { status, stdout, stderr } = await worldswitchHere(
      dir,
      'report',
      'run',
      '-o',
      'again.html',
    );
    expect([status, stdout, stderr]).toEqual([0, `${join(dir, 'again.html')}\n`, '']);
    expect(read('again.html')).toBe(read('run/report.html'));
    expect(read('again.html').length).toBeLessThan(500_000);
    expect(figures(read('again.html'))).toEqual(
      expect.arrayContaining(['ledger-vms', 'timeline', 'walk-causes', 'tlb', 'exits']),
    );
  });

  it('begins with the answer of the run, and what ran', () => {
    const html = read('run/report.html');
    const [, sentence] = /<p class="answer">(.*?)<\/p>/.exec(html)!;
    expect(sentence).toMatch(/^Virtualization costs [\d.]+ % of the busy cycles here, /);
    expect(html.indexOf('class="tiles"')).toBeLessThan(html.indexOf('<nav'));
    const values = [...html.matchAll(/<li><strong>(.*?)<\/strong>/g)].map(([, value]) => value);
    expect(values.length).toBeGreaterThan(1);
    expect(values.length).toBeLessThan(5);
    expect(sentence).toContain(values[0]);
    expect(html).toMatch(/3 VMs on 1 pCPU of opteron-1354, kvm-2\.6\.33, nested paging, .*seed 1/);
    expect(html.replace(/<script>.*<\/script>/s, '')).not.toMatch(/undefined|NaN/);
  });

  it('draws the cells of the timeline where a run has noted no slices', async () => {
    copyRun('older');
    rmSync(join(dir, 'older/slices.csv'));
    expect((await worldswitchHere(dir, 'report', 'older', '-q')).status).toBe(0);
    expect(figures(read('older/report.html'))).toContain('running');
    expect(figures(read('older/report.html'))).not.toContain('timeline');
    expect(figures(read('run/report.html'))).not.toContain('running');
  });

  it('says how to repeat the run, with version and seed', async () => {
    const html = read('run/report.html');
    expect(html).toContain('worldswitch run s.yaml -q --out run --trace csv --report --seed 1');
    expect(html).toMatch(/worldswitch \d+\.\d+\.\d+, scenario small, seed 1/);
    expect(html).toContain('<th scope="row">host.cpu.tlb.l1d.4K.entries</th><td>48</td>');
  });

  it('writes each figure alone', async () => {
    expect(
      (await worldswitchHere(dir, 'report', 'run', '--format', 'svg', '-o', 'figures')).status,
    ).toBe(0);
    expect(readdirSync(join(dir, 'figures'))).toEqual(
      figures(read('run/report.html'))
        .map((id) => `${id}.svg`)
        .toSorted(),
    );
    expect(read('figures/exits.svg')).toMatch(
      /^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" role="img"/,
    );
  });

  it('does not mind that there is nothing to open it with', async () => {
    expect((await worldswitchHere(dir, 'report', 'run', '--open')).status).toBe(0);
  });

  it('refuses what holds no results and says what is missing', async () => {
    mkdirSync(join(dir, 'empty'));
    for (const [name, message] of [
      ['nowhere', /worldswitch: nowhere: there is no such directory/],
      ['empty', /worldswitch: empty: no results here: there is no manifest\.json, resolved\.yaml/],
      ['s.yaml', /worldswitch: s\.yaml: there is no such directory/],
    ] as const) {
      const { status, stdout, stderr } = await worldswitchHere(dir, 'report', name);
      expect([status, stdout]).toEqual([2, '']);
      expect(stderr).toMatch(message);
    }
    expect(readdirSync(join(dir, 'empty'))).toEqual([]);
  });

  it.each([
    ['ledger.csv', undefined, /not all of the results of a run: there is no ledger\.csv/],
    ['ledger.csv', 'a,b\n1,2\n', /ledger\.csv:1:1: error: the table has no column scope, id, vm/],
    ['exits.csv', 'vm,reason\n"x', /exits\.csv:1:1: error: cannot read the table/],
    ['manifest.json', '{', /manifest\.json:1:1: error: not JSON/],
    ['manifest.json', '{"tool":"other"}', /manifest\.json:1:1: error: not a manifest/],
    ['resolved.yaml', 'a: [', /resolved\.yaml:1:1: error: not YAML/],
  ])('refuses a damaged %s', async (name, text, message) => {
    copyRun('damaged');
    if (text === undefined) rmSync(join(dir, 'damaged', name));
    else writeFileSync(join(dir, 'damaged', name), text);
    const { status, stderr } = await worldswitchHere(dir, 'report', 'damaged');
    expect(stderr).toMatch(message);
    expect(status).toBe(2);
    expect(existsSync(join(dir, 'damaged/report.html'))).toBe(false);
  });

  it('shows text from files as text', async () => {
    const path = join(dir, 'marked/resolved.yaml');
    copyRun('marked');
    writeFileSync(path, `${readFileSync(path, 'utf8')}description: '<script>alert(1)</script>'\n`);
    const vms = join(dir, 'marked/vms.csv');
    writeFileSync(vms, readFileSync(vms, 'utf8').replaceAll('web-1', '<b>&"x'.replace('"', "'")));
    expect((await worldswitchHere(dir, 'report', 'marked')).status).toBe(0);
    const html = read('marked/report.html');
    expect(html).toContain('&lt;script&gt;alert(1)&lt;/script&gt;');
    expect(html).not.toMatch(/<script>alert|<b>/);
    expect(html.match(/<script/g)).toHaveLength(1);
  });
});

describe('worldswitch report of a sweep', () => {
  beforeAll(async () => {
    writeFileSync(join(dir, 'swept.yaml'), sweptYaml());
    await worldswitchHere(dir, 'sweep', 'swept.yaml', '-q', '-j', '0', '--out', 'swept');
  }, 60_000);

  const report = (...args: string[]) => worldswitchHere(dir, 'report', 'swept', ...args);

  it('draws curves, panels and a heat map, and repeats itself to the byte', async () => {
    expect(await report('-o', 'one.html')).toMatchObject({ status: 0, stderr: '' });
    await report('-o', 'two.html');
    const html = read('one.html');
    expect(read('two.html')).toBe(html);
    expect(figures(html)).toEqual(
      expect.arrayContaining(['consolidation-curve', 'lines-ready_share', 'heat-work_per_second']),
    );
    expect(html.length).toBeLessThan(500_000);
    expect(html).toMatch(/<pre>worldswitch sweep \S*swept\.yaml<\/pre>/);
    expect(html).toContain('12 points over loop VMs (1, 2, 4) × timeslice (200us, 1ms) × ');
  });

  it('shows the means and intervals of summary.csv', async () => {
    await report('-o', 'one.html');
    const [head, ...lines] = read('swept/summary.csv')
      .split('\n')
      .map((row) => row.split(','));
    const line = lines.find((row) => row[0] === '11' && row.includes('ready_share'))!;
    const cell = (column: string) => 100 * Number(line[head!.indexOf(column)]);
    const row = /<tr><th scope="row">11<\/th>.*<\/tr>/.exec(read('one.html'))![0];
    expect(cell('mean')).toBeGreaterThan(70);
    expect(row).toContain(`>${estimated(cell('mean'), cell('half_width'), 2)}<`);
  });

  /** The cells of a table by what its caption begins with. */
  const table = (html: string, caption: string) => {
    const found = new RegExp(`<caption>${caption}[\\s\\S]*?</table>`).exec(html)![0];
    return [...found.matchAll(/<tr>(.*)<\/tr>/g)].map(([, row]) =>
      [...row!.matchAll(/<t[hd][^>]*>([^<]*)</g)].map(([, cell]) => cell!),
    );
  };

  it('says how far an objective holds', async () => {
    await report('-o', 'one.html', '--objective', 'ready share < 60%');
    const [head, ...lines] = table(read('one.html'), 'How far ready share &lt; 60%');
    expect(head!.slice(-4)).toEqual([
      'surely holds up to',
      'VMs per core',
      'open',
      'surely fails at',
    ]);
    expect(lines).toHaveLength(4);
    // Two VMs share the pCPU and wait half of their time; with four it is three quarters.
    for (const [, , upTo, perCore, open, failing] of lines) {
      expect(upTo).toMatch(/^2 \((?:49|50|51)/);
      expect(perCore).toBe('2');
      expect(open).toBe('');
      expect(failing).toMatch(/^4 \(7\d/);
    }
    expect(read('one.html')).not.toContain('npx worldswitch find');
  });

  it('says in pairs which configurations differ, and by how much', async () => {
    await report('-o', 'one.html', '--objective', 'ready share < 60%');
    const [, ...lines] = table(read('one.html'), 'Which configurations differ in ready share');
    // Two axes of two values, the other one either way, at three numbers of VMs.
    expect(lines).toHaveLength(2 * 2 * 3);
    const [what, where, at, difference, pairs, so] = lines.find(([, , x]) => x === '1')!;
    expect([what, where, at]).toEqual(['timeslice 1ms − timeslice 200us', 'nested paging', '1']);
    // A VM alone never waits, whatever its slices.
    expect([difference, pairs, so]).toEqual(['0 %', '2', 'no difference shown']);
  });

  it('says what is open and the command that decides it', async () => {
    cpSync(join(dir, 'swept'), join(dir, 'open'), { recursive: true });
    const lines = read('open/points.csv').trimEnd().split('\n');
    const column = lines[0]!.split(',').indexOf('ready_share');
    const nested = lines.map((line) => {
      const cells = line.split(',');
      // Two VMs: 40 % in one replication and 70 % in the other; the interval covers 60 % and much more.
      const at = cells[4] === '2' && cells[5] === '1ms' && cells[6] === 'shadow';
      if (at) cells[column] = cells[1] === '0' ? '0.4' : '0.7';
      return cells.join(',');
    });
    writeFileSync(join(dir, 'open/points.csv'), `${nested.join('\n')}\n`);
    await worldswitchHere(dir, 'report', 'open', '--objective', 'ready share < 60% for every VM');
    const html = read('open/report.html');
    const line = table(html, 'How far').find((cells) => cells[4] !== '' && cells[1] === 'shadow')!;
    expect(line.slice(2)).toEqual([
      '1 (0 %)',
      '1 to 2',
      'undecided between 1 and 2',
      expect.stringMatching(/^4 \(7/),
    ]);
    const command = /npx worldswitch find [^<]*/.exec(html)![0];
    expect(command.replaceAll('&#39;', "'").replace('&lt;', '<')).toBe(
      "npx worldswitch find swept.yaml --axis vms.loop.count --from 1 --to 4 --objective 'ready share < 60% for every VM'" +
        ' --across hypervisor.scheduler.timeslice=1ms --across hypervisor.mmu.kind=shadow',
    );
  });

  it('refuses an objective that is none, that nothing measured, or of a single run', async () => {
    for (const [name, objective, message] of [
      ['swept', 'fast', /^worldswitch: --objective: not an objective: "fast"/],
      ['swept', 'p99 latency < 1ms', /no point of the sweep has a p99 latency/],
      ['run', 'p99 latency < 1ms', /an objective needs a sweep/],
    ] as const) {
      const { status, stderr } = await worldswitchHere(
        dir,
        'report',
        name,
        '--objective',
        objective,
      );
      expect(stderr).toMatch(message);
      expect(status).toBe(2);
    }
  });

  it('draws first how far each configuration holds, with an objective', async () => {
    await report('-o', 'one.html', '--objective', 'ready share < 60%');
    const html = read('one.html');
    expect(figures(html)[0]).toBe('holds');
    expect(figures(html).slice(1, 3)).toEqual([
      'differences-hypervisor-scheduler-timeslice',
      'differences-hypervisor-mmu-kind',
    ]);
    expect(/<p class="answer">(.*?)<\/p>/.exec(html)![1]).toMatch(
      /^Ready share &lt; 60% surely holds up to 2 loop VMs \(2 per core\) in all 4 configurations; /i,
    );
  });

  it('says when only the manifest of a finished sweep is missing', async () => {
    cpSync(join(dir, 'swept'), join(dir, 'bare'), { recursive: true });
    rmSync(join(dir, 'bare/manifest.json'));
    const { status, stderr } = await worldswitchHere(dir, 'report', 'bare');
    expect(stderr).toMatch(/not all of the results of a sweep: manifest\.json is missing/);
    expect(stderr).not.toContain('not finished');
    expect(status).toBe(2);
  });

  it('refuses a sweep that is not finished', async () => {
    rmSync(join(dir, 'swept/summary.csv'));
    const { status, stderr } = await report();
    expect(stderr).toMatch(/a sweep that is not finished: there is no summary\.csv/);
    expect(status).toBe(2);
  });
});
