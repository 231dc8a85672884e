/** `npm run bench [-- --rounds N] [--only PATTERN]`: see README.md. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { presets } from '../../dist/scenario/presets.js';
import { pageStream, workloadPresets } from './material.mjs';
import { available, geometricMean, median, timed } from './measure.mjs';
import {
  allCases,
  caseName,
  fullHost,
  otherProcessors,
  pageStreams,
  singleVm,
  streamScenario,
  streams,
} from './streams.mjs';
import { exportWorld } from './world.mjs';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    only: { type: 'string', default: '' },
    check: { type: 'boolean', default: false },
    scale: { type: 'string', default: '1' },
  },
});
const rounds = Number(values.rounds);
const scale = Number(values.scale);
const here = fileURLToPath(new URL('.', import.meta.url));
const root = join(here, '../..');
const scratch = mkdtempSync(join(tmpdir(), 'worldswitch-bench-'));
const inScratch = (name) => join(scratch, name);
const rows = [];

/** `at` most or `least`: the goal; without either the row only informs. */
function row(what, value, unit, { least, most, note = '' } = {}) {
  const goal = least !== undefined ? `>= ${least}` : most !== undefined ? `<= ${most}` : '';
  const met = least !== undefined ? value >= least : most !== undefined ? value <= most : undefined;
  rows.push([
    what,
    format(value),
    unit,
    goal,
    met === undefined ? '' : met ? 'met' : 'MISSED',
    note,
  ]);
}
const format = (n) => (n >= 100 ? n.toFixed(0) : n >= 10 ? n.toFixed(1) : n.toFixed(2));
const skipped = (what, why) => rows.push([what, '', '', '', 'SKIPPED', why]);
const wanted = (part) =>
  values.only === '' || values.only.split(',').some((p) => part.startsWith(p.split(':')[0]));
const progress = (text) => process.stderr.write(`${text}\n`);

function simulate(file, ...flags) {
  const { stdout } = timed(process.execPath, [join(here, 'simulate.mjs'), file, ...flags]);
  return JSON.parse(stdout);
}

function compile(source, ...flags) {
  const binary = inScratch(source.replace('.', '-'));
  timed('g++', ['-O3', ...flags, '-o', binary, join(here, source)]);
  return binary;
}

const VISITS = {
  friendly: { off: 64e6, on: 32e6 },
  medium: { off: 48e6, on: 24e6 },
  half: { off: 24e6, on: 12e6 },
  resident: { on: 32e6 },
  streamed: { on: 12e6 },
  stored: { on: 12e6 },
};

const isWanted = (c) =>
  values.only.split(',').every((p) => !p.startsWith('twin:') || caseName(c).includes(p.slice(5)));

/** Whether the C++ program counts the same, in short runs: nothing is timed. */
function checkTwin() {
  const twin = compile('twin.cpp');
  const lines = ['half', 'streamed', 'stored'].map((stream) => ({ stream, data: 'on' }));
  const others = [
    ...Object.entries(otherProcessors).map(([title, cpu]) => ({ title, cpu, mode: 'nested' })),
    ...Object.keys(presets.processors).map((processor) => ({
      title: processor,
      processor,
      mode: presets.processors[processor].includes('nestedPaging: true') ? 'nested' : 'shadow',
    })),
  ].flatMap((other) => lines.map((line) => ({ ...line, ...other })));
  for (const c of [...allCases(), ...others].filter(isWanted)) {
    const name = c.title ? `${caseName(c)}, ${c.title}` : caseName(c);
    const world = inScratch('check.world');
    const counts = exportWorld(streamScenario(c, 2e5, 2e5), world);
    twinCpu(twin, { name, world, counts });
    console.log(`${name}: ${counts.visits} visits, all counts equal`);
  }
}

