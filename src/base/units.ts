import * as z from 'zod';

/**
 * One kind of quantity as it is written in YAML: a number and one of these units, or a bare `0`.
 */
export interface Dimension {
  readonly noun: string;
  readonly example: string;
  /** Unit -> how many base units it is. */
  readonly units: Readonly<Record<string, number>>;
  /** Units in which values are shown, the largest first. */
  readonly shown: readonly string[];
  /**
   * What else people call a unit, in lower case and without a final `s` -> what they may mean,
   * likeliest first.
   */
  readonly slips: Readonly<Record<string, readonly string[]>>;
}

const DURATION: Dimension = {
  noun: 'duration',
  example: '30ms',
  units: { ps: 1, ns: 1e3, us: 1e6, µs: 1e6, ms: 1e9, s: 1e12, min: 6e13 },
  shown: ['s', 'ms', 'us', 'ns', 'ps'],
  slips: {
    sec: ['s'],
    second: ['s'],
    msec: ['ms'],
    millisecond: ['ms'],
    milli: ['ms'],
    usec: ['us'],
    μ: ['us'],
    microsecond: ['us'],
    micro: ['us'],
    nsec: ['ns'],
    nanosecond: ['ns'],
    psec: ['ps'],
    picosecond: ['ps'],
    m: ['min', 'ms'],
    minute: ['min'],
    mn: ['min'],
  },
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
  shown: ['GiB', 'MiB', 'KiB', 'B'],
  slips: {
    k: ['KiB', 'kB'],
    ki: ['KiB'],
    m: ['MiB', 'MB'],
    mi: ['MiB'],
    g: ['GiB', 'GB'],
    gi: ['GiB'],
    t: ['TiB'],
    ti: ['TiB'],
    tb: ['TiB'],
    byte: ['B'],
    kilobyte: ['kB', 'KiB'],
    megabyte: ['MB', 'MiB'],
    gigabyte: ['GB', 'GiB'],
    kibibyte: ['KiB'],
    mebibyte: ['MiB'],
    gibibyte: ['GiB'],
  },
};
const FREQUENCY: Dimension = {
  noun: 'frequency',
  example: '2.2GHz',
  units: { Hz: 1, kHz: 1e3, MHz: 1e6, GHz: 1e9 },
  shown: ['GHz', 'MHz', 'kHz', 'Hz'],
  slips: { k: ['kHz'], m: ['MHz'], g: ['GHz'], hertz: ['Hz'] },
};
const RATE: Dimension = {
  noun: 'rate',
  example: '200/s',
  units: { '/s': 1, '/ms': 1e3, '/min': 1 / 60 },
  shown: ['/s'],
  slips: {
    hz: ['/s'],
    '/sec': ['/s'],
    '/second': ['/s'],
    '/m': ['/min', '/ms'],
    '/minute': ['/min'],
    '/msec': ['/ms'],
    'per second': ['/s'],
    'per minute': ['/min'],
    p: ['/s'],
    rp: ['/s'],
  },
};

const BANDWIDTH: Dimension = {
  noun: 'bandwidth',
  example: '1Gb/s',
  units: {
    'b/s': 1,
    'kb/s': 1e3,
    'Mb/s': 1e6,
    'Gb/s': 1e9,
    'B/s': 8,
    'kB/s': 8e3,
    'MB/s': 8e6,
    'GB/s': 8e9,
    'MiB/s': 8 * 2 ** 20,
  },
  shown: ['Gb/s', 'Mb/s', 'kb/s', 'b/s'],
  slips: {
    bps: ['b/s'],
    kbps: ['kb/s'],
    mbps: ['Mb/s', 'MB/s'],
    gbps: ['Gb/s', 'GB/s'],
    'kbit/s': ['kb/s'],
    'mbit/s': ['Mb/s'],
    'gbit/s': ['Gb/s'],
    kbit: ['kb/s'],
    mbit: ['Mb/s'],
    gbit: ['Gb/s'],
    kb: ['kb/s', 'kB/s'],
    mb: ['Mb/s', 'MB/s'],
    gb: ['Gb/s', 'GB/s'],
    k: ['kb/s'],
    m: ['Mb/s'],
    g: ['Gb/s'],
    'mib/s': ['MiB/s'],
  },
};

