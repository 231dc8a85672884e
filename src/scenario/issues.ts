import type { z } from 'zod';
import { inItsUnit } from '../base/units.ts';
import { didYouMean, type Findings, listed } from './findings.ts';
import { follow, type Located, type Path, textOf } from './located.ts';
import { allowedKeys, type Schema, schemaAt } from './schema-walk.ts';

/** Turns what the schema objects to into sentences, each at the line that caused it. */

type Issue = z.core.$ZodIssue;

export interface IssueContext {
  readonly root: Located;
  readonly value: unknown;
  readonly schema: Schema;
  readonly findings: Findings;
  /** Words allowed besides the registered ones where a `kind` is chosen: workload presets. */
  readonly extraKinds: (path: Path) => readonly string[];
}

export function reportIssue(issue: Issue, context: IssueContext): void {
  const { root, findings } = context;
  const path = issue.path as Path;
  const { node, key, depth } = follow(root, path);
  if (issue.code === 'unrecognized_keys') {
    reportUnknownKeys(issue, path, context);
    return;
  }
  if (depth < path.length) {
    const where = showPath(root, path.slice(0, depth));
    const values = allowedWords(issue, path, context);
    findings.add(
      depth === 0 ? root.place : key,
      `missing key "${String(path[depth])}" in ${where}`,
      values.length > 0 ? `allowed: ${listed(values)}` : undefined,
    );
    return;
  }
  const got = show(node);
  const words = allowedWords(issue, path, context);
  if (words.length > 0) {
    const guess = didYouMean(String(node.form === 'scalar' ? node.value : ''), words.map(String));
    findings.add(
      node.place,
      `${got} is not allowed for "${String(path.at(-1))}"`,
      `${guess ? `${guess} ` : ''}allowed: ${listed(words)}`,
    );
    return;
  }
  const { schema, value } = context;
  const inUnit = (limit: unknown) => inItsUnit(schemaAt(schema, value, path), limit);
  findings.add(node.place, sentence(issue, `"${showPath(root, path)}"`, got, inUnit));
}

function reportUnknownKeys(
  issue: Extract<Issue, { code: 'unrecognized_keys' }>,
  path: Path,
  { root, value, schema, findings }: IssueContext,
): void {
  const { node } = follow(root, path);
  const allowed = allowedKeys(schema, value, path);
  const present = node.form === 'map' ? node.entries : new Map();
  const free = allowed.filter((name) => !present.has(name));
  for (const name of issue.keys) {
    const place = present.get(name)?.key ?? node.place;
    const guess = didYouMean(name, free.length > 0 ? free : allowed);
    findings.add(
      place,
      `unknown key "${name}" in ${showPath(root, path)}`,
      guess ?? `allowed: ${listed(allowed)}`,
    );
  }
}

/** The words one may write here; empty when it is not a choice between words. */
function allowedWords(issue: Issue, path: Path, context: IssueContext): (string | number)[] {
  const { extraKinds, schema, value } = context;
  if (issue.code === 'invalid_value') {
    const at = schemaAt(schema, value, path);
    return issue.values.map((allowed) => inItsUnit(at, allowed));
  }
  if (issue.code !== 'invalid_union') return [];
  const { options } = issue as { options?: readonly unknown[] };
  return options ? [...new Set([...extraKinds(path), ...options.map(String)])] : [];
}

const nouns: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  object: 'a map of keys and values',
  array: 'a list',
};

function sentence(
  issue: Issue,
  name: string,
  got: string,
  inUnit: (limit: unknown) => string,
): string {
  switch (issue.code) {
    case 'invalid_type':
      return `${name} must be ${nouns[issue.expected] ?? issue.expected}, got ${got}`;
    case 'too_small':
    case 'too_big': {
      const limit = issue.code === 'too_small' ? issue.minimum : issue.maximum;
      const bound = issue.code === 'too_small' ? 'at least' : 'at most';
      const noun = { array: ' items', string: ' characters' }[issue.origin as string] ?? '';
      const verb = noun ? 'must have' : 'must be';
      return `${name} ${verb} ${bound} ${inUnit(limit)}${noun}${noun ? '' : `, got ${got}`}`;
    }
    case 'invalid_union': {
      const inner = issue.errors.flat();
      const custom = inner.find((error) => error.code === 'custom');
      if (custom) return custom.message;
      if (issue.message !== 'Invalid input') return `${name}: ${issue.message}, got ${got}`;
      const kinds = inner.flatMap((error) => ('expected' in error ? [error.expected] : []));
      if (kinds.length < inner.length) return sentence(inner[0]!, name, got, inUnit);
      return `${name} must be ${kinds.map((kind) => nouns[kind] ?? kind).join(' or ')}, got ${got}`;
    }
    default:
      return issue.message;
  }
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