/** Simulator and C++ program turn by turn; returns what each case took. */
function againstTwin() {
  const twin = available('g++') ? compile('twin.cpp') : undefined;
  if (!twin) skipped('against the C++ program', 'no g++');
  const cases = allCases()
    .filter(isWanted)
    .map((c) => {
      const yaml = streamScenario(c, VISITS[c.stream][c.data] * scale);
      const file = inScratch(`${caseName(c)}.yaml`);
      const world = inScratch(`${caseName(c)}.world`);
      writeFileSync(file, yaml);
      progress(`${caseName(c)}: state for the C++ program`);
      const counts = exportWorld(yaml, world);
      return { ...c, name: caseName(c), file, world, counts, ours: [], whole: [], theirs: [] };
    });
  for (let round = 0; round < rounds; round++) {
    for (const c of cases) {
      const [result] = simulate(c.file);
      if (result.visits !== c.counts.visits) throw new Error(`${c.name}: two runs differ`);
      c.ours.push((result.windowCpu / result.visits) * 1e9);
      const all = (result.visits * result.allCycles) / result.windowCycles;
      c.whole.push((result.cpu / all) * 1e9);
      if (twin) c.theirs.push((twinCpu(twin, c) / c.counts.visits) * 1e9);
      progress(
        `round ${round + 1} ${c.name}: ${format(c.ours.at(-1))} ns, C++ ${format(c.theirs.at(-1) ?? 0)} ns`,
      );
    }
  }
  const goals = { friendly: 50, medium: 35, half: 10 };
  for (const c of cases) {
    const speed = 1e3 / median(c.whole);
    const goal = goals[c.stream];
    const least = goal && goal / (c.data === 'on' ? 2 : 1);
    const note = `median; best ${format(1e3 / Math.min(...c.whole))}`;
    row(
      `whole simulator, ${describe(c)}`,
      speed,
      'M visits/s',
      c.mode === 'nested' ? { least, note } : { note },
    );
  }
  if (!twin) return cases;
  const ratios = cases.map((c) => {
    const ratio = median(c.ours.map((ns, i) => ns / c.theirs[i]));
    row(`time against C++, ${describe(c)}`, ratio, 'times', {
      most: 2,
      note: `${format(median(c.ours))} against ${format(median(c.theirs))} ns a visit`,
    });
    return ratio;
  });
  row('time against C++, geometric mean', geometricMean(ratios), 'times', { most: 1.6 });
  return cases;
}

const describe = ({ stream, mode, data }) =>
  `${streams[stream].title}, ${mode}, data lines ${data}`;

/** Runs the C++ program, compares every count, returns its CPU seconds. */
function twinCpu(twin, { name, world, counts }) {
  const [cpu, ...lines] = timed(twin, [world]).stdout.trim().split('\n');
  const theirs = new Map(lines.map((line) => line.split(' ')));
  for (const [count, value] of Object.entries(counts)) {
    if (Number(theirs.get(count) ?? 0) !== value) {
      throw new Error(
        `${name}: ${count} is ${value}, the C++ program says ${theirs.get(count) ?? 0}`,
      );
    }
    theirs.delete(count);
  }
  if (theirs.size > 0) throw new Error(`${name}: only the C++ program has ${[...theirs.keys()]}`);
  return Number(cpu);
}

function againstCachegrind() {
  if (!available('valgrind') || !available('g++')) {
    return skipped('against cachegrind as a TLB', 'no valgrind or no g++');
  }
  const touch = compile('touch.c', '-x', 'c++', '-fpermissive', '-w');
  const goals = { friendly: 3, medium: 2, half: 1.2 };
  const [few, many] = [1e6, 6e6];
  for (const stream of pageStreams) {
    const c = { stream, mode: 'native', data: 'off' };
    const yaml = streamScenario(c, VISITS[stream].off * scale);
    const file = inScratch('cachegrind.yaml');
    const pages = inScratch(`${stream}.pages`);
    writeFileSync(file, yaml);
    writeFileSync(pages, pageStream(yaml, 1e6));
    const grind = (visits) =>
      timed('valgrind', [
        ...['--tool=cachegrind', '--cache-sim=yes', '--cachegrind-out-file=/dev/null', '-q'],
        ...['--I1=131072,32,4096', '--D1=196608,48,4096', '--LL=2097152,4,4096'],
        ...[touch, pages, `${visits}`],
      ]).cpu;
    const pairs = Array.from({ length: rounds }, () => {
      const [{ windowCpu, visits }] = simulate(file);
      const theirs = (grind(many) - grind(few)) / (many - few);
      progress(
        `cachegrind ${stream}: ${format(theirs * 1e9)} ns, ours ${format((windowCpu / visits) * 1e9)} ns`,
      );
      return { ours: windowCpu / visits, theirs };
    });
    row(
      `speed against cachegrind as a TLB, ${streams[stream].title}`,
      median(pairs.map((p) => p.theirs / p.ours)),
      'times',
      {
        least: goals[stream],
        note: `${format(median(pairs.map((p) => p.ours)) * 1e9)} against ${format(median(pairs.map((p) => p.theirs)) * 1e9)} ns a visit`,
      },
    );
  }
}

