import type { Place } from '../base/errors.ts';
import type { Findings } from './findings.ts';
import type { Located } from './located.ts';
import { readYaml } from './parse.ts';

/**
 * The text of `--axis` and `--across`: a path and its values. `vms.web.count=1,2,4`, `1..8`,
 * `1..4,8,16`, `nested,shadow`, `10ms,30ms`; or, as in a file, the list `[1, 2, 4]` and the map
 * from label to value `{slow: 10ms, fast: 1ms}`.
 */
export interface AxisOption {
  readonly path: string;
  readonly place: Place;
  readonly values: Located;
}

const EXAMPLE = 'for example vms.web.count=1,2,4 or vms.web.count=1..8';
/** More values than this are a slip of the pen. */
const MAX_VALUES = 10_000;
const RANGE = /^([+-]?\d+)\s*\.\.\s*([+-]?\d+)$/;
/** Something on both sides of the dots, or on one of them. */
const LIKE_RANGE = /^[^\s"'{[]*\.\.[^\s"'{[]*$/;

/** Undefined when it cannot be read; the reason is in `findings`. `start`: of the text. */
export function readAxisOption(
  text: string,
  start: Place,
  findings: Findings,
): AxisOption | undefined {
  const equals = text.indexOf('=');
  const path = text.slice(0, Math.max(0, equals)).trim();
  if (equals < 0 || path.split('.').includes('') || text.slice(equals + 1).trim() === '') {
    findings.add(start, `expected path=values, got "${text}"`, EXAMPLE);
    return undefined;
  }
  const pieces = piecesOf(text, equals + 1);
  const reader = new ValueReader(start, path, findings);
  const [first] = pieces as [Piece];
  const whole = pieces.length === 1 && /^[[{]/.test(first.text);
  const values = whole ? reader.collection(first) : reader.list(pieces, equals + 1);
  return values && { path, place: start, values };
}

/** A value as it was typed, and how many characters stand before it. */
interface Piece {
  readonly text: string;
  readonly at: number;
}

/** The values between commas that stand outside of brackets and quotes. */
function piecesOf(text: string, from: number): Piece[] {
  const pieces: Piece[] = [];
  let [begin, depth, quote] = [from, 0, ''];
  const end = (at: number) => {
    const piece = text.slice(begin, at);
    pieces.push({ text: piece.trim(), at: begin + piece.length - piece.trimStart().length });
    begin = at + 1;
  };
  for (let i = from; i < text.length; i++) {
    const character = text[i]!;
    if (quote === '"' && character === '\\') i++;
    else if (quote) quote = character === quote ? '' : quote;
    else if (/["']/.test(character) && /[\s,:[{=]/.test(text[i - 1] ?? ' ')) quote = character;
    else if (/[[{]/.test(character)) depth++;
    else if (/[\]}]/.test(character)) depth--;
    else if (character === ',' && depth <= 0) end(i);
  }
  end(text.length);
  return pieces;
}

class ValueReader {
  readonly #start: Place;
  readonly #path: string;
  readonly #findings: Findings;

  constructor(start: Place, path: string, findings: Findings) {
    this.#start = start;
    this.#path = path;
    this.#findings = findings;
  }

  list(pieces: readonly Piece[], from: number): Located | undefined {
    const items: Located[] = [];
    for (const piece of pieces) {
      const values = this.#values(piece);
      if (!values) return undefined;
      items.push(...values);
      if (items.length > MAX_VALUES) {
        this.#findings.add(this.#place(piece.at), `an axis has at most ${MAX_VALUES} values`);
        return undefined;
      }
    }
    return { form: 'list', place: this.#place(from), items };
  }

  /** `[1, 2]` or `{label: value}`, in YAML. */
  collection(piece: Piece): Located | undefined {
    const value = this.#yaml(piece);
    for (const item of value?.form === 'list' ? value.items : []) {
      const text = item.form === 'scalar' ? String(item.value) : '';
      if (!RANGE.test(text)) continue;
      const hint =
        `leave out the brackets: ${this.#path}` + `=${piece.text.replaceAll(/^.|[\s]|.$/g, '')}`;
      this.#findings.add(item.place, `a range such as ${text} does not stand in a list`, hint);
      return undefined;
    }
    return value;
  }

  /** One value, or those of a range. Undefined after a problem. */
  #values(piece: Piece): readonly Located[] | undefined {
    const place = this.#place(piece.at);
    if (piece.text === '') {
      this.#findings.add(place, 'a value is missing between the commas', EXAMPLE);
      return undefined;
    }
    const [, first, last] = RANGE.exec(piece.text) ?? [];
    if (first !== undefined) return this.#range(Number(first), Number(last), piece);
    if (LIKE_RANGE.test(piece.text)) {
      const message = `"${piece.text}" is not a range: it takes whole numbers, such as 1..8`;
      this.#findings.add(place, message, 'list other values: 10ms,20ms,30ms');
      return undefined;
    }
    const value = this.#yaml(piece);
    return value && [value];
  }

  #range(first: number, last: number, piece: Piece): readonly Located[] | undefined {
    const place = this.#place(piece.at);
    if (!Number.isSafeInteger(first) || !Number.isSafeInteger(last)) {
      this.#findings.add(place, `the numbers of "${piece.text}" are too large`);
    } else if (last < first) {
      const hint = `did you mean ${last}..${first}?`;
      this.#findings.add(place, `the range "${piece.text}" ends before it begins`, hint);
    } else if (last - first >= MAX_VALUES) {
      const message = `"${piece.text}" has more than ${MAX_VALUES} values`;
      this.#findings.add(place, message);
    } else {
      return Array.from({ length: last - first + 1 }, (_, i) => ({
        form: 'scalar',
        place,
        value: first + i,
      }));
    }
    return undefined;
  }

  #yaml({ text, at }: Piece): Located | undefined {
    const { file, line, column } = this.#start;
    // Padded so that the places the parser reports are those in the option.
    const padded = '\n'.repeat(line - 1) + ' '.repeat(column - 1 + at) + text;
    return readYaml(padded, file, this.#findings);
  }

  #place(at: number): Place {
    const { file, line, column } = this.#start;
    return { file, line, column: column + at };
  }
}
