import type { ErrorCode, YAMLError } from 'yaml';
import { openAt } from './yaml-brackets.ts';

/** What the YAML parser complains about, in words for who writes scenarios. */
export interface YamlFault {
  readonly message: string;
  readonly suggestion?: string | undefined;
  /** Where to point to, in characters from the start of the text. */
  readonly offset: number;
}

export function yamlFault({ code, message, pos }: YAMLError, text: string): YamlFault {
  const said = words[code]({ said: message, text, offset: pos[0] });
  return { offset: pos[0], ...(typeof said === 'string' ? { message: said } : said) };
}

interface Problem {
  /** What the parser says. */
  readonly said: string;
  readonly text: string;
  readonly offset: number;
}
type Said = string | (Pick<YamlFault, 'message' | 'suggestion'> & { readonly offset?: number });

const words: Readonly<Record<ErrorCode, (problem: Problem) => Said>> = {
  ALIAS_PROPS: () => 'an alias (*name) cannot have an anchor or a tag of its own',
  BAD_ALIAS: ({ said }) => {
    if (said.startsWith('Alias')) {
      return { message: 'a name is missing after *', suggestion: 'text with a * is put in quotes' };
    }
    if (said.startsWith('Anchor cannot')) {
      return { message: 'a name is missing after &', suggestion: 'text with a & is put in quotes' };
    }
    return {
      message: 'the name of an anchor ends in a colon',
      suggestion: 'write key: &name value',
    };
  },
  BAD_COLLECTION_TYPE: () => NO_TAGS,
  BAD_DIRECTIVE: noDirective,
  BAD_DQ_ESCAPE: ({ text, offset }) => ({
    message: `${text.slice(offset, offset + 2)} means nothing inside double quotes`,
    suggestion: 'use single quotes, or write \\\\ for a backslash',
  }),
  BAD_INDENT: badIndent,
  BAD_PROP_ORDER: () => 'an anchor (&name) or a tag stands before the dash or key it belongs to',
  BAD_SCALAR_START: ({ text, offset }) => ({
    message: `a value cannot begin with ${text[offset]}`,
    suggestion: 'put it in quotes',
  }),
  BLOCK_AS_IMPLICIT_KEY: nestedKey,
  BLOCK_IN_FLOW: ({ text, offset }) =>
    text.slice(offset, offset + 2) === '- '
      ? { message: 'a list inside of { } or [ ] has no dashes', suggestion: 'write [a, b]' }
      : { message: 'a comma is missing inside of { } or [ ]', suggestion: 'write { a: 1, b: 2 }' },
  DUPLICATE_KEY: () => 'this key appears twice',
  IMPOSSIBLE: () => 'this cannot be read as YAML',
  KEY_OVER_1024_CHARS: () => 'a key has at most 1024 characters',
  MISSING_CHAR: missingCharacter,
  MULTILINE_IMPLICIT_KEY: noColon,
  MULTIPLE_ANCHORS: () => 'a value has at most one anchor (&name)',
  MULTIPLE_DOCS: () => 'a second YAML document starts here: a scenario is one document',
  MULTIPLE_TAGS: () => NO_TAGS,
  NON_STRING_KEY: () => 'a key must be a plain word',
  RESOURCE_EXHAUSTION: () => 'the values are nested too deeply',
  TAB_AS_INDENT: () => TAB,
  TAG_RESOLVE_FAILED: () => NO_TAGS,
  UNEXPECTED_TOKEN: unexpected,
};

const TAB = 'a tab is used for indentation: YAML wants spaces';
const NO_TAGS: Said = {
  message: 'tags (!name) are not used in scenarios',
  suggestion: 'text that begins with ! is put in quotes',
};

function noDirective({ text, offset }: Problem): Said {
  const start = text.search(/^%/m);
  const message = 'a line that begins with % is a directive: scenarios have none';
  return { message, offset: start < 0 ? offset : start };
}

/** A value that stands behind another one, or under one. */
function nestedKey({ said, text, offset }: Problem): Said {
  if (said.startsWith('A block sequence')) {
    return notInLine(text, offset, 'the items of a list begin in the same column');
  }
  const value = lineOf(text, offset);
  const rest = text.slice(offset).split('\n');
  const at = rest.findIndex((line) => /:(\s|$)/.test(line));
  if (at <= 0) {
    return {
      message: 'there are two colons in this line',
      suggestion: 'put the second key on a line of its own, or the value in quotes',
    };
  }
  return {
    message: `line ${value + at} is indented under line ${value}, which has a value already`,
    suggestion: `indent line ${value + at} like the other keys, or take away that value`,
  };
}

function badIndent(problem: Problem): Said {
  const { said, text, offset } = problem;
  if (/^\s*\t/.test(lineAt(text, offset))) return TAB;
  if (said.startsWith('Flow')) return unclosed(problem);
  if (said.startsWith('All mapping')) {
    return notInLine(text, offset, 'the keys of a map begin in the same column');
  }
  if (said.startsWith('All sequence')) {
    return notInLine(text, offset, 'the items of a list begin in the same column');
  }
  return 'the text after | or > is indented further than its key, each line alike';
}

