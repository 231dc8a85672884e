import { describe, expect, it } from 'vitest';
import { againstLayout, judgeLayout } from '../../src/trace/formats/champsim-layout.ts';
import { guessFormat } from '../../src/trace/formats/index.ts';
import { champsimRecord, cloudsuiteRecord, imported, joined } from '../support/trace-import.ts';

/** ChampSim's records of 64 and of 96 bytes, which have no header to tell them apart. */

type Make = (ip: bigint, stores: bigint[], loads: bigint[]) => Uint8Array;

/** A walk through some code with loads and stores; every seventh instruction is a branch to another page. */
function program(make: Make, length: number, registers: boolean, base = 0x401000n): Uint8Array {
  let ip = base;
  return joined(
    Array.from({ length }, (_, i) => {
      const loads = i % 3 === 0 ? [0x7ffd51ace110n + BigInt(8 * i)] : [];
      const stores = i % 5 === 0 ? [0x602000n + BigInt(8 * i)] : [];
      const record = make(ip, stores, loads);
      const branch = i % 7 === 6;
      if (branch) record[8] = record[9] = 1;
      if (registers) record.set([6, 25, 26, 64], 10);
      ip = branch ? base + BigInt((i % 4) * 4096) : ip + 4n;
      return record;
    }),
  );
}

const guess = (bytes: Uint8Array) => guessFormat(bytes)?.name;
const totals = (from: string, bytes: Uint8Array) => imported(from, bytes).totals;

describe('the layout of records', () => {
  for (const registers of [false, true]) {
    for (const base of [0x401000n, 0xffffffff81e00000n]) {
      for (const length of [3, 100, 192]) {
        const what = `${length} records, ${registers ? 'with' : 'without'} registers, from ${base.toString(16)}`;
        it(`is found from ${what}`, () => {
          const usual = program(champsimRecord, length, registers, base);
          const wide = program(cloudsuiteRecord, length, registers, base);
          expect(guess(usual)).toBe('champsim');
          expect(guess(wide)).toBe('champsim-cloudsuite');
          const loads = Math.ceil(length / 3);
          const stores = Math.ceil(length / 5);
          const expected = `# totals I ${length} L ${loads} S ${stores} M 0 `;
          expect(totals('champsim', usual)).toContain(expected);
          expect(totals('champsim-cloudsuite', wide)).toContain(expected);
        });
      }
    }
  }

  it('is the same wherever the input is cut', () => {
    const wide = program(cloudsuiteRecord, 20, true);
    const whole = imported('champsim-cloudsuite', wide).lines;
    for (const chunk of [1, 7, 96, 100]) {
      expect(imported('champsim-cloudsuite', wide, undefined, chunk).lines).toEqual(whole);
    }
  });

  it('is refused as the other one', () => {
    const usual = program(champsimRecord, 99, true);
    const wide = program(cloudsuiteRecord, 99, true);
    expect(() => imported('champsim', wide)).toThrow(
      /^in\.log:\d+: record \d+ of 64 bytes \(at byte \d+\) is not one of ChampSim: .*; give --from champsim-cloudsuite/,
    );
    expect(() => imported('champsim-cloudsuite', usual)).toThrow(
      /^in\.log:\d+: record \d+ of 96 bytes \(at byte \d+\) is not one of ChampSim: .*; give --from champsim if/,
    );
  });

  it('is neither when the size fits neither', () => {
    const cut = program(champsimRecord, 50, true).subarray(0, -10);
    expect(guess(cut)).toBeUndefined();
    expect(judgeLayout(cut, true).why).toMatch(
      /^64: 3190 bytes are no whole number of records; 96: /,
    );
    // More may follow what was seen of a large file.
    expect(guessFormat(cut, false)?.name).toBe('champsim');
  });

  it('is neither when fetch addresses never stay in a page', () => {
    const jumping = joined(
      Array.from({ length: 20 }, (_, i) => champsimRecord(0x401000n + BigInt(i * 4096), [], [])),
    );
    expect(guess(jumping)).toBeUndefined();
    expect(judgeLayout(jumping, true).why).toMatch(
      /64: fetch addresses hardly ever stay in a page/,
    );
    expect(againstLayout('champsim', jumping)).toMatch(
      /hardly ever stay in a page \(0 of 19 steps\)/,
    );
    expect(againstLayout('lackey', jumping)).toBeUndefined();
  });

  it('is neither for other binary files', () => {
    const random = Uint8Array.from({ length: 192 * 20 }, (_, i) => (i * i * 31 + i * 7) & 255);
    expect(guess(random)).toBeUndefined();
    expect(guess(new Uint8Array(192))).toBeUndefined();
    expect(judgeLayout(new Uint8Array(192), true).why).toContain('fetches from address 0');
  });

  it('is both when records of either layout are possible, unless one reads as a program', () => {
    const repeated = (bytes: Uint8Array, times: number) =>
      joined(Array.from({ length: times }, () => bytes));
    // Every 32 bytes an address that may be fetched from, and flags that are 0.
    const unit = new Uint8Array(32);
    unit.set([0, 16, 64], 0);
    const both = repeated(unit, 6);
    expect(guess(both)).toBeUndefined();
    expect(judgeLayout(both, true)).toEqual({ why: 'its records may be of 64 or of 96 bytes' });
    // All loads and stores are there: as records of 96 bytes every other one fetches data.
    const all = joined(
      Array.from({ length: 6 }, (_, i) =>
        champsimRecord(
          0x401000n + BigInt(4 * i),
          [0x602000n, 0x602000n],
          [0x7ffd00000000n, 0x500000000000n],
        ),
      ),
    );
    expect(guess(all)).toBe('champsim');
  });

  it('refuses a fetch from address 0 in the middle of a file', () => {
    const bytes = program(champsimRecord, 50, false);
    bytes.fill(0, 64 * 30, 64 * 30 + 8);
    expect(() => imported('champsim', bytes)).toThrow(
      /^in\.log:31: record 31 of 64 bytes \(at byte 1920\) is not one of ChampSim: it fetches from address 0/,
    );
    expect(guess(bytes)).toBeUndefined();
  });
});

describe('address spaces in records of CloudSuite', () => {
  const two = joined(
    [1, 1, 2, 1].map((space, i) => cloudsuiteRecord(0x401000n + BigInt(4 * i), [], [], space)),
  );

  it('are told, and one has to be chosen', () => {
    expect(() => imported('champsim-cloudsuite', two)).toThrow(
      'in.log:3: there are 2 programs in it: 1 (3 accesses), 2 (1 access); choose one, for example --program 1',
    );
    const { lines } = imported('champsim-cloudsuite', two, undefined, 64, { program: '1' });
    expect(lines).toEqual(['I 3 401']);
  });
});

describe('kernel addresses in records', () => {
  it('are kept in both layouts, or left out and counted', () => {
    for (const [from, make] of [
      ['champsim', champsimRecord],
      ['champsim-cloudsuite', cloudsuiteRecord],
    ] as const) {
      const bytes = make(0xffffffff81e00080n, [0x602000n], [0xffff888000001000n]);
      expect(imported(from, bytes).lines).toEqual(['I 1 ffff81e00', 'L 1 888000001', 'S 1 602']);
      const window = { skip: 0, count: Infinity, userOnly: true };
      expect(imported(from, bytes, window).lines).toEqual(['S 1 602']);
    }
  });
});
