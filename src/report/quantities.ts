import { rounded } from '../base/rounded.ts';
import { type MeasureName, measures } from '../stats/measures.ts';
import { MILLION_INSTRUCTIONS } from '../stats/metrics.ts';

/**
 * Numbers as people read them: times in ms, µs or ns, shares in per cent, thousands in groups of
 * three with a comma, and no more digits than the interval allows. Tables for programs (CSV, JSON)
 * keep the raw units.
 */

/**
 * Digits after the point that show `figures` significant ones of `size`; below 0, of tens,
 * hundreds, …
 */
const decimalsFor = (size: number, figures: number): number => {
  if (size === 0) return 0;
  const exponent = Number(size.toExponential(figures - 1).split('e')[1]);
  return figures - 1 - exponent;
};

/** Three significant digits, and all those before the point: `0.0123`, `1.23`, `123`, `12,345`. */
export function plain(value: number): string {
  const size = Math.abs(value);
  const text = rounded(value, Math.min(12, Math.max(0, decimalsFor(size, 3))));
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
}

interface Scale {
  readonly unit: string;
  /** Shown = raw × factor. */
  readonly factor: number;
}

const TIMES: readonly (readonly [from: number, Scale])[] = [
  [1e10, { unit: 's', factor: 1e-9 }],
  [1e5, { unit: 'ms', factor: 1e-6 }],
  [1e3, { unit: 'µs', factor: 1e-3 }],
  [0, { unit: 'ns', factor: 1 }],
];

/** The unit in which people read a value of this size. */
export function scaleOf(name: MeasureName, value: number): Scale {
  const { unit, percent } = measures[name];
  if (unit === 'ns') return TIMES.find(([from]) => Math.abs(value) >= from)![1];
  if (percent) return { unit: '%', factor: 100 };
  return { unit: '', factor: 1 };
}

/** `ms`, `%` or nothing: the one unit of a whole column or axis of a measure. */
export function axisScale(name: MeasureName): Scale {
  return measures[name].unit === 'ns' ? scaleOf(name, 1e6) : scaleOf(name, 1);
}

/** `10.1 ± 2.3`: two significant digits of the half width, the value rounded to the same place. */
export function interval(value: number, half: number | undefined): string {
  if (half === undefined || !Number.isFinite(half) || half <= 0) return plain(value);
  const decimals = decimalsFor(half, 2);
  return `${rounded(value, decimals)} ± ${rounded(half, decimals)}`;
}

/**
 * Whether an interval tells nothing of a number that cannot be negative: it reaches down to zero.
 * An interval of no width says that all runs agree.
 */
export const saysNothing = (value: number, half: number | undefined): boolean =>
  half !== undefined && half > 0 && half >= Math.abs(value);

/** What is said of a VM that has no finite value of a measure. */
export function never(name: MeasureName): string {
  if (name.startsWith('ft_')) return 'never protected';
  return measures[name].unit === 'ns' ? 'none served' : 'no work done';
}

/**
 * `10.1 ± 2.3`, or `10 (too few: 3 runs)` where the interval says nothing. `runs`: replications.
 */
export function estimated(value: number, half?: number, runs?: number, unit = ''): string {
  const suffix = unit === '' ? '' : ` ${unit}`;
  if (!saysNothing(value, half)) return `${interval(value, half)}${suffix}`;
  const rough = rounded(value, Math.min(12, decimalsFor(Math.abs(value), 2)));
  const few = runs === undefined ? 'too few runs' : `too few: ${counted(runs, 'runs')}`;
  return `${rough}${suffix} (${few})`;
}

/**
 * A value of a measure as people read it: `10.1 ± 2.3 ms`, `12.3 %`; `10 ms (too few: 3 runs)`
 * where the interval says nothing. `value` and `half` in the unit of the measure; infinite: the VM
 * finished nothing. `runs`: replications.
 */
export function shown(name: MeasureName, value: number, half?: number, runs?: number): string {
  if (Number.isNaN(value)) return '-';
  if (!Number.isFinite(value)) return never(name);
  const { unit, factor } = scaleOf(name, value);
  const width = half === undefined ? undefined : half * factor;
  return estimated(value * factor, width, runs, unit);
}

/** A difference of a measure, which may have either sign: `+0.9 ± 1.6 ms`. */
export function shownDifference(name: MeasureName, value: number, half?: number): string {
  if (!Number.isFinite(value)) return '-';
  const { unit, factor } = scaleOf(name, Math.max(Math.abs(value), half ?? 0));
  const text = interval(value * factor, half === undefined ? undefined : half * factor);
  return (
    `${value > 0 && /[1-9]/.test(text.split(' ')[0]!) ? '+' : ''}${text}` +
    `${unit === '' ? '' : ` ${unit}`}`
  );
}

/** `requests` -> `request`: units of work are written in the plural. */
export function singular(unit: string): string {
  if (unit.endsWith('sses')) return unit.slice(0, -2);
  return unit.endsWith('s') ? unit.slice(0, -1) : unit;
}

/** `1 job`, `2,345 requests`, `18.4 million instructions`. */
export function counted(amount: number, unit: string): string {
  if (unit === MILLION_INSTRUCTIONS) return `${plain(amount)} ${unit}`;
  return `${rounded(amount, 0)} ${amount === 1 ? singular(unit) : unit}`;
}

/** `1-3 jobs`: amounts of several VMs. */
export function countedRange(amounts: readonly number[], unit: string): string {
  const [least, most] = [Math.min(...amounts), Math.max(...amounts)];
  const show = (amount: number) =>
    unit === MILLION_INSTRUCTIONS ? plain(amount) : rounded(amount, 0);
  const [first, last] = [show(least), show(most)];
  return first === last ? counted(least, unit) : `${first}-${last} ${unit}`;
}

/**
 * Units of work from which on a cost per unit is shown: of whole units up to two more or less are
 * under way at the ends of the window, a fifth of ten. Instructions are counted one by one.
 */
export const ENOUGH_UNITS = 10;

/** Whether costs per unit of work mean something. */
export const enoughWork = (work: number, unit: string): boolean =>
  unit === MILLION_INSTRUCTIONS ? work > 0 : work >= ENOUGH_UNITS;

/** `per request`, `per million instructions`. */
export const perUnit = (unit: string): string =>
  unit === MILLION_INSTRUCTIONS ? `per ${unit}` : `per ${singular(unit)}`;