/** `[` or `{` without its counterpart, or with lines in between that stand too far left. */
function unclosed({ text, offset }: Problem): Said {
  const open = openAt(text, offset);
  if (!open?.bracket) return 'a bracket is not closed';
  const { bracket, start, closedAt, closedBy } = open;
  const line = lineOf(text, start);
  const wanted = bracket === '{' ? '}' : ']';
  if (closedBy === wanted && closedAt !== undefined) {
    return {
      message: `this line is inside of ${bracket} ${wanted} and not indented`,
      suggestion: `indent it further than line ${line}, where the ${bracket} stands`,
    };
  }
  return closedBy === undefined
    ? { message: `this ${bracket} has no ${wanted}`, offset: start }
    : { message: `the ${bracket} of line ${line} is closed by a ${closedBy}, not a ${wanted}` };
}

function missingCharacter(problem: Problem): Said {
  const { said, text, offset } = problem;
  if (said.startsWith('Missing closing')) {
    const start = openAt(text, offset)?.quote ?? offset;
    return { message: `this ${said.at(16)} has no closing ${said.at(16)}`, offset: start };
  }
  if (said.startsWith('Flow')) return unclosed(problem);
  if (said.startsWith('Implicit map keys')) return noColon(problem);
  if (said.startsWith('Comments')) return 'a blank is missing before #';
  if (said.startsWith('Sequence item')) {
    return notInLine(
      text,
      offset,
      'an item of a list begins with a dash, what belongs to it below',
    );
  }
  if (said.startsWith('Missing directives')) return noDirective(problem);
  if (said.startsWith('Missing space after')) return 'a blank is missing after the colon';
  if (said.startsWith('Missing , or :')) return 'a colon or a comma is missing here';
  if (said.startsWith('Missing ,')) return 'a comma is missing here';
  if (said.startsWith('Tags and anchors')) return 'a blank is missing after an anchor or a tag';
  return 'this begins on a line of its own';
}

/** A line among keys that is none. */
function noColon({ text, offset }: Problem): Said {
  const rest = text.slice(offset).split('\n')[0]!.trimEnd();
  if (/^-(\s|$)/.test(rest)) {
    return {
      message: 'an item of a list stands among keys',
      suggestion: 'indent it under its key',
    };
  }
  const [, key, value] = /^([\w.-]+):(\S.*)$/.exec(rest) ?? [];
  if (key !== undefined) {
    const message = 'a blank is missing after the colon';
    return { message, suggestion: `write ${key}: ${value}` };
  }
  return /^["'[{]/.test(rest)
    ? 'a key is a plain word on one line'
    : { message: 'this line has no colon after its key', suggestion: 'write key: value' };
}

function unexpected({ said, text, offset }: Problem): Said {
  if (/^Unexpected (,|empty item)/.test(said)) return 'a value is missing before this comma';
  if (said.startsWith('Unexpected block-seq-ind')) {
    const suggestion = 'begin a new line with the dash, or write [a, b]';
    return { message: 'an item of a list stands behind its key', suggestion };
  }
  if (said.startsWith('Unexpected map-value-ind')) return 'a colon stands here without a key';
  if (/^(Not a YAML token|Block scalar header)/.test(said)) {
    return 'the text of | or > begins on the next line';
  }
  const [, closing] = /token in YAML (?:stream|document): "([\]}])"/.exec(said) ?? [];
  if (closing !== undefined) {
    return `a ${closing} stands here without a ${closing === '}' ? '{' : '['}`;
  }
  const isFirst = text.slice(text.lastIndexOf('\n', offset - 1) + 1, offset).trim() === '';
  return isFirst
    ? notInLine(text, offset, 'it belongs to nothing above it')
    : {
        message: 'this stands behind a value that has ended',
        suggestion: 'put the whole value in quotes, or a comma between two',
      };
}

/** A line that begins in another column than those it belongs to. */
function notInLine(
  text: string,
  offset: number,
  rule: string,
): { message: string; offset: number } {
  const start = text.lastIndexOf('\n', offset - 1) + 1;
  const own = indentOf(lineAt(text, offset));
  const above = text
    .slice(0, start)
    .split('\n')
    .findLast((line) => /^\s*[^\s#]/.test(line));
  const column = above === undefined ? own : indentOf(above);
  if (column === own && /^\s*-(\s|$)/.test(above ?? '')) {
    return { message: 'a key stands among the items of a list', offset: start + own };
  }
  const than = column === own ? '' : `, the one above in column ${column + 1}`;
  const message = `this line begins in column ${own + 1}${than}: ${rule}`;
  return { message, offset: start + own };
}

const indentOf = (line: string): number => line.length - line.trimStart().length;
const lineOf = (text: string, offset: number): number => text.slice(0, offset).split('\n').length;
/** The line around an offset, without its end. */
function lineAt(text: string, offset: number): string {
  const start = text.lastIndexOf('\n', offset - 1) + 1;
  return text.slice(start).split('\n', 1)[0]!;
}
