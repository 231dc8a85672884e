import {
  isCollection,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  type Scalar,
} from 'yaml';

/**
 * The numbers of a preset and what its comments say about them. A comment has the form
 * `status: source` or `status (range): source`, with one of the four words as its status.
 */
export interface PresetNumber {
  readonly line: number;
  /** Dotted path of the key. */
  readonly key: string;
  /** As written. */
  readonly value: string;
  readonly status: 'published' | 'measured' | 'derived' | 'assumed' | undefined;
  readonly range: string;
  readonly source: string;
}

const COMMENT = /^ (published|measured|derived|assumed)(?: \(([^)]*)\))?: (\S.*)$/;
const QUANTITY = /^\d[\d.]*\s*[A-Za-z]+$/;

interface Line {
  readonly path: readonly string[];
  readonly node: Node & { readonly range: NonNullable<Node['range']> };
  /** The first line of its comment. */
  readonly comment: string;
  readonly line: number;
}

/** Every key of a preset whose value is not a map in lines of its own. */
function linesOf(text: string): Line[] {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const found: Line[] = [];
  const collect = (node: Node | null, path: readonly string[]) => {
    if (isMap(node) && !node.flow) {
      for (const { key, value } of node.items) {
        collect(value as Node | null, [...path, String((key as Scalar).value)]);
      }
    } else if (isSeq(node) && !node.flow) {
      for (const [i, item] of node.items.entries()) collect(item as Node, [...path, String(i)]);
    } else if (node?.range) {
      const { line } = lines.linePos(node.range[0]);
      const comment = node.comment?.split('\n')[0] ?? '';
      found.push({ path, node: node as Line['node'], comment, line });
    }
  };
  collect(document.contents, []);
  return found;
}

/**
 * Every line that holds a number, or that a comment gives a status to; status is undefined when
 * there is none. Lists of maps are left out.
 */
export function presetNumbers(text: string): PresetNumber[] {
  return linesOf(text).flatMap(({ path, node, comment, line }) => {
    const match = COMMENT.exec(comment);
    if (!match && !hasNumber(node)) return [];
    return {
      line,
      key: path.join('.'),
      value: text.slice(node.range[0], node.range[1]),
      status: match?.[1] as PresetNumber['status'],
      range: match?.[2] ?? '',
      source: match?.[3] ?? '',
    };
  });
}

/** The keys whose comment says that they are assumed, with the range it gives: empty for none. */
export function assumedKeys(text: string): ReadonlyMap<string, string> {
  const assumed = linesOf(text).flatMap(({ path, comment }) => {
    const match = /\bassumed\b(?: \(([^)]*)\))?/.exec(comment);
    return match ? [[path.join('.'), match[1] ?? ''] as const] : [];
  });
  return new Map(assumed);
}

function hasNumber(node: Node): boolean {
  if (isScalar(node)) {
    return typeof node.value === 'number' || QUANTITY.test(String(node.value));
  }
  if (!isCollection(node)) return false;
  const parts = isMap(node) ? node.items.map((pair) => pair.value) : node.items;
  return parts.some((part) => hasNumber(part as Node));
}

/** Tables of all numbers of `presets` (name -> YAML text), in Markdown. */
export function numberTables(presets: Readonly<Record<string, string>>): string {
  const tables = Object.entries(presets).map(([name, text]) => {
    const rows = presetNumbers(text).map(
      ({ key, value, status, range, source }) =>
        `| ${key} | ${value} | ${status} | ${range} | ${source} |`,
    );
    return [
      `### ${name}`,
      '',
      '| key | value | status | range | source |',
      '|---|---|---|---|---|',
      ...rows,
      '',
    ].join('\n');
  });
  return tables.join('\n');
}
