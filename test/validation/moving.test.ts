import { beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { EventCsv } from '../../src/observe/event-csv.ts';
import { EventLog } from '../../src/observe/event-log.ts';
import { PerfettoTrace } from '../../src/observe/perfetto.ts';
import { runScenario } from '../../src/scenario/run.ts';
import type { RunResult } from '../../src/stats/result.ts';
import { decodePerfetto, type PerfettoFile, trackOf } from '../support/perfetto.ts';
import { movingYaml } from '../support/program.ts';
import { load } from '../support/scenarios.ts';
import { Memory } from '../support/traced-run.ts';

/** A VM moves, another is protected and loses its host: traces and tables say the same. */
describe('the event traces of two hosts', () => {
  let result: RunResult;
  let file: PerfettoFile;
  let lines: string[][];
  beforeAll(async () => {
    const [perfetto, csv] = [new Memory(), new Memory()];
    const observer = new EventLog([new PerfettoTrace(perfetto.sink), new EventCsv(csv.sink)]);
    result = await runScenario(load({ ...parse(movingYaml()), host: undefined }), { observer });
    file = decodePerfetto(perfetto.bytes);
    lines = csv.bytes
      .toString()
      .trim()
      .split('\n')
      .map((line) => line.split(','));
  });
  const ns = (cycles: number) => Math.floor((cycles * 1000) / result.mhz);
  const rows = (event: string) => lines.filter((line) => line[4] === event);

  it('show the sides of a pair on both hosts, and the failover as ft.csv has it', () => {
    const names = (host: string) =>
      trackOf(file, 'protected pairs', `db-0 on ${host}`).slices.map(({ name }) => name);
    expect(names('a')).toEqual(['primary']);
    expect(names('b')).toEqual([
      'secondary',
      'secondary deciding',
      'secondary going live',
      'secondary alone',
    ]);
    const live = result.faultTolerance!.find(({ state }) => state === 'go-live')!;
    const { instants } = trackOf(file, 'protected pairs', 'db-0 on b');
    expect(instants).toEqual([{ name: 'failover', at: ns(live.cycle) }]);
    expect(
      rows('pair').map(([host, cycle, , vm, , what, value]) => [
        host,
        vm,
        what,
        Number(cycle) + Number(value),
      ]),
    ).toEqual(
      expect.arrayContaining([
        ['a', 'db-0', 'primary', 25 * 2_200_000],
        ['b', 'db-0', 'secondary alone', 40 * 2_200_000],
      ]),
    );
  });

  it('show a migration with its rounds inside it', () => {
    const whole = result.migrations!.find(({ round }) => round === undefined)!;
    const rounds = result.migrations!.filter(({ round }) => round !== undefined);
    const { slices } = trackOf(file, 'live migrations', 'web-0');
    const outer = slices.filter(({ depth }) => depth === 0);
    expect(outer).toMatchObject([
      { name: 'a to b: moved', begin: ns(whole.cycle), cycles: whole.cycles },
    ]);
    const inner = slices.filter(({ depth }) => depth === 1);
    expect(inner.map(({ cycles }) => cycles)).toEqual(rounds.map(({ cycles }) => cycles));
    expect(inner.at(-1)!.name).toBe(`round ${rounds.length} stopped`);
    expect(rows('migration')).toHaveLength(1 + rounds.length);
  });

  it('show when threads ran: as long as the ledger charges to their work and to switches', () => {
    for (const [name, host, detail] of [
      ['migration', 'b', 'migration'],
      ['db-0/log', 'b', 'ft'],
    ] as const) {
      const ran = trackOf(file, 'threads of the hosts', `${name} on ${host}`).slices.reduce(
        (sum, { cycles }) => sum + cycles,
        0,
      );
      const charged = result.ledger
        .filter((row) => row.host === host && row.leaf === 'host' && row.detail === detail)
        .reduce((sum, { cycles }) => sum + cycles, 0);
      // Before the window and in switches to the thread it ran too.
      expect(ran, name).toBeGreaterThanOrEqual(charged);
      expect(ran, name).toBeLessThan(2 * charged);
    }
  });

  it('count the bytes on the link, and the lag of the pair', () => {
    const track = (name: string) => trackOf(file, 'links and lags', name);
    const sent = track('log: a to b').values.at(-1)!.value;
    const logged = result.faultTolerance!.reduce((sum, { logBytes }) => sum + logBytes, 0);
    const moved = result.migrations!.find(({ round }) => round === undefined)!.bytes;
    expect(sent).toBeGreaterThan(logged + moved);
    expect(sent).toBeLessThan(1.2 * (logged + moved));
    const most = Math.max(...result.faultTolerance!.map(({ lagCycles }) => lagCycles));
    expect(Math.max(...track('lag of db-0').values.map(({ value }) => value))).toBe(
      Math.round(most / result.mhz),
    );
  });

  it('find the exits of a VM that moved on the host where they happened', () => {
    const own = result.exits.filter(({ vm }) => vm === 'web-0');
    const all = result.vms.find(({ vm }) => vm === 'web-0')!.metrics.exits;
    expect(own.reduce((sum, { count }) => sum + count, 0)).toBe(all);
    const on = (host: string) => own.filter((row) => row.host === host).map((row) => row.reason);
    expect(on('a')).toContain('dirty-log');
    expect(on('b')).not.toContain('dirty-log');
    // Every exit of a VM takes the same time there and back.
    for (const { count, host, reason, transitionCycles } of own) {
      expect(transitionCycles / count, `${reason} on ${host}`).toBeCloseTo(1225, -2);
    }
    for (const host of ['a', 'b']) {
      const charged = result.ledger
        .filter((row) => row.host === host && row.vm === 'web-0' && row.leaf === 'exit.transition')
        .reduce((sum, { cycles }) => sum + cycles, 0);
      const listed = own.filter((row) => row.host === host);
      expect(listed.reduce((sum, row) => sum + row.transitionCycles, 0)).toBe(charged);
    }
  });

  it('report what clients of a pair saw, and count the work of its second copy apart', () => {
    const { metrics, group } = result.vms.find(({ vm }) => vm === 'db-0')!;
    const loss = 25e6;
    const live = result.faultTolerance!.find(({ state }) => state === 'alone')!.cycle;
    expect(metrics.answer_gap_max_ns).toBeGreaterThan((live * 1000) / result.mhz - loss);
    expect(metrics.answer_gap_max_ns).toBeLessThan(15e6);
    expect(metrics.ft_unprotected).toBeCloseTo((40 - 29) / 39, 1);
    expect(metrics.ft_lag_p95_ns).toBeLessThanOrEqual(metrics.ft_lag_max_ns!);
    expect(metrics.ft_throttled).toBe(0);
    const second = result.vms.find(({ vm }) => vm === 'db-0/secondary')!;
    expect([group, second.group]).toEqual(['db', 'db/secondary']);
    expect(second.metrics).not.toHaveProperty('ft_lag_max_ns');
  });
});