/** The same simulation twice in one process, and after others that take other paths through the code. */
function secondSimulation() {
  for (const stream of pageStreams) {
    const c = { stream, mode: 'nested', data: 'off' };
    const file = inScratch('first.yaml');
    const other = inScratch('other.yaml');
    const third = inScratch('third.yaml');
    writeFileSync(file, streamScenario(c, VISITS[stream].off * scale));
    const preset = {
      mode: 'shadow',
      data: 'on',
      warmup: '10ms',
      duration: '100ms',
      workload: '{ kind: oltp }',
    };
    writeFileSync(other, singleVm(preset));
    writeFileSync(
      third,
      singleVm({ ...preset, mode: 'native', workload: '{ kind: kernel-compile }' }),
    );
    const same = [];
    const mixed = [];
    for (let round = 0; round < rounds; round++) {
      const [first, second] = simulate(file, '--again');
      same.push(second.windowCpu / first.windowCpu);
      const after = simulate(other, third, file).at(-1);
      mixed.push(after.windowCpu / first.windowCpu);
    }
    progress(
      `second simulation ${stream}: ${format(median(same))}, after others ${format(median(mixed))}`,
    );
    row(`second simulation in a process, ${streams[stream].title}`, median(same), 'times', {
      most: 1.1,
    });
    row(
      `third, after shadow and native with data lines, ${streams[stream].title}`,
      median(mixed),
      'times',
    );
  }
}

function eventQueue() {
  const python = ['/usr/bin/python3', 'python3'].find((p) => available(p, ['-c', 'import simpy']));
  const cpp = available('g++') ? compile('queue.cpp') : undefined;
  if (!python) skipped('event queue against SimPy', "no SimPy (Debian's python3-simpy3)");
  if (!cpp) skipped('event queue against std::priority_queue', 'no g++');
  const holds = 1e7;
  const slow = 2e5;
  for (const pending of [16, 256]) {
    const ours = [];
    const simpy = [];
    const heap = [];
    for (let round = 0; round < rounds; round++) {
      const mine = JSON.parse(
        timed(process.execPath, [join(here, 'queue.mjs'), `${pending}`, `${holds}`]).stdout,
      );
      ours.push((mine.cpu / holds) * 1e9);
      if (cpp) {
        const theirs = JSON.parse(timed(cpp, [`${pending}`, `${holds}`]).stdout);
        if (theirs.sum !== mine.sum) throw new Error('the two event queues differ in order');
        heap.push((theirs.cpu / holds) * 1e9);
      }
      if (python) {
        const out = timed(python, [join(here, 'queue.py'), `${pending}`, `${slow}`]).stdout;
        simpy.push((JSON.parse(out).cpu / slow) * 1e9);
      }
    }
    row(`events, ${pending} pending`, 1e3 / median(ours), 'M/s', {
      note: `${format(median(ours))} ns an event`,
    });
    const ratio = (theirs) => median(theirs.map((ns, i) => ns / ours[i]));
    if (python)
      row(`event queue against SimPy, ${pending} pending`, ratio(simpy), 'times', { least: 15 });
    if (cpp)
      row(`event queue against std::priority_queue, ${pending} pending`, ratio(heap), 'times', {
        least: 0.9,
      });
  }
}

