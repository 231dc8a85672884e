import { shellWord } from '../base/shell.ts';

/** The `find` that settles what a sweep left open. */
export interface OpenQuestion {
  /** The scenario, as the sweep was given it. */
  readonly file: string;
  /** What the sweep had set; what is about the sweep itself is left out. */
  readonly set: readonly string[];
  readonly axis: string;
  /** Labels of the axis: where to start and to end. */
  readonly from: string;
  readonly to: string;
  readonly objective: string;
  /** Path and values, as YAML, of the other axes. */
  readonly across: readonly (readonly [string, readonly string[]])[];
}

/** More values than this between `from` and `to` are asked for in larger steps. */
const MOST_STEPS = 64;

/** One line for a shell. */
export function findCommand(question: OpenQuestion): string {
  const { file, set, axis, objective, across } = question;
  const { from, to, step } = bounds(question);
  const words = [
    ...['find', file],
    ...set.filter((text) => !/^sweep[.=]/.test(text)).flatMap((text) => ['--set', text]),
    ...['--axis', axis, '--from', from, '--to', to],
    ...(step === 1 ? [] : ['--set', `find.step=${step}`]),
    ...['--objective', objective],
    ...across.flatMap(([path, values]) => ['--across', `${path}=${listed(values)}`]),
  ];
  return `npx worldswitch ${words.map(shellWord).join(' ')}`;
}

/** As `--across` takes them: `none,kvm`, and in brackets what would read otherwise. */
function listed(values: readonly string[]): string {
  const plain = values.every((value) => /^[\w.%/+-]+$/.test(value) && !value.includes('..'));
  return plain ? values.join(',') : `[${values.join(', ')}]`;
}

/**
 * `find` counts from `from` to `to` in one unit; both are taken from labels, which may have two.
 */
function bounds({ from, to }: OpenQuestion): { from: string; to: string; step: number } {
  const [first, last] = [split(from), split(to)];
  if (!first || !last) return { from, to, step: 1 };
  const same = first.unit === last.unit;
  const scale = same ? 1 : (scales[last.unit] ?? 1) / (scales[first.unit] ?? 1);
  const end = Number((last.number * scale).toPrecision(12));
  const span = end - first.number;
  const step = span > MOST_STEPS ? Math.ceil(span / MOST_STEPS) : 1;
  return { from, to: same ? to : `${end}${first.unit}`, step };
}

/** Units of axes, each in terms of the smallest of its kind. */
const scales: Readonly<Record<string, number>> = {
  ...{ ns: 1, us: 1e3, µs: 1e3, ms: 1e6, s: 1e9 },
  ...{ B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 },
  ...{ kHz: 1, MHz: 1e3, GHz: 1e6 },
};

function split(label: string): { readonly number: number; readonly unit: string } | undefined {
  const match = /^\s*(-?[\d.]+)\s*([^\d\s.]*)\s*$/.exec(label);
  return match ? { number: Number(match[1]), unit: match[2]! } : undefined;
}
