import type { z } from 'zod';
import { type Dimension, dimensionOf, showQuantity } from '../base/units.ts';
import { didYouMean, type Findings, listed } from './findings.ts';
import { follow, type Located, type Path, textOf } from './located.ts';
import {
  allowedKeys,
  definition,
  kindsOf,
  membersOf,
  type Schema,
  schemaAt,
  wordsOf,
} from './schema-walk.ts';

/** Turns what the schema objects to into sentences, each at the line that caused it. */

type Issue = z.core.$ZodIssue;

export interface IssueContext {
  readonly root: Located;
  readonly value: unknown;
  readonly schema: Schema;
  readonly findings: Findings;
  /** Words allowed besides the registered ones where a `kind` is chosen: workload presets. */
  readonly extraKinds: (path: Path) => readonly string[];
  /** What to give where a key is missing, by path: see `LoadOptions`. */
  readonly instead: Readonly<Record<string, string>>;
  /** Paths of all keys that are missing. */
  readonly missing: readonly Path[];
  /** The keys that make sense at a path, where the schema allows more. */
  readonly ownKeys: (path: Path) => readonly string[] | undefined;
}

export function reportIssue(issue: Issue, context: IssueContext): void {
  const { root, findings } = context;
  if (findings.full) return;
  const path = issue.path as Path;
  const { node, key, depth } = follow(root, path);
  if (issue.code === 'unrecognized_keys') {
    reportUnknownKeys(issue, path, context);
    return;
  }
  if (depth < path.length) {
    const where = showPath(root, path.slice(0, depth));
    const instead = context.instead[path.join('.')];
    if (instead !== undefined && key.file.startsWith('--')) {
      const place = { file: where, line: 0, column: 0 };
      findings.add(place, `"${String(path[depth])}" is missing`, `give ${instead}`);
      return;
    }
    const values = allowedWords(issue, path, context);
    const others = context.missing.filter(
      (other) => other !== path && String(other.slice(0, -1)) === String(path.slice(0, -1)),
    );
    const hints = [
      ...(values.length > 0 ? [`allowed: ${listed(values)}`] : []),
      ...(others.length > 0 ? [`missing as well: ${listed(others.map(lastOf))}`] : []),
    ];
    findings.add(
      depth === 0 ? root.place : key,
      `missing key "${String(path[depth])}" in ${where}`,
      hints.length > 0 ? hints.join('; ') : undefined,
    );
    return;
  }
  const got = show(node);
  const words = allowedWords(issue, path, context);
  if (words.length > 0) {
    const text = String(node.form === 'scalar' ? node.value : '');
    // Sizes that look alike are no slips of the pen.
    const guess = quantityAt(path, context)
      ? undefined
      : (meantWord(text, words) ?? didYouMean(text, words));
    findings.add(
      node.place,
      `${got} is not allowed for "${String(path.at(-1))}"`,
      `${guess ? `${guess} ` : ''}allowed: ${listed(words)}`,
    );
    return;
  }
  const { message, suggestion = meantMap(issue, path, node, context) } = sentence(issue, {
    name: `"${showPath(root, path)}"`,
    got,
    node,
    quantity: quantityAt(path, context),
  });
  findings.add(node.place, message, suggestion);
}

const lastOf = (path: Path) => String(path.at(-1));

/** `os: linux-3.2`, `pattern: zipf`: a word where a map is wanted may belong to a key near it. */
function meantMap(
  issue: Issue,
  path: Path,
  node: Located,
  { schema, value, extraKinds }: IssueContext,
): string | undefined {
  const isMap = issue.code === 'invalid_type' && ['object', 'record'].includes(issue.expected);
  if (!isMap || node.form !== 'scalar' || typeof node.value !== 'string') return undefined;
  const word = node.value;
  const takes = (at: Path) => {
    const found = schemaAt(schema, value, at);
    return found !== undefined && wordsOf(found).includes(word);
  };
  const found = schemaAt(schema, value, path);
  if (found && [...kindsOf(found), ...extraKinds([...path, 'kind'])].includes(word)) {
    return `did you mean { kind: ${word} }?`;
  }
  const inside = found && Object.keys(definition(found).shape ?? {});
  const own = inside?.find((key) => takes([...path, key]));
  if (own !== undefined) return `did you mean { ${own}: ${word} }?`;
  const around = path.slice(0, -1);
  const other = allowedKeys(schema, value, around).find((key) => takes([...around, key]));
  return other === undefined ? undefined : `did you mean ${other}: ${word}?`;
}

