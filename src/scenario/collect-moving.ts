import type { Ticks } from '../engine/timebase.ts';
import type { FaultToleranceRow } from '../stats/result.ts';
import type { Simulation } from './build.ts';
import type { Member } from './build-guest.ts';
import type { Metrics } from './collect-vm.ts';
import type { Measured } from './snapshot.ts';

/** States of a pair with a secondary that could take over. */
const PROTECTED: ReadonlySet<string> = new Set(['running', 'lagging']);
/** Share of the protected time that p95 covers. */
const P95 = 0.95;

/** What is measured of a VM where VMs move, are protected or may be lost; nothing elsewhere. */
export function metricsOfMoving(
  { mhz, protections, scenario }: Simulation,
  { vm, requests }: Member,
  { start, end }: Measured,
): Metrics {
  if (protections.length === 0 && scenario.events.length === 0) return {};
  const { clock } = vm;
  const ns = (ticks: Ticks) => Math.round((ticks * 1000) / mhz);
  // A second copy answers nobody before it takes over, and then for the VM.
  const clients = vm.program === vm.name ? requests : null;
  const [from, to] = [clock.local(start.time), clock.local(end.time)];
  const gap = clients && ns(clock.engine(longestGap(clients.endsIn(from, to), from, to)));
  const protection = protections.find((one) => one.vm === vm);
  return {
    ...(gap !== null && { answer_gap_max_ns: gap }),
    ...(protection && pairMetrics(protection.rows, start.time, end.time, ns)),
  };
}

/** Between two answers, the edges of the window counted as such. */
function longestGap(answers: readonly number[], from: number, to: number): number {
  let [last, longest] = [from, 0];
  for (const time of [...answers, to]) {
    longest = Math.max(longest, time - last);
    last = time;
  }
  return longest;
}

/**
 * A look at a pair, in time of the engine, the one before, and for how long in the window this one
 * speaks.
 */
interface Look {
  readonly row: FaultToleranceRow;
  readonly last: FaultToleranceRow | undefined;
  readonly cycles: Ticks;
}

function pairMetrics(
  rows: readonly FaultToleranceRow[],
  from: Ticks,
  to: Ticks,
  ns: (ticks: Ticks) => number,
): Metrics {
  const looks = rows
    .map((row, i): Look => {
      return { row, last: rows[i - 1], cycles: Math.min(row.cycles, row.cycle - from) };
    })
    .filter(({ row, cycles }) => cycles > 0 && row.cycle <= to);
  if (looks.length === 0) return {};
  const time = (all: readonly Look[]) => all.reduce((sum, { cycles }) => sum + cycles, 0);
  // A row is made at each change: its state is the one that begins there.
  const covered = looks.filter(({ row, last = row }) => PROTECTED.has(last.state));
  const whole = time(covered);
  const log = looks.reduce((sum, { row, cycles }) => sum + (row.logBytes * cycles) / row.cycles, 0);
  const common = {
    ft_log_bytes: Math.round(log),
    ft_unprotected: 1 - whole / time(looks),
    ...holdOf(looks, ns),
  };
  if (whole === 0) return common;
  const mean = (of: (row: FaultToleranceRow) => number) =>
    covered.reduce((sum, { row, cycles }) => sum + of(row) * cycles, 0) / whole;
  const ascending = covered.toSorted((a, b) => a.row.lagCycles - b.row.lagCycles);
  let seen = 0;
  const p95 = ascending.find(({ cycles }) => (seen += cycles) >= P95 * whole)!;
  return {
    ...common,
    ft_lag_mean_ns: ns(mean(({ lagCycles }) => lagCycles)),
    ft_lag_p95_ns: ns(p95.row.lagCycles),
    ft_lag_max_ns: ns(ascending.at(-1)!.row.lagCycles),
    ft_throttled: 1 - mean(({ limit }) => limit),
  };
}

/** How long outputs waited that left in the window; nothing when none did. */
function holdOf(looks: readonly Look[], ns: (ticks: Ticks) => number): Metrics {
  let outputs = 0;
  let cycles = 0;
  for (const { row, last } of looks) {
    // Counted from zero again with each new secondary.
    const again = last === undefined || row.releasedOutputs < last.releasedOutputs;
    outputs += row.releasedOutputs - (again ? 0 : last.releasedOutputs);
    cycles += row.heldCycles - (again ? 0 : last.heldCycles);
  }
  return outputs > 0 ? { ft_hold_mean_ns: ns(cycles / outputs) } : {};
}
