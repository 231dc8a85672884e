import { describe, expect, it } from 'vitest';
import { guessFormat } from '../../src/trace/formats/index.ts';
import { bytesOf, imported } from '../support/trace-import.ts';

/** Spellings of text formats that people really have, and what must not pass for a line of them. */

const guess = (text: string) => guessFormat(bytesOf(text))?.name;
const linesOf = (from: string, text: string) => imported(from, text).lines;
const refusal = (from: string, text: string, program?: string): string => {
  try {
    imported(from, text, undefined, undefined, { program });
  } catch (error) {
    expect((error as Error).name).toBe('TraceError');
    return (error as Error).message;
  }
  return 'it was read';
};

describe('lackey output that was reformatted', () => {
  const spellings: [string, string][] = [
    ['one blank after I', 'I 401000,3\nI 7ff0005c8,8\n L 601040,4\n'],
    ['no blank before L', 'I  401000,3\nI  7ff0005c8,8\nL 601040,4\n'],
    ['tabs', 'I\t401000,3\nI\t7ff0005c8,8\n\tL\t601040,4\n'],
    ['many blanks everywhere', '  I    00401000,3  \n I   7ff0005c8,8\t\n   L  601040,4   \n'],
    ['capital digits', 'I 00401000,3\nI 7FF0005C8,8\n L 601040,4\n'],
    ['the ends of lines of Windows', 'I 401000,3\r\nI 7ff0005c8,8\r\n L 601040,4\r\n'],
    ['a byte-order mark', '\xef\xbb\xbfI 401000,3\nI 7ff0005c8,8\n L 601040,4\n'],
    ['an empty line first', '\n\nI 401000,3\n\nI 7ff0005c8,8\n L 601040,4\n'],
    ['a comment first', '# course on caches\nI 401000,3\nI 7ff0005c8,8\n L 601040,4\n'],
    ['**pid** first', '**9** hello\nI 401000,3\nI 7ff0005c8,8\n L 601040,4\n'],
    ['--pid-- first', '--9-- hello\nI 401000,3\nI 7ff0005c8,8\n L 601040,4\n'],
    [
      'time stamps',
      '==00:00:00:00.310 9== Lackey\n--00:01:00:00.310 9-- x\nI 401000,3\nI 7ff0005c8,8\n L 601040,4\n',
    ],
    [
      'superblocks',
      'SB 00401000\nI  00401000,3\nSB 7FF0005c8\nI  7ff0005c8,8\nSB 04000be0 \n L 601040,4\n',
    ],
    ['debugging output', '--9:1:main   Welcome\n==9== \nI 401000,3\nI 7ff0005c8,8\n L 601040,4\n'],
  ];
  for (const [what, text] of spellings) {
    it(`gives the same pages with ${what}, and is guessed`, () => {
      expect(linesOf('lackey', text)).toEqual(['I 1 401', 'I 1 7ff000', 'L 1 601']);
      expect(guess(text)).toBe('lackey');
    });
  }

  it('reads the five kinds of lines of --trace-superblocks=yes', () => {
    const text =
      '==4711== Lackey\n==4711== \nSB 04000be0\nI  04000be0,3\n L 1ffeffe7e,1\nSB 04000bf3\nI  04000bf3,5\n S 1ffeffe80,8\n M 1ffeffe80,8\n';
    expect(imported('lackey', text).totals).toMatch(/^# totals I 2 L 1 S 1 M 1 /);
  });

  it.each([
    ['text after an access', 'I 401000,3 really\n'],
    ['text after the size', 'I 401000,3abc\n'],
    ['no blank after the letter', 'I401000,3\n'],
    ['a digit that is none', 'I 4010g0,3\n'],
    ['0x', 'I 0x401000,3\n'],
    ['no size', 'I 401000,\n'],
    ['a size of 0', 'I 401000,0\n'],
    ['another letter', 'X 401000,3\n'],
    ['a small letter', 'i 401000,3\n'],
    ['a superblock that is none', 'SB 04000be0 main\n'],
    ['a message that is none', '==x== hello\n'],
    ['half of the mark of a message', '==9 hello\n'],
    ['a system call that is none', 'SYSCALL[9,1] sys_read\n'],
    ['an arrow', '--> done\n'],
    ['an arrow of a program', ' --> done\n'],
  ])('refuses %s with its place', (_, line) => {
    const message = refusal('lackey', `I 400000,3\n${line}`);
    expect(message).toMatch(/^in\.log:[23]: not a (line of lackey output|system call as)/);
    expect(message).toContain(JSON.stringify(line.trimEnd().split('\n').at(-1)).slice(0, -1));
  });

  it.each([
    ['==9== a\nI 401000,3\n==10== b\n', 'in.log:3: process 10 writes into the file of process 9'],
    ['==9== a\n--10-- b\n', 'in.log:2: process 10 writes into the file of process 9'],
    [
      'SYSCALL[9,1](1) sys_write ( 1 ) --> [async] ... \nSYSCALL[71,1](1) sys_write ( 1 ) --> [async] ... \n',
      'in.log:2: process 71 writes into the file of process 9',
    ],
  ])('refuses two processes in one file', (text, message) => {
    expect(refusal('lackey', text)).toContain(message);
    expect(refusal('lackey', text)).toContain('--log-file=%p.log');
  });
});

/** The same records as releases of DynamoRIO print them. */
const RELEASES: [string, string][] = [
  [
    '8.0, without numbers',
    `T327766 <marker: version 3>
T327766   0x00007fe61d582a4a  b8 38 00 00 00       mov    $0x00000038, %eax
T327766   0x00007fe61d582a4f  0f 05                syscall
------------------------------------------------------------
T327767 <marker: timestamp 13280020226777973>
T327767   0x00007fe61d582a51  48 85 c0             test   %rax, %rax
T327767     read  8 byte(s) @ 0x7fe61d483ef0
T327767     write 8 byte(s) @ 0x7fe61d483ef8
T327767 <entry type 12>
T327767 <thread 327767 exited>
View tool results:
              3 : total disassembled instructions
`,
  ],
  [
    '9.0, with the number of the record',
    `    3016013: T327766   0x00007fe61d582a4a  b8 38 00 00 00       mov    $0x00000038, %eax
    3016014: T327766   0x00007fe61d582a4f  0f 05                syscall
------------------------------------------------------------
    3016015: T327767 <marker: timestamp 13280020226777973>
    3016016: T327767 <marker: tid 327767 on core 8>
    3016017: T327767   0x00007fe61d582a51  48 85 c0             test   %rax, %rax
    3016018: T327767     read  8 byte(s) @ 0x7fe61d483ef0
    3016019: T327767     write 8 byte(s) @ 0x7fe61d483ef8
`,
  ],
  [
    '10.0, with the number of the instruction',
    `Output format:
<--record#-> <--instr#->: <---tid---> <record details>
------------------------------------------------------------
          14           1:      327766 <marker: filetype 0xe40>
          15           1:      327766 ifetch       5 byte(s) @ 0x00007fe61d582a4a b8 38 00 00 00       mov    $0x00000038 -> %eax
          16           2:      327766 ifetch       2 byte(s) @ 0x00007fe61d582a4f 0f 05                syscall
          17           2:      327767 pref-r-L1    8 byte(s) @ 0x00007fe61d483000 by PC 0x00007fe61d582a4f
          18           3:      327767 ifetch       3 byte(s) @ 0x00007fe61d582a51 non-branch
          19           3:      327767 read         8 byte(s) @ 0x00007fe61d483ef0 by PC 0x00007fe61d582a51
          20           3:      327767 write        8 byte(s) @ 0x00007fe61d483ef8 by PC 0x00007fe61d582a51
          21           3:      327767 iflush      64 byte(s) @ 0x00007fe61d483ec0 by PC 0x00007fe61d582a51
View tool results:
              3 : total instructions

===========================================================================
Trace invariant checks passed
`,
  ],
  [
    '11.0, with the program',
    `Output format:
<--record#-> <--instr#->: <Wrkld.Tid> <record details>
------------------------------------------------------------
          14           1:  W0.T327766 <marker: maybe-blocking system call>
          15           1:  W0.T327766 ifetch       5 byte(s) @ 0x00007fe61d582a4a b8 38 00 00 00       mov    $0x00000038 -> %eax
          16           2:  W0.T327766 ifetch       2 byte(s) @ 0x00007fe61d582a4f 0f 05                syscall
------------------------------------------------------------
          17           2:  W0.T327767 <marker: trace start for system call number 39>
          18           3:  W0.T327767 ifetch       3 byte(s) @ 0x00007fe61d582a51 48 85 c0             test   %rax %rax (taken)
          19           3:  W0.T327767 ifetch       2 byte(s) @ 0x00007fe61d582a51 non-fetched instruction
          20           3:  W0.T327767 read         8 byte(s) @ 0x00007fe61d483ef0 by PC 0x00007fe61d582a51
          21           3:  W0.T327767 write        8 byte(s) @ 0x00007fe61d483ef8 by PC 0x00007fe61d582a51
`,
  ],
];

describe('text of the view tool', () => {
  for (const [release, text] of RELEASES) {
    it(`is read as of DynamoRIO ${release}, and guessed`, () => {
      for (const spelt of [text, `\xef\xbb\xbf${text}`, text.replaceAll('\n', '\r\n')]) {
        const { lines, totals } = imported('drcachesim', spelt);
        expect(lines).toEqual(['I 3 7fe61d582', 'L 1 7fe61d483', 'S 1']);
        expect(totals).toContain('I 3 L 1 S 1 M 0 straddles 0');
        expect(guess(spelt)).toBe('drcachesim');
      }
      expect(imported('drcachesim', text, undefined, 1).lines).toHaveLength(3);
    });
  }

  it.each([
    ['with the prefix of the record', 'T9   ', ''],
    ['with blanks only', '', ''],
    ['with the number of the record', '  7: T9  ', '  7: '],
  ])('adds the bytes of a long instruction on a second line, %s', (_, second, first) => {
    // 8 bytes from ffc on: the next page is touched by the last four, which a line of 7 bytes shows in part.
    const text = `${first}T9   0x0000000000401ff9  48 8d 34 25 00 20 40 lea 0x00402000 -> %rsi\n${second}                       00\nT9     read  8 byte(s) @ 0x403000\n`;
    const { lines, totals } = imported('drcachesim', text);
    expect(lines).toEqual(['I 1 401', 'I 1 402', 'L 1 403']);
    expect(totals).toContain('straddles 1');
  });

  it('takes the size from words of 4 bytes, as on processors with instructions of one length', () => {
    const text =
      'T9   0x0000000000401ffc  91038040   add    %x2 $0x00e0\nT9     read  8 byte(s) @ 0x403000\n';
    expect(linesOf('drcachesim', text)).toEqual(['I 1 401', 'L 1 403']);
  });

  it.each([
    'T9 fetch 3 byte(s) @ 0x401000',
    'T9   0x0000000000401000',
    'T9   0x0000000000401000  mov %rax',
    'T9   401000  48 85 c0  test',
    '3: T9     read  8 byte(s) @ 401000',
    '3: T9     read  8 bytes @ 0x401000',
    '3: T9     reads 8 byte(s) @ 0x401000',
    '3: T9     read  8 byte(s) @ 0x401000 and more',
    '3 4: 9 ifetch 3 byte(s) at 0x401000',
    '3 4: 9 ifetched 3 byte(s) @ 0x401000',
    '3 4: 9 <marker: version 6> 0x401000',
    '3 4: 9 <something: version 6>',
    '3 4: 9 pref-q 3 byte(s) @ 0x401000',
    '3 4 5: 9 ifetch 3 byte(s) @ 0x401000',
    'W0 ifetch 3 byte(s) @ 0x401000',
    '<...>',
    'the program says hello',
    '---- ----',
  ])('refuses "%s" between records', (line) => {
    const message = refusal('drcachesim', `1 1: 9 ifetch 3 byte(s) @ 0x400000\n${line}\n`);
    expect(message).toBe(`in.log:2: not a record of the view tool: ${JSON.stringify(line)}`);
  });

  it('passes over what the program printed before the heading, says so, and nothing without a heading', () => {
    const record = '1 1: 9 ifetch 3 byte(s) @ 0x400000\n';
    const heading = RELEASES[2]![1].split('\n').slice(0, 3).join('\n');
    const { lines, notes } = imported('drcachesim', `hello\nworld\n${heading}\n${record}`);
    expect(lines).toEqual(['I 1 400']);
    expect(notes).toEqual(['2 lines before the heading of the view tool left out']);
    expect(refusal('drcachesim', `hello\nworld\n${record}`)).toBe(
      'in.log:1: not a record of the view tool: "hello"',
    );
    expect(refusal('drcachesim', 'hello\n')).toBe(
      'in.log:1: not a record of the view tool: "hello"',
    );
  });

  it('refuses two outputs in one file', () => {
    const [, text] = RELEASES[2]!;
    expect(refusal('drcachesim', text + RELEASES[1]![1])).toMatch(
      /:17: a record after the results/,
    );
    const cut = text.slice(0, text.indexOf('View'));
    expect(refusal('drcachesim', cut + cut)).toMatch(/:12: a second output of the view tool/);
  });
});

describe('two programs in one trace', () => {
  const text = [
    '1 0: W0.T342625 <marker: version 6>',
    '2 1: W0.T342625 ifetch 2 byte(s) @ 0x0000000000401026 0f 05  syscall',
    '3 1: W1.T342626 <marker: system call 39>',
    '4 2: W1.T342626 ifetch 2 byte(s) @ 0x0000000000401026 0f 05  syscall',
    '5 2: W1.T342626 read   8 byte(s) @ 0x00007ffd51ace110 by PC 0x0000000000401026',
    '6 3: W0.T342625 write  8 byte(s) @ 0x00007ffd51ace110 by PC 0x0000000000401026',
  ].join('\n');

  it('are told with their accesses, and one has to be chosen', () => {
    expect(refusal('drcachesim', text)).toBe(
      'in.log:3: there are 2 programs in it: W0 (2 accesses), W1 (2 accesses); choose one, for example --program W0',
    );
    expect(refusal('drcachesim', text, 'W2')).toBe(
      'in.log:1: there is no program W2 in it: its programs are W0 (2 accesses), W1 (2 accesses)',
    );
  });

  it.each(['W0', 'w0', '0'])('give the accesses of the one that is called %s', (program) => {
    const { lines } = imported('drcachesim', text, undefined, 7, { program });
    expect(lines).toEqual(['I 1 401', 'S 1 7ffd51ace']);
  });

  it('give the accesses and the events of the other', () => {
    const { lines } = imported('drcachesim', text, undefined, 7, { program: 'W1' });
    expect(lines).toEqual(['X sys syscall-39', 'I 1 401', 'L 1 7ffd51ace']);
  });

  it('get the instruction whose bytes ended with their last record', () => {
    const old =
      'W0.T1   0x0000000000401026  0f 05  syscall\nW1.T2   0x0000000000402026  0f 05  syscall\n';
    for (const [program, page] of [
      ['W0', '401'],
      ['W1', '402'],
    ]) {
      const { lines } = imported('drcachesim', old, undefined, 7, { program });
      expect(lines).toEqual([`I 1 ${page}`]);
    }
    expect(refusal('drcachesim', old)).toContain('W0 (1 access), W1 (1 access)');
  });

  it('are none when the trace names none', () => {
    const nameless = text.replace(/W\d\./g, '');
    expect(refusal('drcachesim', nameless, 'W0')).toMatch(/no program W0 in it: it names none$/);
  });
});

describe('a CSV as programs write it', () => {
  const lines = ['I 1 401', 'L 1 601'];
  it.each([
    ['RFC 4180', 'address,kind,size\r\n0x401000,I,4\r\n0x601000,L,8\r\n'],
    ['a byte-order mark', '\xef\xbb\xbfaddress,kind,size\n0x401000,I,4\n0x601000,L,8\n'],
    ['everything in quotes', '"address","kind","size"\n"0x401000","I","4"\n"0x601000","L","8"\n'],
    ['text in quotes', '"address","kind","size"\n"0x401000","I",4\n"0x601000","L",8\n'],
    ['a mark and quotes', '\xef\xbb\xbf"0x401000","I"\r\n"0x601000","L"'],
    ['quoted decimal addresses', '"4198400","fetch"\n"6295552","read"\n'],
    ['blanks around quotes', ' "0x401000" , "I" , "4" \n "0x601000" , " L" , "8"\n'],
    ['tabs as blanks', '0x401000,\tI,\t4\n0x601000,\tL\t,8\n'],
    ["a spreadsheet's first line", 'sep=,\naddress,kind\n0x401000,I\n0x601000,L\n'],
    ['comments and empty lines', '\n# mine\n\naddress,kind\n\n0x401000,I\n# x\n0x601000,L\n'],
  ])('is read with %s, and guessed', (_, text) => {
    expect(linesOf('csv', text)).toEqual(lines);
    expect(imported('csv', text, undefined, 1).lines).toEqual(lines);
    expect(guess(text)).toBe('csv');
  });

  it.each([
    ['0x401000;I;4', 'separate the fields by commas'],
    ['0x401000\tI', 'separate the fields by commas'],
    ['"0x401000,I', 'a quoted field does not end'],
    ['"0x401000"x,I', 'text follows a quoted field'],
    ['"0x40""1000",I', 'text follows a quoted field'],
    ['0x401000,I,4,7', 'more fields than address,kind,size'],
    ['0x401000,I,', 'not a size'],
    ['0x401000,I,4b', 'not a size'],
    ['0x401000,I,0', 'an access has at least one byte'],
    ['0x401000,"I I"', 'unknown kind'],
    ['0x401000,', 'unknown kind'],
    ['4.2e6,I', 'write hexadecimal addresses with 0x'],
    ['-8,I', 'write hexadecimal addresses with 0x'],
    ['"401f00","I"', 'write hexadecimal addresses with 0x'],
    ['address,kind', 'write hexadecimal addresses with 0x'],
  ])('refuses %s', (line, message) => {
    const found = refusal('csv', `address,kind\n0x400000,I\n${line}\n`);
    expect(found).toContain(`in.log:3: `);
    expect(found).toContain(message);
  });
});

describe('kernel addresses', () => {
  /** A line with the address in each format of lines. */
  const spellings: [string, (address: string) => string][] = [
    ['lackey', (address) => `I ${address.slice(2)},3\n`],
    ['csv', (address) => `"${address}",I\n`],
    ['csv', (address) => `${BigInt(address)},I\n`],
    ['drcachesim', (address) => `1 1: 9 ifetch 3 byte(s) @ ${address} 0f 01 f8 swapgs\n`],
    ['drcachesim', (address) => `T9   ${address}  0f 01 f8    swapgs\n`],
  ];
  for (const [from, line] of spellings) {
    it(`are kept in ${line('0xffffffff81e00080').trim()}`, () => {
      const pages = [
        '0xffffffff81e00080',
        '0xffff800000000000',
        '0x00007fffffffe000',
        '0xffffffffff600000',
      ];
      expect(linesOf(from, pages.map(line).join(''))).toEqual([
        'I 1 ffff81e00',
        'I 1 800000000',
        'I 1 7fffffffe',
        'I 1 ffffff600',
      ]);
    });

    it(`are refused in ${line('0xffff7fff81e00080').trim()} and others that are not canonical`, () => {
      for (const address of [
        '0xffff7fff81e00080',
        '0x0000800000000000',
        '0x0000ffff81e00080',
        '0x7fffffff81e00080',
        '0x0001000000000000',
      ]) {
        expect(refusal(from, line('0x401000') + line(address))).toMatch(
          /^in\.log:2: the address .*is not canonical/,
        );
      }
    });
  }

  it('have at most 64 bits', () => {
    expect(refusal('lackey', 'I 1ffffffff81e00080,3\n')).toMatch(/more than 64 bits/);
    expect(refusal('csv', '18446744073709551616,I\n')).toMatch(/more than 64 bits/);
  });

  it('are left out and counted when they are not wanted', () => {
    const text = 'I 401000,3\nI ffffffff81e00080,3\n S ffff888000000ffc,8\n S 601000,8\n';
    const { lines, totals } = imported('lackey', text, {
      skip: 0,
      count: Infinity,
      userOnly: true,
    });
    expect(lines).toEqual(['I 1 401', 'S 1 601']);
    expect(totals).toContain('I 1 L 0 S 1 M 0 straddles 0');
  });
});

describe('a damaged byte', () => {
  const texts: [string, number, string][] = [
    [
      'lackey',
      4,
      'I  0401ab70,3\n S 1fff000d28,8\nSB 04000be0\n==7== x\nSYSCALL[7,1](12) sys_brk ( 0x0 ) --> [pre-success] Success(0x4035000) \n L ffffffff81e00080,4\n M 04033000,4\n',
    ],
    ['csv', 3, '"address","kind","size"\n"0x401000","I",4\n4198400,read,8\n0xffffffff81e00080,W\n'],
    [
      'drcachesim',
      3,
      `${RELEASES[1]![1].split('\n').slice(1).join('\n')}View tool results:\n 2 : total\n`,
    ],
    ['drcachesim', 5, RELEASES[3]![1]],
  ];
  // No line break is made or lost, and no comment begins.
  const bytes = [...' \t,0aGIL"\\:<>@W.-\0\r\xff'].map((letter) => letter.charCodeAt(0));
  for (const [from, accesses, text] of texts) {
    // A quick run damages every third byte of the long ones.
    const step = process.env['VALIDATE'] === 'full' || text.length < 400 ? 1 : 3;
    it(`in ${from} output is refused, or every access is there all the same: ${accesses}`, () => {
      let refused = 0;
      for (let at = 0; at < text.length; at += step) {
        if (text[at] === '\n') continue;
        for (const byte of bytes) {
          const damaged = bytesOf(text);
          damaged[at] = byte;
          try {
            const { totals } = imported(from, damaged);
            const sum = [...totals.matchAll(/ [ILSM] (\d+)/g)].reduce(
              (n, [, k]) => n + Number(k),
              0,
            );
            expect(`${sum >= accesses} ${at}`).toBe(`true ${at}`);
          } catch (error) {
            if ((error as Error).name !== 'TraceError') throw error;
            expect((error as Error).message).toMatch(/^in\.log:\d+: [ -~…]*$/);
            refused++;
          }
        }
      }
      expect(refused).toBeGreaterThan(text.length);
    });
  }

  it('that was the break behind a system call does not hide the access', () => {
    const call = 'SYSCALL[7,1](12) sys_brk ( 0x0 ) --> [pre-success] Success(0x4035000) ';
    expect(refusal('lackey', `I 401000,3\n${call} M 04033000,4\n`)).toContain('an access behind');
    expect(refusal('lackey', `I 401000,3\n --> [sync] Success(0x0)I  04033000,4\n`)).toContain(
      'an access behind',
    );
  });
});

describe('a guess looks at the lines that say something', () => {
  it.each([
    ['lackey', `${'\n'.repeat(50)}# mine\n==9== x\n`],
    ['drcachesim', 'Hello, world\nOutput format:\n'],
    ['csv', '# a\n\n# b\naddr,rw,len\n'],
    [undefined, 'Lorem ipsum\n\ndolor sit amet\n'],
    [undefined, '\n\n# nothing\n'],
  ])('%s', (name, text) => expect(guess(text)).toBe(name));
});