/** A quantity, and the words that may be written instead. */
interface Quantity {
  readonly dimension: Dimension;
  readonly words: readonly string[];
}

function quantityAt(path: Path, { schema, value }: IssueContext): Quantity | undefined {
  const found = schemaAt(schema, value, path);
  // A quantity is a union itself, of texts and numbers.
  const own = found && dimensionOf(found);
  if (own) return { dimension: own, words: [] };
  const members = found ? membersOf(found) : [];
  const dimension = members.map(dimensionOf).find((dimension) => dimension !== undefined);
  return dimension && { dimension, words: members.flatMap(wordsOf).map(String) };
}

function reportUnknownKeys(
  issue: Extract<Issue, { code: 'unrecognized_keys' }>,
  path: Path,
  { root, value, schema, findings, ownKeys }: IssueContext,
): void {
  const { node } = follow(root, path);
  const allowed = ownKeys(path) ?? allowedKeys(schema, value, path);
  const present = node.form === 'map' ? node.entries : new Map();
  for (const name of issue.keys) {
    if (findings.full) return;
    const place = present.get(name)?.key ?? node.place;
    // A key that a preset has, or that an option replaces, may be meant.
    const free = allowed.filter((known) => present.get(known)?.key.file !== place.file);
    const guess = didYouMean(name, free.length > 0 ? free : allowed);
    findings.add(
      place,
      `unknown key "${name}" in ${showPath(root, path)}`,
      guess ??
        (allowed.length > 0
          ? `allowed: ${listed(allowed)}`
          : 'the chosen scheduler knows no parameters of a VM'),
    );
  }
}

/** The words one may write here; empty when it is not a choice between words. */
function allowedWords(issue: Issue, path: Path, context: IssueContext): string[] {
  if (issue.code === 'invalid_value') {
    const quantity = quantityAt(path, context);
    return issue.values.map((value) =>
      quantity && typeof value === 'number'
        ? showQuantity(quantity.dimension, value)
        : String(value),
    );
  }
  if (issue.code !== 'invalid_union') return [];
  const { options } = issue as { options?: readonly unknown[] };
  return options ? [...new Set([...context.extraKinds(path), ...options.map(String)])] : [];
}

/** What the words of a scenario are called elsewhere. */
export const otherNames: Readonly<Record<string, readonly string[]>> = {
  nested: ['rvi', 'npt', 'ept', 'hap', 'tdp', 'slat', '2d', 'tlb-ept', 'two-dimensional'],
  shadow: ['spt', 'software', 'soft', 'sw'],
  native: ['bare-metal', 'baremetal', 'bare', 'direct', 'none'],
  'round-robin': ['rr'],
  paravirtual: ['pv', 'virtio', 'virtio-net', 'virtio-blk', 'vmxnet', 'netfront', 'blkfront'],
  emulated: ['e1000', 'rtl8139', 'ide'],
  vhost: ['vhost-net'],
  passthrough: ['vfio', 'pci-passthrough', 'vmdirectpath', 'sr-iov'],
  on: ['true', 'yes'],
  off: ['false', 'no'],
};

function meantWord(text: string, words: readonly string[]): string | undefined {
  const lower = text.toLowerCase().replaceAll('_', '-');
  const found = words.find((word) => otherNames[word]?.includes(lower));
  return found && `did you mean "${found}"?`;
}

const nouns: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  object: 'a map of keys and values',
  array: 'a list',
  record: 'a map of keys and values',
  null: 'nothing',
};

interface Subject {
  /** In quotes. */
  readonly name: string;
  readonly got: string;
  readonly node: Located;
  readonly quantity: Quantity | undefined;
}

interface Said {
  readonly message: string;
  readonly suggestion?: string | undefined;
}

