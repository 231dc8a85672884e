import { z } from 'zod';

/** One kind of quantity as it is written in YAML: a number and one of these units, or a bare `0`. */
interface Dimension {
  readonly noun: string;
  readonly example: string;
  /** Unit -> how many base units it is. */
  readonly units: Readonly<Record<string, number>>;
  /** Those that messages use, the largest first. */
  readonly shown: readonly string[];
}

const DURATION: Dimension = {
  noun: 'duration',
  example: '30ms',
  units: { ps: 1, ns: 1e3, us: 1e6, µs: 1e6, ms: 1e9, s: 1e12, min: 6e13 },
  shown: ['s', 'ms', 'us', 'ns', 'ps'],
};
const SIZE: Dimension = {
  noun: 'size',
  example: '512MiB',
  units: {
    B: 1,
    KiB: 2 ** 10,
    MiB: 2 ** 20,
    GiB: 2 ** 30,
    TiB: 2 ** 40,
    kB: 1e3,
    MB: 1e6,
    GB: 1e9,
  },
  shown: ['TiB', 'GiB', 'MiB', 'KiB', 'B'],
};
const FREQUENCY: Dimension = {
  noun: 'frequency',
  example: '2.2GHz',
  units: { Hz: 1, kHz: 1e3, MHz: 1e6, GHz: 1e9 },
  shown: ['GHz', 'MHz', 'kHz', 'Hz'],
};
const RATE: Dimension = {
  noun: 'rate',
  example: '200/s',
  units: { '/s': 1, '/ms': 1e3, '/min': 1 / 60 },
  shown: ['/s'],
};

const PATTERN = /^([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)\s*(\S+)$/i;

function parse(dimension: Dimension, text: string | number): number | string {
  const { noun, example, units } = dimension;
  if (typeof text === 'number') {
    if (text === 0) return 0;
    return `a ${noun} needs a unit: got ${text}, write for example ${example}`;
  }
  const match = PATTERN.exec(text.trim());
  if (!match) {
    return `not a ${noun}: ${JSON.stringify(text)}, write a number and a unit, for example ${example}`;
  }
  const unit = match[2]!;
  const factor = units[unit];
  if (factor === undefined) {
    return `unknown unit ${JSON.stringify(unit)} for a ${noun}: allowed are ${Object.keys(units).join(', ')}`;
  }
  const value = Number(match[1]) * factor;
  if (value < 0) return `a ${noun} cannot be negative: got ${text}`;
  if (!(value <= Number.MAX_SAFE_INTEGER)) return `${noun} out of range: ${text}`;
  return value;
}

/** Keywords of JSON Schema: what an editor marks before the program is asked. */
function forEditors({ noun, example, units }: Dimension) {
  return {
    pattern: `^[+]?([0-9]+\\.?[0-9]*|\\.[0-9]+)([eE][+-]?[0-9]+)?\\s*(${Object.keys(units).join('|')})$`,
    patternErrorMessage: `a ${noun} is a number and a unit, for example ${example}`,
    minimum: 0,
    maximum: 0,
  };
}

/** The dimension of each schema of a quantity, as it is written. */
const dimensions = new WeakMap<object, Dimension>();

/**
 * A value that is no number of base units to people: `2MiB` for 2097152 where `schema` is that of
 * a size as it is written; other values as they are.
 */
export function inItsUnit(schema: object | undefined, value: unknown): string {
  const dimension = schema && dimensions.get(schema);
  if (!dimension || typeof value !== 'number' || value === 0) return String(value);
  const { units, shown } = dimension;
  const isRound = (unit: string) => {
    const count = value / units[unit]!;
    return count >= 1 && Number.isInteger(count * 1000);
  };
  const unit = shown.find(isRound) ?? shown.at(-1)!;
  return `${value / units[unit]!}${unit}`;
}

function quantity(dimension: Dimension, whole: boolean) {
  const written = z
    .union([z.string(), z.number()], {
      error: `expected a ${dimension.noun} such as ${dimension.example}`,
    })
    .meta(forEditors(dimension));
  dimensions.set(written, dimension);
  return written.transform((text, context) => {
    const value = parse(dimension, text);
    if (typeof value === 'string') {
      context.addIssue({ code: 'custom', message: value });
      return z.NEVER;
    }
    return whole ? Math.round(value) : value;
  });
}

/** `30ms` in YAML, whole picoseconds in code. */
export const duration = () => quantity(DURATION, true);
/** `512MiB` in YAML, bytes in code. */
export const size = () => quantity(SIZE, true);
/** `2.2GHz` in YAML, hertz in code. */
export const frequency = () => quantity(FREQUENCY, true);
/** `200/s` in YAML, events per second in code. */
export const rate = () => quantity(RATE, false);

/** Picoseconds -> whole cycles of a clock given in MHz. */
export function toCycles(picoseconds: number, mhz: number): number {
  return Math.round((picoseconds / 1e6) * mhz);
}

/** For people: `1.25 ms`, `30 us`, `800 ns`. */
export function showCycles(cycles: number, mhz: number): string {
  const us = cycles / mhz;
  if (us >= 1e6) return `${(us / 1e6).toFixed(2)} s`;
  if (us >= 1e3) return `${(us / 1e3).toFixed(2)} ms`;
  if (us >= 1) return `${us.toFixed(1)} us`;
  return `${(us * 1e3).toFixed(0)} ns`;
}

/** For people: `512 MiB`. */
export function showBytes(bytes: number): string {
  for (const [unit, factor] of [
    ['GiB', 2 ** 30],
    ['MiB', 2 ** 20],
    ['KiB', 2 ** 10],
  ] as const) {
    if (bytes >= factor) return `${Number((bytes / factor).toFixed(2))} ${unit}`;
  }
  return `${bytes} B`;
}
