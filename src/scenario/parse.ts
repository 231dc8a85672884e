import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  type Scalar,
  type YAMLMap,
} from 'yaml';
import type { Place } from '../base/errors.ts';
import { unseenIn } from '../base/text.ts';
import { type Findings, listed } from './findings.ts';
import type { Located, LocatedEntry, LocatedMap } from './located.ts';

/** YAML text to a located tree. Anchors, aliases and merge keys are resolved on the way. */

/** A scenario is a page or two; anything larger is some other file. */
export const MAX_TEXT = 2 ** 20;
/** Values in one file, aliases expanded: a few bytes of nested aliases can stand for billions. */
const MAX_VALUES = 100_000;

/** Undefined when the text cannot be read as YAML; the reason is in `findings`. */
export function parseYaml(text: string, file: string, findings: Findings): Located | undefined {
  const start: Place = { file, line: 1, column: 1 };
  if (text.length > MAX_TEXT) {
    findings.add(start, 'the file is larger than 1 MiB: not a scenario');
    return undefined;
  }
  const odd = firstOddCharacter(text);
  if (odd >= 0) {
    const before = text.slice(0, odd).split('\n');
    const place = { file, line: before.length, column: before.at(-1)!.length + 1 };
    findings.add(place, 'not a text file: it holds bytes that are not UTF-8 text');
    return undefined;
  }
  findings.addSource(file, text);
  const located = readYaml(text, file, findings);
  if (located?.form === 'scalar' && located.value === null) {
    findings.add(start, 'the file is empty', '`worldswitch init` writes a scenario to start from');
    return undefined;
  }
  return located;
}

/** The same without the checks on the text as a whole, and without keeping it for excerpts. */
export function readYaml(text: string, file: string, findings: Findings): Located | undefined {
  try {
    return new Reader(text, file, findings).read();
  } catch (error) {
    if (error instanceof Stop) return undefined;
    if (!(error instanceof RangeError)) throw error;
    findings.add({ file, line: 1, column: 1 }, 'the values are nested too deeply');
    return undefined;
  }
}

/** Control characters, and the mark that decoders leave for bytes that are not UTF-8. */
function firstOddCharacter(text: string): number {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if ((code < 32 && code !== 9 && code !== 10 && code !== 13) || code === 0xfffd) return i;
  }
  return -1;
}

/** Unwinds the reader once a problem makes the rest of the file meaningless. */
class Stop extends Error {}

const plainErrors: Readonly<Record<string, string>> = {
  TAB_AS_INDENT: 'a tab is used for indentation: YAML wants spaces',
  MULTIPLE_DOCS: 'a second YAML document starts here: a scenario is one document',
};

class Reader {
  readonly #file: string;
  readonly #findings: Findings;
  readonly #lines = new LineCounter();
  readonly #document: Document;
  /** Null while the anchored value itself is being read. */
  readonly #anchors = new Map<string, Located | null>();
  readonly #sizes = new Map<Located, number>();

  constructor(text: string, file: string, findings: Findings) {
    this.#file = file;
    this.#findings = findings;
    // Keys are compared here instead (`#map`): the parser's own check takes quadratic time.
    const options = { lineCounter: this.#lines, prettyErrors: false, uniqueKeys: false } as const;
    this.#document = parseDocument(text, options);
  }

  read(): Located {
    const [problem] = [...this.#document.errors, ...this.#document.warnings];
    if (problem) {
      this.#stop(problem.pos[0], plainErrors[problem.code] ?? problem.message);
    }
    return this.#node(this.#document.contents as Node | null);
  }

  #stop(offset: number, message: string, suggestion?: string): never {
    this.#findings.add(this.#place(offset), message, suggestion);
    throw new Stop();
  }

  #place(offset: number): Place {
    const { line, col } = this.#lines.linePos(offset);
    return { file: this.#file, line: Math.max(1, line), column: Math.max(1, col) };
  }

  #node(node: Node | null | undefined, fallback = 0): Located {
    const offset = node?.range?.[0] ?? fallback;
    if (isAlias(node)) return this.#alias(node.source, offset);
    const anchor = node && 'anchor' in node ? (node.anchor as string | undefined) : undefined;
    if (anchor) this.#anchors.set(anchor, null);
    const located = this.#plain(node, offset);
    if (anchor) this.#anchors.set(anchor, located);
    return located;
  }

