import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseDocument } from 'yaml';
import type { ConfigError } from '../../src/base/errors.ts';
import { Findings } from '../../src/scenario/findings.ts';
import { parseYaml } from '../../src/scenario/parse.ts';
import { yamlFault } from '../../src/scenario/yaml-faults.ts';
import { smallYaml } from '../support/program.ts';

/** What is no YAML is told in words of this program, at the line that is to blame. */

function faultIn(text: string): string {
  const findings = new Findings(undefined, yamlFault);
  parseYaml(text, 'f', findings);
  try {
    findings.throwIfAny();
    return '';
  } catch (error) {
    const [{ place, message, suggestion }] = (error as ConfigError)
      .diagnostics as ConfigError['diagnostics'] & [ConfigError['diagnostics'][0]];
    return `${place.line}:${place.column} ${message}${suggestion ? ` — ${suggestion}` : ''}`;
  }
}

const MAP = 'the keys of a map begin in the same column';
const ITEMS = 'the items of a list begin in the same column';
const TWO_COLONS =
  'there are two colons in this line — put the second key on a line of its own, or the value in quotes';

describe('a text that is no YAML', () => {
  it.each([
    [
      'a: 1\nhost: opteron\n  memory: 4GiB\n',
      '2:7 line 3 is indented under line 2, which has a value already — indent line 3 like the other keys, or take away that value',
    ],
    [
      'vms:\n  - name: web\n      count: 2\n',
      '2:11 line 3 is indented under line 2, which has a value already — indent line 3 like the other keys, or take away that value',
    ],
    ['a: b: c\n', `1:4 ${TWO_COLONS}`],
    ['a: 1\nname: x: y z\n', `2:7 ${TWO_COLONS}`],
    [
      'host: { a: 1,\nb: 2 }\n',
      '2:1 this line is inside of { } and not indented — indent it further than line 1, where the { stands',
    ],
    [
      'a:\n  b: [1,\n  2]\n',
      '3:3 this line is inside of [ ] and not indented — indent it further than line 2, where the [ stands',
    ],
    ['a: { b: 1\nc: 2\n', '1:4 this { has no }'],
    ['a: 1\nb: [1, 2\nc: { d: [3] }\n', '2:4 this [ has no ]'],
    ['a: {b: {c: 1}\nd: "}" # }\n', '1:4 this { has no }'],
    ['a: [1}\n', '1:6 the [ of line 1 is closed by a }, not a ]'],
    ['a: 1\nb: }\n', '2:4 a } stands here without a {'],
    ['a:\n\tb: 1\n', '2:1 a tab is used for indentation: YAML wants spaces'],
    ['a: {\n\tb: 1 }\n', '2:2 a tab is used for indentation: YAML wants spaces'],
    ['a:\n  b: 1\n\t c: 2\n', '3:1 a tab is used for indentation: YAML wants spaces'],
    ['a: 1\na: 2\n', '2:1 key "a" appears twice (first in line 1)'],
    ['a: {b: 1, b: 2}\n', '1:11 key "b" appears twice (first in line 1)'],
    ['a: *x\n', '1:4 there is no anchor &x before *x'],
    ['a: &y 1\nb: *x\n', '2:4 there is no anchor &x before *x — anchors before this line: &y'],
    ['a: *\n', '1:4 a name is missing after * — text with a * is put in quotes'],
    ['a: 1\n---\nb: 2\n', '2:1 a second YAML document starts here: a scenario is one document'],
    ['a: 1\nb: "x\nc: 2\n', '2:4 this " has no closing "'],
    ["a: 'x\n", "1:4 this ' has no closing '"],
    [
      'a: "\\q"\n',
      '1:5 \\q means nothing inside double quotes — use single quotes, or write \\\\ for a backslash',
    ],
    [
      'a:\n   b: 1\n  c: 2\n',
      `3:3 this line begins in column 3, the one above in column 4: ${MAP}`,
    ],
    [
      'vms:\n  - name: x\n    count: 2\n  name: y\n',
      `4:3 this line begins in column 3, the one above in column 5: ${MAP}`,
    ],
    ['a:\n  - 1\n - 2\n', `3:2 this line begins in column 2, the one above in column 3: ${ITEMS}`],
    ['- 1\na: 2\n', '2:1 a key stands among the items of a list'],
    ['a: 1\n- b\n', '2:1 an item of a list stands among keys — indent it under its key'],
    [
      'a: - 1\n',
      '1:4 an item of a list stands behind its key — begin a new line with the dash, or write [a, b]',
    ],
    ['a: @x\n', '1:4 a value cannot begin with @ — put it in quotes'],
    ['a: 1\nb: `x`\n', '2:4 a value cannot begin with ` — put it in quotes'],
    [
      '# old\n%YAML 1.1\n---\na: yes\n',
      '2:1 YAML 1.1 is not read, only 1.2 — leave the line out: `yes` and `on` are words then, and 010 is ten',
    ],
    [
      '%YAML 1.0\n---\na: 1\n',
      '1:1 YAML 1.0 is not read, only 1.2 — leave the line out: `yes` and `on` are words then, and 010 is ten',
    ],
    ['%x\na: 1\n', '1:1 a line that begins with % is a directive: scenarios have none'],
    ['a: [1,,2]\n', '1:7 a value is missing before this comma'],
    ['a: { b: 1 c: 2 }\n', '1:9 a comma is missing inside of { } or [ ] — write { a: 1, b: 2 }'],
    ['a: {\n b:\n  - 1 }\n', '3:3 a list inside of { } or [ ] has no dashes — write [a, b]'],
    ['a: 1\nb\nc: 2\n', '2:1 this line has no colon after its key — write key: value'],
    ['a:\n  b 1\n  c: 2\n', '2:3 this line has no colon after its key — write key: value'],
    ['a: 1\nb:2\nc: 3\n', '2:1 a blank is missing after the colon — write b: 2'],
    ['a: [1]#x\n', '1:7 a blank is missing before #'],
    [
      'a: "x" y\n',
      '1:8 this stands behind a value that has ended — put the whole value in quotes, or a comma between two',
    ],
    [
      'a: !foo 1\n',
      '1:4 tags (!name) are not used in scenarios — text that begins with ! is put in quotes',
    ],
    ['a: &x &y 1\n', '1:7 a value has at most one anchor (&name)'],
    ['a: | x\n  y\n', '1:6 the text of | or > begins on the next line'],
    [`${'a'.repeat(1100)}: 1\n`, '1:1 a key has at most 1024 characters'],
  ])('%j', (text, fault) => {
    expect(faultIn(text)).toBe(fault);
  });

  it('is never told in words of the parser', () => {
    const text = smallYaml();
    const piece = fc.constantFrom(...'{}[],:-#&*!|>\'"%@`\t\n ?', ': ', '- ', '\n  ', '---\n');
    fc.assert(
      fc.property(fc.nat(text.length), fc.nat(8), piece, (at, cut, inserted) => {
        const broken = text.slice(0, at) + inserted + text.slice(at + cut);
        const fault = faultIn(broken);
        for (const { message } of parseDocument(broken, { prettyErrors: false }).errors) {
          expect(fault).not.toContain(message);
          expect(fault).toMatch(/^\d+:\d+ [a-z\\]/);
        }
      }),
      { numRuns: 300 },
    );
  });
});