function startUp() {
  const main = join(root, 'dist/cli/main.cjs');
  if (!existsSync(main)) return skipped('start-up', 'no dist/cli/main.cjs');
  const empty = inScratch('empty.mjs');
  writeFileSync(empty, '');
  const bare = [];
  const help = [];
  for (let i = 0; i < 15; i++) {
    bare.push(timed(process.execPath, [empty]).cpu);
    help.push(timed(process.execPath, [main, '--help']).cpu);
  }
  row('--help against bare Node', median(help) / median(bare), 'times', {
    most: 1.3,
    note: `${format(median(help) * 1e3)} against ${format(median(bare) * 1e3)} ms CPU`,
  });
  const quickstart = join(root, 'configs/quickstart.yaml');
  if (!existsSync(quickstart)) return skipped('run configs/quickstart.yaml', 'no such file');
  const out = inScratch('quickstart');
  const seconds = Array.from({ length: Math.min(rounds, 3) }, () => {
    rmSync(out, { recursive: true, force: true });
    return timed(process.execPath, [main, 'run', quickstart, '--out', out, '--quiet'], {
      cwd: scratch,
    }).cpu;
  });
  row('run configs/quickstart.yaml', median(seconds), 's CPU', { most: 5 });
}

function workloads() {
  for (const { name, yaml } of workloadPresets()) {
    for (const data of ['off', 'on']) {
      const file = inScratch('preset.yaml');
      writeFileSync(file, yaml(data));
      const speeds = Array.from({ length: Math.min(rounds, 3) }, () => {
        const [{ visits, windowCpu }] = simulate(file);
        return visits / windowCpu / 1e6;
      });
      row(`workload ${name}, nested, data lines ${data}`, median(speeds), 'M visits/s');
    }
  }
}

function memory() {
  for (const data of ['off', 'on']) {
    const file = inScratch('full-host.yaml');
    writeFileSync(file, fullHost.yaml(data));
    const [{ maxRssMiB, visits, cpu }] = simulate(file);
    const empty = simulateEmpty();
    const pages = fullHost.vms * fullHost.pages;
    if (visits < pages) throw new Error(`${visits} visits cannot have touched ${pages} pages`);
    row(`${fullHost.vms} VMs of 512 MiB touched fully, data lines ${data}`, maxRssMiB, 'MiB RSS', {
      most: 1024,
      note: `${format((maxRssMiB - empty) / fullHost.vms)} MiB a VM; ${format(cpu)} s CPU`,
    });
  }
}

/** RSS of a simulation of next to nothing. */
function simulateEmpty() {
  const file = inScratch('empty.yaml');
  const workload = '{ kind: tlb-thrash, pages: 1 }';
  writeFileSync(
    file,
    singleVm({ mode: 'nested', data: 'off', warmup: '0ms', duration: '1ms', workload }),
  );
  return simulate(file)[0].maxRssMiB;
}

function print() {
  const head = ['what', 'value', 'unit', 'goal', '', 'note'];
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map((r) => r[i].length)));
  const line = (cells) =>
    `| ${cells.map((cell, i) => (i === 1 ? cell.padStart(widths[i]) : cell.padEnd(widths[i]))).join(' | ')} |`;
  console.log(
    `${cpus()[0]?.model ?? 'unknown processor'}, ${cpus().length} CPUs, Node ${process.version}, ${rounds} rounds\n`,
  );
  console.log(line(head));
  console.log(`|${widths.map((w) => '-'.repeat(w + 2)).join('|')}|`);
  for (const cells of rows) console.log(line(cells));
  console.log(
    `\nload average ${readFileSync('/proc/loadavg', 'utf8').split(' ').slice(0, 3).join(' ')} at the end`,
  );
}

function everything() {
  if (wanted('twin')) againstTwin();
  if (wanted('cachegrind')) againstCachegrind();
  if (wanted('second')) secondSimulation();
  if (wanted('queue')) eventQueue();
  if (wanted('start')) startUp();
  if (wanted('presets')) workloads();
  if (wanted('memory')) memory();
  print();
}

try {
  if (values.check) checkTwin();
  else everything();
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
