import { writeFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { exitNames } from '../../src/stats/leaves.ts';
import { decodePerfetto, type PerfettoFile, type Slice, trackOf } from '../support/perfetto.ts';
import { timelineSvg } from '../support/timeline.ts';
import { fromFile, fromText, MIXED, type TracedRun, tracedRun } from '../support/traced-run.ts';

/** The Perfetto file, read by a protobuf decoder from elsewhere, says what the result says. */
const stateNames = ['running', 'ready', 'costopped', 'blocked', 'parked'];
const shown: Readonly<Record<string, string>> = { costopped: 'co-stopped' };

describe.each([
  ['shadow paging on two pCPUs', []],
  ['nested paging on one pCPU', ['host.pcpus=1', 'hypervisor.mmu={kind: nested}']],
  ['the credit scheduler on three pCPUs', ['hypervisor.scheduler={kind: credit}', 'host.pcpus=3']],
])('the Perfetto trace of %s', (_, set) => {
  let run: TracedRun;
  let file: PerfettoFile;
  let value: (scope: string, id: string, metric: string) => number;
  beforeAll(async () => {
    // Devices without threads: all that a pCPU does is done by a vCPU.
    const inline = ['network', 'disk'].map((one) => `hypervisor.devices.${one}.worker=vcpu`);
    run = await tracedRun(fromText(MIXED, [...inline, ...set]));
    file = decodePerfetto(run.perfetto);
    const table = new Map(
      run.result.metrics.map((row) => [`${row.scope} ${row.id} ${row.metric}`, row.value]),
    );
    value = (scope, id, metric) => table.get(`${scope} ${id} ${metric}`) ?? 0;
  });
  const cycles = (slices: readonly Slice[], name?: string): number =>
    slices.reduce(
      (sum, slice) => sum + (name === undefined || slice.name === name ? slice.cycles : 0),
      0,
    );

  it('has slices that add up to each run state of each vCPU', () => {
    for (const { vm } of run.result.vms) {
      const { slices } = trackOf(file, 'vCPU run states', `${vm}/0`);
      for (const state of stateNames) {
        const wanted = value('vcpu', `${vm}/0`, `${state}_cycles`);
        expect(cycles(slices, shown[state] ?? state), `${vm} ${state}`).toBe(wanted);
      }
    }
  });

  it('has run states without gap or overlap from begin to end', () => {
    for (const { vm } of run.result.vms) {
      const { slices } = trackOf(file, 'vCPU run states', `${vm}/0`);
      let end = 0;
      for (const slice of slices) {
        expect(slice.begin).toBe(end);
        expect(slice.depth).toBe(0);
        end = slice.end;
      }
      const elapsed = value('vcpu', `${vm}/0`, 'elapsed_cycles');
      expect(end).toBe(Math.floor((elapsed * 1000) / run.result.mhz));
    }
  });

  it('shows on the pCPUs what ran there', () => {
    for (const { vm } of run.result.vms) {
      let sum = 0;
      for (let pcpu = 0; pcpu < run.result.pcpuCount; pcpu++) {
        const { slices } = trackOf(file, 'pCPUs', `pCPU ${pcpu}`);
        sum += cycles(slices, `${vm}/0`);
      }
      expect(sum, vm).toBe(value('vcpu', `${vm}/0`, 'running_cycles'));
    }
    for (let pcpu = 0; pcpu < run.result.pcpuCount; pcpu++) {
      const { slices } = trackOf(file, 'pCPUs', `pCPU ${pcpu}`);
      const idle = run.result.ledger.find((row) => row.pcpu === pcpu && row.leaf === 'idle');
      const busy = value('pcpu', `${pcpu}`, 'elapsed_cycles') - (idle?.cycles ?? 0);
      expect(cycles(slices.filter(({ depth }) => depth === 0))).toBe(busy);
    }
  });

  it('has slices inside others only where the outer one lasts as long', () => {
    const wrong: string[] = [];
    for (const track of file.tracks) {
      const open: Slice[] = [];
      for (const slice of track.slices.toSorted(
        (a, b) => a.begin - b.begin || b.end - a.end || a.depth - b.depth,
      )) {
        while (open.length > slice.depth) open.pop();
        const outer = open.at(-1);
        if (open.length !== slice.depth || (outer && outer.end < slice.end)) {
          wrong.push(`${track.name}: ${slice.name} at ${slice.begin}`);
        }
        open.push(slice);
      }
    }
    expect(wrong).toEqual([]);
  });

  it('has every exit inside the vCPU that made it, and counts it', () => {
    const inside = file.tracks
      .filter(({ group }) => group === 'pCPUs')
      .flatMap(({ slices }) => slices.filter(({ depth }) => depth === 1));
    for (const reason of exitNames) {
      const rows = run.result.exits.filter((row) => row.reason === reason);
      const count = rows.reduce((sum, row) => sum + row.count, 0);
      expect(inside.filter(({ name }) => name === reason).length, reason).toBe(count);
    }
    for (const { vm } of run.result.vms) {
      const { values, unit } = trackOf(file, 'exits so far', vm);
      expect(unit).toBe('exits');
      expect(values.at(-1)!.value).toBe(value('vm', vm, 'exits'));
    }
  });

  it('counts the TLB entries that each VM holds', () => {
    const size = 48 + 512;
    const tracks = file.tracks.filter(({ group }) => group === 'TLB entries held');
    expect(tracks.length).toBe(run.result.vms.length);
    for (let i = 0; i < tracks[0]!.values.length; i++) {
      const held = tracks.reduce((sum, { values }) => sum + values[i]!.value, 0);
      expect(held).toBeLessThanOrEqual(size * 3 * run.result.pcpuCount);
    }
    expect(Math.max(...tracks.flatMap(({ values }) => values.map((v) => v.value)))).toBeGreaterThan(
      50,
    );
  });

  it('marks the measured window and every flush', () => {
    expect(trackOf(file, '', 'pCPUs').instants.map(({ name }) => name)).toEqual([
      'measured window',
    ]);
    const flushes = file.tracks
      .filter(({ group }) => group === 'pCPUs')
      .reduce((sum, { instants }) => sum + instants.length, 0);
    expect(flushes).toBe(
      run.result.vms.reduce((sum, { vm }) => sum + value('vm', vm, 'tlb_flushes'), 0),
    );
  });
});

describe('the Perfetto trace of a host with threads', () => {
  it('has a lane for each, and with those of the pCPUs they make up all that is not idle', async () => {
    const { perfetto, result } = await tracedRun(fromText(MIXED));
    const file = decodePerfetto(perfetto);
    const threads = file.tracks.filter(({ group }) => group === 'threads of the hosts');
    const { slices } = threads.find(({ name }) => name === 'web-0/io')!;
    expect(slices.length).toBeGreaterThan(0);
    for (let pcpu = 0; pcpu < result.pcpuCount; pcpu++) {
      const vcpus = trackOf(file, 'pCPUs', `pCPU ${pcpu}`).slices.filter(
        ({ depth }) => depth === 0,
      );
      const here = threads
        .flatMap(({ slices }) => slices)
        .filter(({ name }) => name === `running on pCPU ${pcpu}`);
      const idle = result.ledger.find((row) => row.pcpu === pcpu && row.leaf === 'idle');
      const elapsed = result.metrics.find(
        (row) => row.scope === 'pcpu' && row.id === `${pcpu}` && row.metric === 'elapsed_cycles',
      )!;
      const shown = [...vcpus, ...here].reduce((sum, { cycles }) => sum + cycles, 0);
      expect(shown).toBe(elapsed.value - (idle?.cycles ?? 0));
    }
  });
});

describe('the timeline picture', () => {
  it('is drawn from the file, with a row for every pCPU and vCPU', async () => {
    // With PICTURE=docs/img/timeline.svg the picture of the documentation is drawn anew.
    const target = process.env['PICTURE'];
    const set = target === undefined ? ['duration=4ms', 'warmup=0ms'] : [];
    const { perfetto, result } = await tracedRun(await fromFile('configs/quickstart.yaml', set));
    const svg = timelineSvg(decodePerfetto(perfetto), 'Timeline of configs/quickstart.yaml');
    for (const { vm } of result.vms) expect(svg).toContain(`>${vm}/0</text>`);
    for (let pcpu = 0; pcpu < result.pcpuCount; pcpu++)
      expect(svg).toContain(`>pCPU ${pcpu}</text>`);
    expect(svg.match(/<rect /g)!.length).toBeGreaterThan(result.pcpuCount + result.vms.length);
    if (target !== undefined) writeFileSync(target, svg);
  });
});
