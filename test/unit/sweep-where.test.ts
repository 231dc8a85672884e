import { describe, expect, it } from 'vitest';
import {
  compileWhere,
  ExpressionError,
  quantity,
  type Scalar,
} from '../../src/sweep/expression.ts';

const axes = ['vms.web.count', 'hypervisor.tags.kind', 'host.memory', 'slice'];
const names = {
  axes,
  axis: (word: string) => (axes.includes(word) ? axes.indexOf(word) : undefined),
  words: new Set(['kvm', 'flush-by-asid', '4K']),
};
const holds = (text: string, ...values: Scalar[]) =>
  compileWhere(text, names)((axis) => values[axis]!);

describe('a where expression', () => {
  it.each([
    ['vms.web.count < 8', true],
    ['vms.web.count >= 8', false],
    ['vms.web.count * 2 + 1 == 9 and not hypervisor.tags.kind == kvm', true],
    ['hypervisor.tags.kind == flush-by-asid', true],
    ['hypervisor.tags.kind != "flush-by-asid"', false],
    ['hypervisor.tags.kind in [kvm, flush-by-asid]', true],
    ['vms.web.count in [1, 2] or slice <= 30ms', true],
    ['slice > 29999us', true],
    ['host.memory == 0.5GiB && slice < 1s', true],
    ['vms.web.count - 4 == 0', true],
    ['vms.web.count % 3 == 1', true],
    ['(vms.web.count == 1 or vms.web.count == 4) and slice == 30 ms', true],
    ['! (vms.web.count == 4)', false],
    ['vms.web.count == -4', false],
    ['vms.web.count < kvm', false],
    ['true and not false', true],
  ])('%s is %s', (text, expected) => {
    expect(holds(text, 4, 'flush-by-asid', '512MiB', '30ms')).toBe(expected);
  });

  it('binds and tighter than or', () => {
    expect(holds('true or false and false')).toBe(true);
    expect(holds('(true or false) and false')).toBe(false);
  });

  it.each([
    ['vms.wbe.count < 8', 0, 'neither an axis'],
    ['vms.web.count <', 15, 'ends too early'],
    ['vms.web.count = 8', 14, 'unexpected "="'],
    ['vms.web.count < 8 8', 18, 'unexpected "8"'],
    ['vms.web.count < 8parsecs', 16, 'not a number with a unit'],
    ['(vms.web.count < 8', 18, 'expected ")"'],
    ['process.exit(1)', 0, 'neither an axis'],
    ['vms.web.count in 3', 17, 'expected "["'],
    [`${'('.repeat(200)}1`, 50, 'nested too deeply'],
    ['', 0, 'ends too early'],
  ])('%s is refused at character %i', (text, offset, message) => {
    const error = (() => {
      try {
        holds(text, 1);
      } catch (caught) {
        return caught as ExpressionError;
      }
      return undefined;
    })();
    expect(error).toBeInstanceOf(ExpressionError);
    expect(error!.offset).toBe(offset);
    expect(error!.message).toContain(message);
  });
});

describe('a quantity', () => {
  it('is a number in base units, or nothing', () => {
    expect(quantity('30ms')).toBe(30e9);
    expect(quantity('1KiB')).toBe(1024);
    expect(quantity('12')).toBe(12);
    for (const other of ['nested', '', '4K', true]) expect(quantity(other)).toBeUndefined();
  });
});
