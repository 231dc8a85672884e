import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { UnitStore } from '../../src/sweep/store.ts';
import type { UnitResult } from '../../src/sweep/unit.ts';
import { scratch } from '../support/program.ts';

let dir: string;
let remove: () => void;
beforeEach(() => {
  ({ dir, remove } = scratch());
});
afterEach(() => remove());

const result: UnitResult = {
  mhz: 2200,
  windowCycles: 1000,
  host: { host_busy: 0.5 },
  groups: [
    {
      group: 'web',
      vms: 1,
      workload: 'synthetic',
      unit: 'jobs',
      values: { slowdown: Number.POSITIVE_INFINITY, work_per_second: 3 },
      ledger: { 'guest.user': 10 },
    },
  ],
  vms: [{ vm: 'web-0', group: 'web', values: { slowdown: Number.POSITIVE_INFINITY } }],
  findings: [],
};

describe('a stored unit', () => {
  const path = (name = 'a') => join(dir, 'units', name, 'result.json');
  const stored = (name = 'a'): string => {
    new UnitStore(dir).write(name, { wallSeconds: 1.5, result });
    return readFileSync(path(name), 'utf8');
  };
  const readBack = (text: string | undefined, name = 'a') => {
    if (text !== undefined) writeFileSync(path(name), text);
    const store = new UnitStore(dir);
    const read = store.read(name);
    expect(store.doubted).toBe(read ? 0 : 1);
    return read;
  };

  it('comes back as it was written, numbers that JSON does not know included', () => {
    expect(readBack(stored())).toEqual({ wallSeconds: 1.5, result });
  });

  it('that is not there is not doubted', () => {
    const store = new UnitStore(dir);
    expect(store.read('a')).toBeUndefined();
    expect(store.doubted).toBe(0);
  });

  it.each([
    '',
    '{}',
    '7',
    'null',
    '[]',
    '"result"',
    '{"result":{}}',
    '{"wallSeconds":1,"result":{"mhz":2200,"windowCycles":1,"host":{},"groups":[],"vms":[]}}',
  ])('that holds %s is not believed', (text) => {
    stored();
    expect(readBack(text)).toBeUndefined();
  });

  it('cut short anywhere, or with one digit changed, is not believed', () => {
    const text = stored();
    for (let at = 1; at < text.length; at += 29) {
      expect(readBack(text.slice(0, at))).toBeUndefined();
    }
    for (const match of text.matchAll(/\d/g)) {
      const changed = `${text.slice(0, match.index)}${(Number(match[0]) + 1) % 10}${text.slice(match.index + 1)}`;
      expect(readBack(changed), changed).toBeUndefined();
    }
  });

  it('that is the result of another unit is not believed', () => {
    stored('b');
    const text = readFileSync(path('b'), 'utf8');
    stored('a');
    expect(readBack(text)).toBeUndefined();
    expect(readBack(text.replace('"unit":"b"', '"unit":"a"'))).toBeUndefined();
  });

  it('of a wrong shape is not believed, its hash may be right', () => {
    for (const wrong of [
      { ...result, mhz: '2200' },
      { ...result, host: { host_busy: '0.5' } },
      { ...result, groups: {} },
      { ...result, groups: [{ ...result.groups[0], ledger: [1] }] },
      { ...result, vms: [{ vm: 'web-0' }] },
      {},
      7,
    ]) {
      const content = JSON.stringify(wrong);
      const sha256 = createHash('sha256').update(`a\n1\n${content}`).digest('hex');
      stored();
      const text = `{"unit":"a","sha256":"${sha256}","wallSeconds":1,"result":${content}}`;
      expect(readBack(text), content).toBeUndefined();
    }
  });

  it('that is a directory is not believed, and does not end the program', () => {
    mkdirSync(path(), { recursive: true });
    expect(readBack(undefined)).toBeUndefined();
    rmSync(join(dir, 'units'), { recursive: true });
    writeFileSync(join(dir, 'units'), '');
    expect(readBack(undefined)).toBeUndefined();
    expect(() => new UnitStore(dir).write('a', { wallSeconds: 1, result })).toThrow(
      /cannot store a unit in .*: a part of the path is a file/,
    );
  });
});
