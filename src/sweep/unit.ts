import { runBaseline } from '../scenario/baseline.ts';
import type { RefillableFeed } from '../scenario/build.ts';
import type { Scenario } from '../scenario/resolve.ts';
import { runScenario } from '../scenario/run.ts';
import { inClocksOfVms } from '../stats/clocks.ts';
import type { WindowFinding } from '../stats/findings.ts';
import {
  groupMeasureNames,
  type MeasureName,
  measure,
  measureHost,
  type Sample,
  vmMeasureNames,
} from '../stats/measures.ts';
import type { RunProgress, RunResult, VmRow } from '../stats/result.ts';

/** A unit of work: one run of one point of a sweep. */
export interface UnitJob {
  readonly scenario: Scenario;
  /** Also run each VM alone and native, for its slowdown. */
  readonly native: boolean;
  /** Also keep how long each request took. */
  readonly requests: boolean;
  /** Trace as written in the scenario -> file. */
  readonly traces: readonly (readonly [string, string])[];
}

/** Infinity where a VM got nothing done, nothing where there was nothing to measure. */
export type Values = Readonly<Partial<Record<MeasureName, number>>>;

/** What is kept of a unit. Plain data; the same for the same scenario, seed and version. */
export interface UnitResult {
  readonly mhz: number;
  readonly windowCycles: number;
  readonly host: Values;
  readonly groups: readonly GroupResult[];
  readonly vms: readonly VmResult[];
  /** What the window was too short for. */
  readonly findings: readonly WindowFinding[];
}

export interface GroupResult {
  readonly group: string;
  readonly vms: number;
  readonly workload: string;
  readonly unit: string;
  readonly values: Values;
  /** Cycles by `leaf` or `leaf/detail`, summed over the VMs. */
  readonly ledger: Readonly<Record<string, number>>;
}

export interface VmResult {
  readonly vm: string;
  readonly group: string;
  readonly values: Values;
  /** Where the job asks for them: in ns, ascending, ages of what was not finished at the end. */
  readonly requests?: VmRow['requests'];
}

export interface UnitHooks {
  readonly openTrace: (file: string, again: boolean) => RefillableFeed;
  readonly signal?: { readonly aborted: boolean } | undefined;
  readonly pause?: (() => Promise<void>) | undefined;
  /** 0..1 */
  readonly onProgress?: ((fraction: number) => void) | undefined;
}

/** Throws ModelError, or RunAborted through the signal. */
export async function runUnit(
  { scenario, native, requests }: UnitJob,
  hooks: UnitHooks,
): Promise<UnitResult> {
  const { onProgress, ...rest } = hooks;
  // A native run of each VM takes about as long as the run of them all.
  const half = (start: number) => ({
    ...rest,
    onProgress: ({ fraction }: RunProgress) =>
      onProgress?.(native ? start + fraction / 2 : fraction),
  });
  const ran = await runScenario(scenario, half(0));
  return condense(native ? await runBaseline(scenario, ran, half(0.5)) : ran, requests);
}

/**
 * Of each VM: what objectives are about, and what tells whether the window was long enough for
 * them.
 */
const KEPT: readonly MeasureName[] = [
  ...vmMeasureNames,
  ...(['turns', 'requests', 'requests_arrived'] as const),
  ...(['requests_unfinished', 'requests_queued_before'] as const),
];

/** A run, reduced to what a sweep tabulates. */
export function condense(result: RunResult, requests = false): UnitResult {
  const { mhz, windowCycles } = result;
  const windowSeconds = windowCycles / (mhz * 1e6);
  const charged = inClocksOfVms(result, result.vms);
  const names = [...new Set(result.vms.map(({ group }) => group))];
  return {
    mhz,
    windowCycles,
    host: measureHost(result),
    groups: names.map((group) => {
      const vms = result.vms.filter((vm) => vm.group === group);
      const members = new Set(vms.map(({ vm }) => vm));
      const ledger: Record<string, number> = {};
      for (const { vm, leaf, detail, cycles } of charged) {
        if (!members.has(vm)) continue;
        const key = detail === '' ? leaf : `${leaf}/${detail}`;
        ledger[key] = (ledger[key] ?? 0) + cycles;
      }
      return {
        group,
        vms: vms.length,
        workload: vms[0]!.workload,
        unit: vms[0]!.unit,
        values: measureAll(groupMeasureNames, { vms, windowSeconds }),
        ledger,
      };
    }),
    vms: result.vms.map((row) => ({
      vm: row.vm,
      group: row.group,
      values: measureAll(KEPT, { vms: [row], windowSeconds }),
      ...(requests && row.requests ? { requests: whole(row.requests) } : {}),
    })),
    findings: result.findings,
  };
}

const whole = ({ served, unfinished }: NonNullable<VmRow['requests']>) => ({
  served: served.map(Math.round),
  unfinished: unfinished.map(Math.round),
});

/** Infinity stays: it is what a VM has that got nothing done. */
function measureAll(names: readonly MeasureName[], sample: Sample): Values {
  const values = names.map((name) => [name, measure(name, sample)] as const);
  return Object.fromEntries(
    values.filter(([, value]) => value !== undefined && !Number.isNaN(value)),
  );
}
