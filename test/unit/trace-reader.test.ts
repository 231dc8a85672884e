import { describe, expect, it } from 'vitest';
import { callClass } from '../../src/guest/system-call-classes.ts';
import { isReferenceLimited } from '../../src/guest/workloads/reference-limited.ts';
import { trace } from '../../src/guest/workloads/trace.ts';
import { Line, MAX_LINE, TraceError, TraceReader } from '../../src/guest/workloads/trace-reader.ts';
import { Op, type Program, type TraceFeed } from '../../src/guest/workloads/workload.ts';
import { nextItems } from '../support/items.ts';

/** A feed that hands out `text` in chunks of the given size; `gaps`: it is starved before each chunk. */
function feedOf(text: string, chunk = text.length || 1, gaps = false): TraceFeed {
  const bytes = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
  let at = 0;
  let starved = false;
  return {
    name: 'test.pt',
    get ended() {
      return at >= bytes.length;
    },
    take() {
      if (at >= bytes.length) return undefined;
      starved = gaps && !starved;
      if (starved) return undefined;
      at += chunk;
      return bytes.subarray(at - chunk, at);
    },
    rewind() {
      at = 0;
      starved = false;
    },
  };
}

/** Everything the reader finds, as text: `S 3 4033`. */
function read(text: string, chunk?: number): string[] {
  const reader = new TraceReader(feedOf(text, chunk), true);
  const found: string[] = [];
  for (;;) {
    const line = reader.next();
    if (line === Line.End) return found;
    if (line === Line.Space) found.push(`P ${reader.space}`);
    else if (line === Line.Event) found.push(`X ${reader.event!.name}`);
    else if (line !== Line.Starved) {
      found.push(`${'ILS'[line]} ${reader.count} ${reader.page.toString(16)}`);
    }
  }
}

function program(text: string, params: object = {}, chunk?: number, gaps = false): Program {
  const options = trace.params.parse({ file: 'test.pt', ...params });
  const workload = trace.create(options, {
    seed: '1',
    vm: 'vm',
    memoryPages: 1024,
    openTrace: () => feedOf(text, chunk, gaps),
  });
  return workload.processes[0]!.programs[0]!;
}

const NAMES = Object.fromEntries(Object.entries(Op).map(([name, op]) => [op, name]));

/** The next fill, as text. */
function fill(from: Program, room = 16): string[] {
  return nextItems(from, room).map(([a, op, b, c]) => `${NAMES[op & 255]} ${a} ${b} ${c}`);
}

/** All fills until one returns nothing, without `Starved` and the count of the finished pass. */
function drain(from: Program, room = 16): string[] {
  const all: string[] = [];
  for (let i = 0; i < 1000; i++) {
    const items = fill(from, room);
    if (items.length === 0) break;
    all.push(...items.filter((item) => !/^(Starved|WorkDone)/.test(item)));
  }
  return all;
}

const WHOLE = `# page trace 1
# program: a test
X resident 401 2 r
I 2 401
S 3 1fff000
I 17
M 1
L 20 4033
X sys read
S 1
# totals I 19 L 20 S 4 M 1 events 2
`;

