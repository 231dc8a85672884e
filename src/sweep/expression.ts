import { duration, frequency, rate, size } from '../base/units.ts';
import { didYouMean, listed } from '../scenario/findings.ts';

/**
 * The small language of `where`: comparisons, arithmetic, `and`, `or`, `not`, `in [...]` over the
 * axes of a sweep. Nothing else can be named, called or assigned. `vms.web.count * 2 <= 8 and
 * host.processor == opteron-1354`
 */
export type Scalar = string | number | boolean;

/** What an axis has at one point. */
export type Lookup = (axis: number) => Scalar;

export interface Names {
  /** Number of the axis called so; undefined when there is none. */
  readonly axis: (word: string) => number | undefined;
  /** Words that may be compared with: values of axes. */
  readonly words: ReadonlySet<string>;
  /** For suggestions. */
  readonly axes: readonly string[];
}

/** The text is not an expression. `offset`: where, from its beginning. */
export class ExpressionError extends Error {
  override readonly name = 'ExpressionError';
  readonly offset: number;
  readonly suggestion: string | undefined;

  constructor(offset: number, message: string, suggestion?: string) {
    super(message);
    this.offset = offset;
    this.suggestion = suggestion;
  }
}

type Node = (at: Lookup) => Scalar;

const MAX_TEXT = 2000;

/** Throws ExpressionError. */
export function compileWhere(text: string, names: Names): (at: Lookup) => boolean {
  if (text.length > MAX_TEXT) {
    const message = `${text.length} characters are more than ${MAX_TEXT}`;
    throw new ExpressionError(0, message, 'write several conditions, as a list');
  }
  const node = new Parser(text, names).whole();
  return (at) => truth(node(at));
}

const TOKEN =
  /\s*(?:(?<number>(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?\s?(?:[A-Za-zµ]+|\/[a-z]+)?)(?![\w.])|(?<word>[A-Za-z_][\w.]*(?:-[\w.]+)*)|"(?<double>[^"]*)"|'(?<single>[^']*)'|(?<sign>==|!=|<=|>=|&&|\|\||[-+*/%<>!()[\],]))/y;

interface Token {
  readonly kind: 'number' | 'word' | 'text' | 'sign' | 'end';
  readonly text: string;
  readonly offset: number;
}

function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (text.slice(at).trim() !== '') {
    TOKEN.lastIndex = at;
    const match = TOKEN.exec(text);
    const start = at + text.slice(at).search(/\S/);
    if (!match?.groups) throw new ExpressionError(start, `unexpected "${text[start]}"`);
    const { number, word, double, single, sign } = match.groups;
    const quoted = double ?? single;
    const token = (kind: Token['kind'], value: string) =>
      tokens.push({ kind, text: value, offset: start });
    if (number !== undefined && KEYWORD_AFTER.test(number)) {
      // `8 and …`: the word belongs to the sentence, not to the number.
      const bare = /^[\d.]+(?:e[+-]?\d+)?/i.exec(number)![0];
      token('number', bare);
      at = start + bare.length;
      continue;
    }
    if (number !== undefined) token('number', number);
    else if (word !== undefined) token('word', word);
    else if (quoted !== undefined) token('text', quoted);
    else token('sign', sign!);
    at = TOKEN.lastIndex;
  }
  tokens.push({ kind: 'end', text: '', offset: text.length });
  return tokens;
}

const KEYWORD_AFTER = /\s(and|or|in|not)$/;

class Parser {
  readonly #tokens: readonly Token[];
  readonly #names: Names;
  #next = 0;
  #depth = 0;

  constructor(text: string, names: Names) {
    this.#tokens = tokensOf(text);
    this.#names = names;
  }

  whole(): Node {
    const node = this.#or();
    const { kind, text, offset } = this.#peek();
    if (kind !== 'end') throw new ExpressionError(offset, `unexpected "${text}"`);
    return node;
  }

