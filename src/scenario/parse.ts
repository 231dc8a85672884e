import {
  Composer,
  type CST,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  Parser,
  type Scalar,
  type YAMLError,
  type YAMLMap,
  YAMLParseError,
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
/** Maps and lists inside each other, aliases expanded. A scenario has about ten. */
const MAX_DEPTH = 64;
/** Characters of one value, and of one key. */
const MAX_WORDS = 10_000;
const MAX_KEY = 200;

/** A version of YAML, above the document. */
const DIRECTIVE = /^((?:[ \t]*(?:#.*)?\r?\n)*)%YAML[ \t]+(\S+)/;
const IN_1_2 = 'leave the line out: `yes` and `on` are words then, and 010 is ten';

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
  const directive = DIRECTIVE.exec(text);
  if (directive && directive[2] !== '1.2') {
    const line = directive[1]!.split('\n').length;
    findings.add({ file, line, column: 1 }, `YAML ${directive[2]} is not read, only 1.2`, IN_1_2);
    return undefined;
  }
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
    findings.add({ file, line: 1, column: 1 }, TOO_DEEP);
    return undefined;
  }
}

const TOO_DEEP = 'the values are nested too deeply';

/** Control characters, and the mark that decoders leave for bytes that are not UTF-8. */
function firstOddCharacter(text: string): number {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if ((code < 32 && code !== 9 && code !== 10 && code !== 13) || code === 0xfffd) return i;
  }
  return -1;
}

/** The slips that are most frequent, for who reads YAML without `explainYaml`. */
const plainErrors: Readonly<Record<string, string>> = {
  TAB_AS_INDENT: 'a tab is used for indentation: YAML wants spaces',
  MULTIPLE_DOCS: 'a second YAML document starts here: a scenario is one document',
};

/** Unwinds the reader once a problem makes the rest of the file meaningless. */
class Stop extends Error {}

/**
 * The contents of the first document, and its first problem. Composing ends there: a text that is
 * no YAML at all has a problem every few characters, and each takes as long as a thousand good
 * ones.
 */
function compose(
  tokens: Iterable<CST.Token>,
  length: number,
): readonly [Node | null, YAMLError | undefined] {
  // Keys are compared by the reader instead (`#map`): the parser's own check takes quadratic time.
  const composer = new Composer({
    // Version 1.2, whatever a directive says, and none of the kinds of values of 1.1.
    ...{ schema: 'core', resolveKnownTags: false },
    ...{ prettyErrors: false, uniqueKeys: false },
  });
  const note = composer['onError'] as (...problem: unknown[]) => void;
  let first: FirstError | undefined;
  composer['onError'] = (...problem: unknown[]): void => {
    // Composing catches what is thrown inside a value, and complains once more about the value.
    if (!first) note(...problem);
    const isWarning = problem[3] === true;
    if (isWarning) return;
    first ??= new FirstError(composer['errors'].at(-1));
    throw first;
  };
  try {
    const [document, second] = composer.compose(upToError(tokens), true, length);
    if (!document) return [null, undefined];
    const [problem] = [...document.errors, ...document.warnings];
    if (problem || !second) return [document.contents as Node | null, problem];
    const code = 'MULTIPLE_DOCS';
    return [null, new YAMLParseError([second.range[0], second.range[1]], code, '')];
  } catch (error) {
    if (!(error instanceof FirstError)) throw error;
    return [null, error.problem];
  }
}

function* upToError(tokens: Iterable<CST.Token>): Generator<CST.Token> {
  for (const token of tokens) {
    yield token;
    if (token.type === 'error') return;
  }
}

class FirstError extends Error {
  readonly problem: YAMLError;

  constructor(problem: YAMLError) {
    super(problem.message);
    this.problem = problem;
  }
}

class Reader {
  readonly #text: string;
  readonly #file: string;
  readonly #findings: Findings;
  readonly #lines = new LineCounter();
  readonly #contents: Node | null;
  readonly #problem: YAMLError | undefined;
  /** Null while the anchored value itself is being read. */
  readonly #anchors = new Map<string, Located | null>();
  readonly #sizes = new Map<Located, { readonly values: number; readonly depth: number }>();

  constructor(text: string, file: string, findings: Findings) {
    this.#text = text;
    this.#file = file;
    this.#findings = findings;
    const tokens = new Parser(this.#lines.addNewLine).parse(text);
    const [contents, problem] = compose(tokens, text.length);
    this.#contents = contents;
    this.#problem = problem;
  }

  read(): Located {
    if (this.#problem) {
      const deep = this.#problem.message.startsWith('Maximum call stack');
      if (deep) this.#stop(this.#problem.pos[0], TOO_DEEP);
      const { pos, message: said } = this.#problem;
      const { offset, message, suggestion } = this.#findings.explainYaml?.(
        this.#problem,
        this.#text,
      ) ?? {
        offset: pos[0],
        message: plainErrors[this.#problem.code] ?? said,
        suggestion: undefined,
      };
      this.#stop(offset, message, suggestion);
    }
    return this.#node(this.#contents);
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
    if (typeof value === 'string') this.#checkText(value, offset);
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
      this.#checkKey(key, at);
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

  #checkKey(key: string, offset: number): void {
    if (key.length > MAX_KEY) {
      this.#stop(offset, `a key of ${key.length} characters: at most ${MAX_KEY} are read`);
    }
    this.#checkSeen('key', key, offset);
  }

  /** Escapes of YAML must not bring in what the file itself must not hold. */
  #checkText(value: string, offset: number): void {
    if (value.length > MAX_WORDS) {
      this.#stop(offset, `a value of ${value.length} characters: at most ${MAX_WORDS} are read`);
    }
    // A text of several lines may say so itself.
    this.#checkSeen('value', value.replaceAll(/[\t\n]/g, ''), offset);
  }

  #checkSeen(what: string, text: string, offset: number): void {
    const unseen = unseenIn(text);
    if (unseen === undefined) return;
    const message = `a ${what} holds control characters: ${unseen}`;
    this.#findings.add(this.#place(offset), message, 'write only what can be seen');
  }

  #sized<T extends Located>(located: T, children: readonly Located[], offset: number): T {
    let values = 1;
    let depth = 1;
    for (const child of children) {
      const size = this.#sizes.get(child)!;
      values += size.values;
      depth = Math.max(depth, size.depth + 1);
    }
    if (values > MAX_VALUES) {
      this.#stop(offset, `aliases expand to more than ${MAX_VALUES} values`);
    }
    if (depth > MAX_DEPTH) this.#stop(offset, TOO_DEEP);
    this.#sizes.set(located, { values, depth });
    return located;
  }
}