describe('the reader of page traces', () => {
  it('gives a line without a page the page of its own stream', () => {
    expect(read(WHOLE)).toEqual([
      'X resident',
      'I 2 401',
      'S 3 1fff000',
      'I 17 401',
      'S 1 1fff000',
      'L 20 4033',
      'X sys',
      'S 1 4033',
    ]);
  });

  it('finds the same whatever the size of the chunks', () => {
    const expected = read(WHOLE);
    for (let chunk = 1; chunk <= WHOLE.length; chunk++)
      expect(read(WHOLE, chunk)).toEqual(expected);
  });

  it('accepts a trace without head and totals, leading zeros and capitals', () => {
    expect(read('I 1 000000000000401\nL 2 ABC\n')).toEqual(['I 1 401', 'L 2 abc']);
  });

  it('numbers the 512 GiB areas of each address space in order of first use', () => {
    const found = read('L 1 7fffffffe\nL 1 400\nL 1 7fffff000\nP 2\nL 1 400\n');
    expect(found).toEqual(['L 1 7fffffe', 'L 1 8000400', 'L 1 7fff000', 'P 2', 'L 1 400']);
  });

  it('gives a forked address space the numbering of its parent', () => {
    const found = read('P 1\nL 1 7f0000000\nL 1 400\nX fork 2\nP 2\nL 1 400\n');
    expect(found.at(-1)).toBe('L 1 8000400');
  });

  it.each([
    ['must name its page', 'P 1\nL 1 400\nP 2\nL 1\n', 4],
    ['count is out of range', 'I 0 400\n', 1],
    ['out of range', 'I 1 400\nI x 400\n', 2],
    ['not a line', 'I 1 400\nI 1 4g0\n', 2],
    ['not a line', 'I 1 400\nI 1 \n', 2],
    ['out of range', 'I 1 400\nI  1 400\n', 2],
    ['at most 36 bits', 'I 1 400\nI 1 1000000000\n', 2],
    ['not a line', 'I 1 400\n\n', 2],
    ['not a line', 'I 1 400\nX mmap 400 1 rwx\n', 2],
    ['unknown event', 'I 1 400\nX teleport 400\n', 2],
    ['takes 2 arguments', 'I 1 400\nX munmap 400\n', 2],
    ['does not end', 'I 1 400\nI 1 401', 2],
    ['totals', '# page trace 1\nI 1 400\n', 2],
    ['damaged', '# page trace 1\nI 1 400\n# totals I 2 L 0\n', 3],
    ['format 2', '# page trace 2\nI 1 400\n', 1],
    ['not a page trace', '==12== Lackey\n', 1],
    ['raw output of lackey', 'I  0401ab70,3\n', 1],
    ['CR LF', 'I 1 400\r\n', 1],
    ['not a page trace', '\x7fELF\x02', 1],
    ['lines follow', '# page trace 1\nI 1 400\n# totals I 1\nI 1 400\n', 4],
    ['out of range', 'I 1 400\nL 1099511627777 400\n', 2],
    ['compressed', '\x1f\x8b\x08\n', 1],
    ['empty', '', 1],
    ['longer than', `# ${'x'.repeat(MAX_LINE)}\n`, 1],
    ['longer than', `I 1 ${'0'.repeat(MAX_LINE)}\n`, 1],
  ])('refuses bad text: %s', (message, text, line) => {
    for (const chunk of [text.length || 1, 1]) {
      let thrown: unknown;
      try {
        read(text, chunk);
      } catch (error) {
        thrown = error;
      }
      expect(thrown).toBeInstanceOf(TraceError);
      expect((thrown as TraceError).line).toBe(line);
      expect((thrown as TraceError).message).toContain(message);
    }
  });

  it('keeps pages of the kernel apart from those of the program, in either spelling', () => {
    // The second area of 512 GiB that is used is numbered 1; the low 27 bits stay.
    const expected = ['L 1 401', 'L 1 ff80401', 'L 1 ff80401', 'L 1 401'];
    for (const chunk of [1, 100]) {
      const text = 'L 1 401\nL 1 ffff80401\nL 1 ffffffff80401\nL 1 0000000000401\n';
      expect(read(text, chunk)).toEqual(expected);
    }
    const mapped = read('X mmap ffffffff80401 2 rw-pa\nL 1 ffff80402\nX munmap ffff80401 2\n');
    expect(mapped).toEqual(['X mmap', 'L 1 7f80402', 'X munmap']);
  });

  it.each(['1000000000', '7ffffffff80401', 'fff7fff80401', '1ffffffff80401', '10000000000000401'])(
    'refuses page %s, which no canonical address is on',
    (page) => {
      expect(() => read(`L 1 401\nL 1 ${page}\n`)).toThrow(/^test\.pt:2: .*at most 36 bits/);
      expect(() => read(`L 1 401\nX munmap ${page} 1\n`)).toThrow(/^test\.pt:2: .*at most 36/);
    },
  );

  it('refuses pages of the kernel in two address spaces, which a computer shares and the model would not', () => {
    const message = /^test\.pt:5: kernel addresses in address space 2 and in 1/;
    expect(() => read('P 1\nL 1 ffff80401\nP 2\nL 1 401\nL 1 ffff80402\n')).toThrow(message);
    expect(read('P 1\nL 1 ffff80401\nP 2\nL 1 401\nP 1\nL 1 ffff80402\n')).toHaveLength(6);
    expect(() => read('P 1\nL 1 ffff80401\nX fork 2\nP 2\nL 1 ffff80401\n')).toThrow(/forks/);
  });

  it('skips a byte-order mark', () => {
    for (const text of ['\xef\xbb\xbfI 1 401\n', `\xef\xbb\xbf${WHOLE}`]) {
      for (const chunk of [1, 2, 100]) expect(read(text, chunk)).toEqual(read(text.slice(3)));
    }
    expect(() => read('\xef\xbb\xbf', 1)).toThrow('it is empty');
  });

  it.each([
    ['UTF-16: save it as UTF-8', '\xff\xfeI\0 \x001\0 \x004\0\n\0'],
    ['a zip archive: unpack it first', 'PK\x03\x04\x14\0\0'],
    ['a zip archive: unpack it first', `PK\x03\x04${'\0'.repeat(MAX_LINE)}`],
    ['compressed with zstd: unpack it first', '\x28\xb5\x2f\xfd\x04\0\n'],
    ['a program (ELF)', '\x7fELF\x02\n'],
    ['it begins with binary data (01 00', '\x01\0\x02\0\x03\n'],
  ])('says of another file that it is %s', (message, text) => {
    expect(() => read(text)).toThrow(`test.pt:1: not a page trace: `);
    expect(() => read(text)).toThrow(message);
  });

  it('refuses a program spread over more than fifteen areas', () => {
    const text = Array.from({ length: 16 }, (_, i) => `L 1 ${(i * 2 ** 27).toString(16)}\n`);
    expect(() => read(text.join(''))).toThrow('512 GiB');
  });
});