function sentence(issue: Issue, subject: Subject): Said {
  const { name, got, node, quantity } = subject;
  switch (issue.code) {
    case 'custom': {
      const { suggestion } = (issue.params ?? {}) as { suggestion?: string };
      return { message: issue.message, suggestion };
    }
    case 'invalid_type':
      return {
        message: `${name} must be ${nouns[issue.expected] ?? 'something else'}, got ${got}`,
        suggestion: rewritten(issue.expected, node),
      };
    case 'too_small':
    case 'too_big':
      return { message: beyond(issue, subject) };
    case 'invalid_key': {
      const [first] = issue.issues;
      return { message: first ? first.message : `${name} is no name` };
    }
    case 'invalid_union': {
      const inner = issue.errors.flat();
      const custom = inner.find((error) => error.code === 'custom');
      if (custom) return sentence(custom, subject);
      if (quantity) return { message: noQuantity(quantity, got) };
      if (!isRaw(issue.message)) return { message: `${name}: ${issue.message}, got ${got}` };
      const kinds = inner.flatMap((error) => ('expected' in error ? [error.expected] : []));
      if (kinds.length < inner.length) return sentence(inner[0]!, subject);
      const wanted = [...new Set(kinds.map((kind) => nouns[kind] ?? 'something else'))];
      return { message: `${name} must be ${wanted.join(' or ')}, got ${got}` };
    }
    default:
      return {
        message: isRaw(issue.message) ? `${name} cannot be ${got}` : issue.message,
      };
  }
}

/** Words of the library itself: nobody has written a message of ours. */
const isRaw = (message: string) => /^(Invalid|Too |Unrecognized|Expected)/.test(message);

function noQuantity({ dimension, words }: Quantity, got: string): string {
  const { noun, example } = dimension;
  const or = words.length > 0 ? `, or ${words.join(', or ')}` : '';
  return `not a ${noun}: got ${got}, write for example ${example}${or}`;
}

function beyond(
  issue: Extract<Issue, { code: 'too_small' | 'too_big' }>,
  { name, got, quantity }: Subject,
): string {
  // A message of its own says more.
  if (!isRaw(issue.message)) return `${name}: ${issue.message}, got ${got}`;
  const limit = Number(issue.code === 'too_small' ? issue.minimum : issue.maximum);
  const shown = quantity ? showQuantity(quantity.dimension, limit) : String(limit);
  const than = issue.inclusive === false ? 'more than' : 'at least';
  const bound = issue.code === 'too_small' ? than : than === 'at least' ? 'at most' : 'less than';
  const unit = { array: ' item', string: ' character' }[issue.origin as string];
  const noun = unit ? `${unit}${limit === 1 ? '' : 's'}` : '';
  const verb = noun ? 'must have' : 'must be';
  return `${name} ${verb} ${bound} ${shown}${noun}${noun ? '' : `, got ${got}`}`;
}

/** Longest list made of a range such as `0-3`. */
const MAX_RANGE = 64;

/** The value as it has to be written, where what is there can only mean that. */
function rewritten(expected: string, node: Located): string | undefined {
  if (node.form !== 'scalar') return undefined;
  const text = String(node.value).trim();
  if (expected === 'boolean') {
    const lower = text.toLowerCase();
    if (['yes', 'on', '1'].includes(lower)) return 'did you mean true?';
    return ['no', 'off', '0'].includes(lower) ? 'did you mean false?' : undefined;
  }
  if (expected !== 'array' || !/^\d{1,4}(\s?[-,]\s?\d{1,4}){0,63}$/.test(text)) return undefined;
  const items = text.split(',').flatMap((part) => {
    const [first, last = first] = part.split('-').map(Number) as [number, number?];
    const count = Math.min(Math.max(0, last - first + 1), MAX_RANGE + 1);
    return Array.from({ length: count }, (_, i) => first + i);
  });
  return items.length > 0 && items.length <= MAX_RANGE
    ? `did you mean [${items.join(', ')}]?`
    : undefined;
}

function show(node: Located): string {
  if (node.form === 'map') return 'a map';
  if (node.form === 'list') return 'a list';
  if (node.value === null) return 'nothing';
  const text = typeof node.value === 'string' ? JSON.stringify(node.value) : String(node.value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

/** `vms.web.workload`: VMs by name, as `--set` takes it. */
export function showPath(root: Located, path: Path): string {
  if (path.length === 0) return 'the scenario';
  return path
    .map((step, depth) => {
      if (typeof step !== 'number') return step;
      return textOf(follow(root, path.slice(0, depth + 1)).node, 'name') ?? String(step);
    })
    .join('.');
}