const PATTERN = /^([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)\s*(\D.*)$/i;
/** Longer texts are not parsed: the pattern tries every way to divide their digits. */
const MAX_TEXT = 60;

/** Why a text is not a quantity, and what was probably meant. */
interface Slip {
  readonly message: string;
  readonly suggestion?: string | undefined;
}

function parse(dimension: Dimension, text: string | number): number | Slip {
  const { noun, example, units } = dimension;
  if (typeof text === 'number') {
    if (text === 0) return 0;
    return { message: `a ${noun} needs a unit: got ${text}, write for example ${example}` };
  }
  const match = text.length > MAX_TEXT ? null : PATTERN.exec(text.trim());
  if (!match) {
    const got = JSON.stringify(text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text);
    return {
      message: `not a ${noun}: ${got}, write a number and a unit, for example ${example}`,
    };
  }
  const [, number, unit] = match as unknown as [string, string, string];
  if (!Object.hasOwn(units, unit)) {
    const allowed = Object.keys(units).join(', ');
    return {
      message: `unknown unit ${JSON.stringify(unit)} for a ${noun}: allowed are ${allowed}`,
      suggestion: meant(dimension, number, unit),
    };
  }
  const value = Number(number) * units[unit]!;
  if (value < 0) return { message: `a ${noun} cannot be negative: got ${text}` };
  if (!(value <= Number.MAX_SAFE_INTEGER)) return { message: `${noun} out of range: ${text}` };
  return value;
}

/** `2G` -> `did you mean 2GiB (or 2GB)?` */
function meant({ units, slips }: Dimension, number: string, unit: string): string | undefined {
  const lower = unit.toLowerCase().replaceAll(/\s+/g, ' ');
  const bare = lower.length > 1 ? lower.replace(/s$/, '') : lower;
  // `gib`, `MS`: the units of a dimension differ by more than case.
  const sameLetters = Object.keys(units).filter((known) => known.toLowerCase() === lower);
  const slip = [bare, lower].find((word) => Object.hasOwn(slips, word));
  const [first, second] = sameLetters.length > 0 || slip === undefined ? sameLetters : slips[slip]!;
  if (first === undefined) return undefined;
  const or = second === undefined ? '' : ` (or ${number}${second})`;
  return `did you mean ${number}${first}${or}?`;
}

/** A value in base units as people write it: 2097152 -> `2MiB`. */
export function showQuantity({ units, shown }: Dimension, value: number): string {
  const whole = shown.find(
    (unit) => value >= units[unit]! && Number.isInteger(value / units[unit]!),
  );
  const unit = whole ?? shown.at(-1)!;
  return `${value / units[unit]!}${unit}`;
}

/** Bytes as people write them: `2MiB`. */
export const showSize = (bytes: number): string => showQuantity(SIZE, bytes);

/** Schemas of quantities -> what they measure, for messages about limits and choices. */
const dimensionsOf = new WeakMap<object, Dimension>();

/** Undefined when the schema is not that of a quantity. */
export const dimensionOf = (schema: object): Dimension | undefined => dimensionsOf.get(schema);

/**
 * A regular expression, for programs that check texts without parsing them, that fits what is a
 * quantity, or one of the values `only` (in base units) written in any of the units.
 */
export function quantityPattern({ units }: Dimension, only?: readonly number[]): string {
  if (!only) {
    const number = '\\+?(\\d+\\.?\\d*|\\.\\d+)([eE][+-]?\\d+)?|-0+(\\.0*)?';
    return `^\\s*(${number})\\s*(${Object.keys(units).join('|')})\\s*$`;
  }
  const spellings = only.flatMap((value) =>
    Object.entries(units).map(([unit, factor]) => {
      const [whole, fraction] = String(value / factor).split('.') as [string, string?];
      const rest = fraction === undefined ? '(\\.0*)?' : `\\.${fraction}0*`;
      return /e/.test(`${value / factor}`) ? [] : [`0*${whole}${rest}\\s*${unit}`];
    }),
  );
  return `^\\s*\\+?(${spellings.flat().join('|')})\\s*$`;
}

function quantity(dimension: Dimension, whole: boolean) {
  const written = z.union([z.string(), z.number()]);
  dimensionsOf.set(written, dimension);
  return written.transform((text, context) => {
    const value = parse(dimension, text);
    if (typeof value !== 'number') {
      const { message, suggestion } = value;
      context.addIssue({ code: 'custom', message, params: { suggestion } });
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

/** `1Gb/s` in YAML, bits per second in code. */
export const bandwidth = () => quantity(BANDWIDTH, false);

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