describe('the trace workload', () => {
  it('counts instructions on the fetch side only', () => {
    expect(drain(program('I 5 400\nM 2 500\n'))).toEqual(['Fetch 1024 5 5', 'Store 1280 2 0']);
  });

  it('lets each reference stand for an instruction in a trace without fetches', () => {
    expect(drain(program('L 70000 1\nS 2 2\nI 3 4\nL 70000 1\n'))).toEqual([
      'Load 1 65535 65535',
      'Load 1 4465 4465',
      'Store 2 2 2',
      'Fetch 4 3 3',
      'Load 1 70000 0',
    ]);
  });

  it('splits visits that do not fit an item', () => {
    expect(drain(program('I 70000 1\nL 20000000 2\n'))).toEqual([
      'Fetch 1 65535 65535',
      'Fetch 1 4465 4465',
      ...Array(4).fill('Load 2 4194303 0'),
      'Load 2 3222788 0',
    ]);
  });

  it('cuts a visit where a turn ends and goes on with it in the next', () => {
    const from = program('L 5 1\nL 5 2\n');
    if (!isReferenceLimited(from)) throw new Error('not limited');
    const turns = [4, 4, 4].map((limit) => {
      from.limit(limit);
      return [drain(from), from.remaining, from.finished];
    });
    expect(turns).toEqual([
      [['Load 1 4 4'], 0, false],
      [['Load 1 1 1', 'Load 2 3 3'], 0, false],
      [['Load 2 2 2'], 2, true],
    ]);
  });

  it('knows that it is finished when a turn ends with the last reference', () => {
    const from = program('# page trace 1\nL 4 1\n# totals L 4\n', {}, 3, true);
    if (!isReferenceLimited(from)) throw new Error('not limited');
    from.limit(4);
    expect(drain(from)).toEqual(['Load 1 4 4']);
    expect(from.finished).toBe(true);
  });

  it('says when it is starved and goes on afterwards', () => {
    const from = program('L 4 1\nL 1 2\n', {}, 6, true);
    expect(fill(from)).toEqual(['Starved 0 0 0']);
    expect(drain(from)).toEqual(['Load 1 4 4', 'Load 2 1 1']);
  });

  it('uses only the first references when limited', () => {
    expect(drain(program('I 3 1\nL 5 2\nL 5 3\n', { limitReferences: 5 }))).toEqual([
      'Fetch 1 3 3',
      'Load 2 2 0',
    ]);
  });

  it('counts the pass behind its last reference', () => {
    expect(fill(program('I 5 400\n'))).toEqual(['Fetch 1024 5 5', 'WorkDone 1 0 0']);
  });

  it('starts again when looped, and counts each pass', () => {
    const from = program('L 1 1\nL 1 2\n', { loop: true, limitReferences: 1 });
    expect([fill(from), fill(from)]).toEqual([
      ['Load 1 1 1', 'WorkDone 1 0 0'],
      ['Load 1 1 1', 'WorkDone 1 0 0'],
    ]);
  });

  it('passes over a looped trace as over one that is read anew each time', () => {
    const text =
      '# page trace 1\nX mmap 10 2 rw-pa\nI 1 20\nL 3 10\nI 70000 20\nP 4\nX exec 5\nP 5\nS 1 10\nX exit\n# totals L 3\n';
    for (const options of [{ events: 'replay' }, {}, { limitReferences: 70_002 }]) {
      const looped = program(text, { ...options, loop: true });
      const once = () => program(text, options);
      for (let pass = 0; pass < 3; pass++) {
        const expected = once();
        let items: string[];
        do {
          items = fill(expected, 3);
          if (items.length > 0) expect(fill(looped, 3)).toEqual(items);
        } while (items.length > 0);
      }
    }
  });

  it('goes on reading a looped trace that has too many lines to be kept', () => {
    const lines = 300_000;
    const text = Array.from({ length: lines }, (_, i) => `L 1 ${(i % 7).toString(16)}\n`).join('');
    const from = program(text, { loop: true });
    for (let pass = 0; pass < 2; pass++) {
      let seen = 0;
      for (;;) {
        const items = fill(from, 1000);
        seen += items.filter((item) => item.startsWith('Load')).length;
        if (items.at(-1)!.startsWith('WorkDone')) break;
      }
      expect(seen).toBe(lines);
    }
  });

  it.each([true, false])('refuses a trace without references, looped: %s', (loop) => {
    expect(() => fill(program('# nothing\n', { loop }))).toThrow('no references');
  });

  it('numbers address spaces from 0 in order of appearance', () => {
    expect(drain(program('P 7\nL 1 1\nP 9\nL 1 1\nP 7\nL 1 1\n'))).toEqual([
      'SwitchTo 0 0 0',
      'Load 1 1 1',
      'SwitchTo 1 0 0',
      'Load 1 1 1',
      'SwitchTo 0 0 0',
      'Load 1 1 1',
    ]);
  });

  it('leaves events out unless they are to be replayed', () => {
    const text = 'X mmap 10 2 rw-pa\nL 1 10\nX munmap 10 2\n';
    expect(drain(program(text))).toEqual(['Load 16 1 1']);
    expect(drain(program(text, { events: 'replay' }))).toEqual([
      'Mmap 16 2 4',
      'Load 16 1 1',
      'Munmap 16 2 0',
    ]);
  });

  it('replays fork, exec and exit', () => {
    const text = 'P 1\nL 1 1\nX fork 2\nP 2\nX exec 3\nP 3\nL 1 1\nX exit\nP 1\nL 1 1\n';
    expect(drain(program(text, { events: 'replay' }))).toEqual([
      'SwitchTo 0 0 0',
      'Load 1 1 1',
      'ForkTo 1 0 0',
      'SwitchTo 1 0 0',
      'Exec 0 0 0',
      'SwitchTo 1 0 0',
      'Load 1 1 1',
      `Munmap 0 ${15 * 2 ** 27} 0`,
      'SwitchTo 0 0 0',
      'Load 1 1 1',
    ]);
  });

  it('replays the other events', () => {
    const text = [
      'X resident 1 1 r',
      'X brk+ 10 3',
      'X brk- 12 1',
      'X mprotect 10 1 r--',
      'X mremap 10 2 20 3',
      'X dontneed 20 1',
      'X sys read',
      'X sys newfstatat',
      'X sys newcall',
      'L 1 1',
    ].join('\n');
    expect(drain(program(`${text}\n`, { events: 'replay' }))).toEqual([
      'Mmap 16 3 4',
      'Munmap 18 1 0',
      'Mprotect 16 1 0',
      'Mremap 16 32 2',
      'Mmap 34 1 4',
      'Discard 32 1 0',
      ...['read', 'stat', 'other'].map((name) => `Syscall ${callClass(name as 'read')} 0 0`),
      'Load 1 1 1',
    ]);
  });
});