  #peek(): Token {
    return this.#tokens[this.#next]!;
  }

  #take(...texts: readonly string[]): string | undefined {
    const { kind, text } = this.#peek();
    if ((kind !== 'sign' && kind !== 'word') || !texts.includes(text)) return undefined;
    this.#next++;
    return text;
  }

  #expect(text: string): void {
    if (this.#take(text)) return;
    throw new ExpressionError(this.#peek().offset, `expected "${text}"`);
  }

  #or(): Node {
    let left = this.#and();
    while (this.#take('or', '||')) {
      const [a, b] = [left, this.#and()];
      left = (at) => truth(a(at)) || truth(b(at));
    }
    return left;
  }

  #and(): Node {
    let left = this.#not();
    while (this.#take('and', '&&')) {
      const [a, b] = [left, this.#not()];
      left = (at) => truth(a(at)) && truth(b(at));
    }
    return left;
  }

  #not(): Node {
    if (++this.#depth > 100) throw new ExpressionError(this.#peek().offset, 'nested too deeply');
    let node: Node;
    if (this.#take('not', '!')) {
      const inner = this.#not();
      node = (at) => !truth(inner(at));
    } else node = this.#comparison();
    this.#depth--;
    return node;
  }

  #comparison(): Node {
    const left = this.#sum();
    if (this.#take('in')) {
      this.#expect('[');
      const items = [this.#sum()];
      while (this.#take(',')) items.push(this.#sum());
      this.#expect(']');
      return (at) => items.some((item) => compare(left(at), item(at)) === 0);
    }
    const sign = this.#take('==', '!=', '<=', '>=', '<', '>');
    if (!sign) return left;
    const right = this.#sum();
    const holds = comparisons[sign]!;
    return (at) => holds(compare(left(at), right(at)));
  }

  #sum(): Node {
    let left = this.#product();
    for (let sign = this.#take('+', '-'); sign; sign = this.#take('+', '-')) {
      const [a, b, plus] = [left, this.#product(), sign === '+'];
      left = (at) => number(a(at)) + (plus ? number(b(at)) : -number(b(at)));
    }
    return left;
  }

  #product(): Node {
    let left = this.#atom();
    for (let sign = this.#take('*', '/', '%'); sign; sign = this.#take('*', '/', '%')) {
      const [a, b, operator] = [left, this.#atom(), sign];
      left = (at) => arithmetic(operator, number(a(at)), number(b(at)));
    }
    return left;
  }

  #atom(): Node {
    const { kind, text, offset } = this.#peek();
    if (this.#take('(')) {
      if (++this.#depth > 100) throw new ExpressionError(offset, 'nested too deeply');
      const node = this.#or();
      this.#depth--;
      this.#expect(')');
      return node;
    }
    if (kind === 'sign' && text === '-' && this.#tokens[this.#next + 1]!.kind === 'number') {
      this.#next++;
      const inner = this.#atom();
      return (at) => -number(inner(at));
    }
    this.#next++;
    if (kind === 'number' || kind === 'text') {
      const value = kind === 'number' && Number.isFinite(Number(text)) ? Number(text) : text;
      if (kind === 'number' && quantity(value) === undefined && !this.#names.words.has(text)) {
        throw new ExpressionError(offset, `"${text}" is not a number with a unit`);
      }
      return () => value;
    }
    if (kind === 'word') return this.#word(text, offset);
    throw new ExpressionError(
      offset,
      kind === 'end' ? 'it ends too early' : `unexpected "${text}"`,
    );
  }

  #word(text: string, offset: number): Node {
    const { axis, words, axes } = this.#names;
    const found = axis(text);
    if (found !== undefined) return (at) => at(found);
    if (text === 'true' || text === 'false') return () => text === 'true';
    if (words.has(text)) return () => text;
    throw new ExpressionError(
      offset,
      `"${text}" is neither an axis nor a value of one`,
      didYouMean(text, [...axes, ...words]) ?? `axes: ${listed(axes)}`,
    );
  }
}

const comparisons: Readonly<Record<string, (order: number) => boolean>> = {
  '==': (order) => order === 0,
  '!=': (order) => order !== 0,
  '<': (order) => order < 0,
  '<=': (order) => order <= 0,
  '>': (order) => order > 0,
  '>=': (order) => order >= 0,
};

const truth = (value: Scalar) => value !== false && value !== 0 && value !== '';

function arithmetic(operator: string, a: number, b: number): number {
  if (operator === '*') return a * b;
  return operator === '/' ? a / b : a % b;
}

function number(value: Scalar): number {
  return quantity(value) ?? Number.NaN;
}

/** NaN when the two have no order: a number and a word. */
function compare(a: Scalar, b: Scalar): number {
  const [x, y] = [quantity(a), quantity(b)];
  if (x !== undefined && y !== undefined) return x - y;
  const [s, t] = [String(a), String(b)];
  if (s === t) return 0;
  if (x !== undefined || y !== undefined) return Number.NaN;
  return s < t ? -1 : 1;
}

const dimensions = [duration(), size(), frequency(), rate()];

/** `30ms`, `512MiB`, `2` in base units; undefined for anything else. */
export function quantity(value: Scalar): number | undefined {
  if (typeof value === 'number') return value;
  if (typeof value !== 'string' || value.trim() === '') return undefined;
  if (Number.isFinite(Number(value))) return Number(value);
  for (const dimension of dimensions) {
    const parsed = dimension.safeParse(value);
    if (parsed.success) return parsed.data;
  }
  return undefined;
}