  #plain(node: Node | null | undefined, offset: number): Located {
    const place = this.#place(offset);
    if (isMap(node)) return this.#map(node as YAMLMap<Node, Node | null>, place, offset);
    if (isSeq(node)) {
      const items = node.items.map((item) => this.#node(item as Node, offset));
      return this.#sized({ form: 'list', place, items }, items, offset);
    }
    const value = (node as Scalar | null | undefined)?.value ?? null;
    // Written as escapes: `"\e[31m"`. A text of several lines may say so itself.
    if (typeof value === 'string') this.#checkSeen(value.replaceAll(/[\t\n]/g, ''), place);
    if (typeof value === 'string' || typeof value === 'boolean' || value === null) {
      return this.#sized({ form: 'scalar', place, value }, [], offset);
    }
    if (typeof value === 'number') return this.#sized({ form: 'scalar', place, value }, [], offset);
    return this.#stop(offset, 'this kind of value is not used in scenarios');
  }

  #map(node: YAMLMap<Node, Node | null>, place: Place, offset: number): LocatedMap {
    const entries = new Map<string, LocatedEntry>();
    const inherited: LocatedMap[] = [];
    for (const pair of node.items) {
      const at = pair.key?.range?.[0] ?? offset;
      const name = isScalar(pair.key) ? pair.key.value : undefined;
      if (typeof name !== 'string' && typeof name !== 'number') {
        this.#stop(at, 'a key must be a plain word');
      }
      const key = String(name);
      this.#checkSeen(key, this.#place(at));
      const value = this.#node(pair.value, at);
      if (key === '<<') {
        for (const source of value.form === 'list' ? value.items : [value]) {
          if (source.form !== 'map') this.#stop(at, '`<<` takes a map, or a list of maps');
          inherited.push(source);
        }
      } else if (entries.has(key)) {
        const first = entries.get(key)!.key.line;
        this.#findings.add(this.#place(at), `key "${key}" appears twice (first in line ${first})`);
      } else {
        entries.set(key, { key: this.#place(at), value });
      }
    }
    for (const source of inherited) {
      for (const [key, entry] of source.entries) if (!entries.has(key)) entries.set(key, entry);
    }
    const children = [...entries.values()].map((entry) => entry.value);
    return this.#sized({ form: 'map', place, entries }, children, offset);
  }

  #checkSeen(text: string, place: Place): void {
    const unseen = unseenIn(text);
    if (unseen === undefined) return;
    const message = `the text holds a control character (${unseen})`;
    this.#findings.add(place, message, 'write what can be seen only');
  }

  #alias(name: string, offset: number): Located {
    const target = this.#anchors.get(name);
    if (target === null) this.#stop(offset, `*${name} is used inside the value it stands for`);
    if (target === undefined) {
      const known = [...this.#anchors.keys()].map((anchor) => `&${anchor}`);
      const hint = known.length > 0 ? `anchors before this line: ${listed(known)}` : undefined;
      return this.#stop(offset, `there is no anchor &${name} before *${name}`, hint);
    }
    return target;
  }

  #sized<T extends Located>(located: T, children: readonly Located[], offset: number): T {
    let size = 1;
    for (const child of children) size += this.#sizes.get(child)!;
    if (size > MAX_VALUES) {
      this.#stop(offset, `aliases expand to more than ${MAX_VALUES} values`);
    }
    this.#sizes.set(located, size);
    return located;
  }
}
