import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { inFlow } from '../../src/base/flow.ts';
import { stream } from '../../src/base/random.ts';

/** What is written in one line is read as what it was. */

const TEXTS = [
  ...[
    '10ms',
    'shadow',
    'a b',
    'a: b',
    'a #b',
    '- a',
    '{',
    '[x]',
    '12',
    '1e3',
    '0x1f',
    '.5',
    '.inf',
  ],
  ...['true', 'No', 'null', '~', '', '"', "'", '\n', '\t', '*a', '&a', '!a', '%', '@', 'ä', '=1+1'],
  ...['1_000', '0o7', '2026-11-28', '1:30', 'a,b', '?', 'a/b.yaml', '-', '--', '.nan', 'NaN', '+1'],
];

it('as YAML', () => {
  const random = stream('1', 'flow');
  const some = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)]!;
  const leaf = () => some<unknown>([some(TEXTS), 0, -1.5, 1e21, true, false, null]);
  const value = (depth: number): unknown => {
    const size = Math.floor(random() * 4);
    if (depth === 0 || random() < 0.3) return leaf();
    if (random() < 0.5) return Array.from({ length: size }, () => value(depth - 1));
    const entries = Array.from({ length: size }, () => [some(TEXTS), value(depth - 1)]);
    return Object.fromEntries(entries);
  };
  for (const text of TEXTS) expect(parse(inFlow(text))).toBe(text);
  for (let i = 0; i < 500; i++) {
    const one = value(3);
    expect(parse(inFlow(one)), inFlow(one)).toEqual(one);
  }
});
