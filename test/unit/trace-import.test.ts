import { describe, expect, it } from 'vitest';
import { guessFormat, traceFormats } from '../../src/trace/formats/index.ts';
import { PageTraceWriter } from '../../src/trace/page-trace-writer.ts';
import { TraceRecorder } from '../../src/trace/recorder.ts';
import { bytesOf, champsimRecord, imported } from '../support/trace-import.ts';

const LACKEY = `==7== Lackey, an example Valgrind tool
I  0401ab70,3
I  0401ab73,5
 S 1fff000d28,8
I  0401affe,4
 L 1fff000ffc,8
 M 04033000,4
SYSCALL[7,1](12) sys_brk ( 0x0 ) --> [pre-success] Success(0x4035000) 
SYSCALL[7,1](12) sys_brk ( 0x4037800 ) --> [pre-success] Success(0x4037800) 
SYSCALL[7,1](9) sys_mmap ( 0x0, 8193, 3, 34, 4294967295, 0 ) --> [pre-success] Success(0x4835000) 
SYSCALL[7,1](0) sys_read ( 4, 0x1ffefff3d8, 832 ) --> [async] ... 
SYSCALL[7,1](0) ... [async] --> Success(0x340) 
SYSCALL[7,1](334) unimplemented (by the kernel) syscall: 334! (ni_syscall)
 --> [pre-fail] Failure(0x26) 
SYSCALL[7,1](25) sys_mremap ( 0x4835000, 12288, 20480, 1, 0 ) --> [sync] Success(0x5000000) 
SYSCALL[7,1](28) sys_madvise ( 0x4037000, 4096, 4 )[sync] --> Success(0x0) 
SYSCALL[7,1](12) sys_brk ( 0x4035000 ) --> [pre-success] Success(0x4035000) 
SYSCALL[7,1](10) sys_mprotect ( 0x4031000, 8192, 1 )[sync] --> Success(0x0) 
SYSCALL[7,1](11) sys_munmap ( 0x483c000, 40479 )[sync] --> Success(0x0) 
SYSCALL[7,1](11) sys_munmap ( 0x483c000, 40479 )[sync] --> Failure(0x16) 
SYSCALL[7,1](56) sys_clone ( 1200011, 0x0, 0x0 ) --> [pre] created child 71
I  0401b000,1
SYSCALL[7,1](231) exit_group( 0 ) --> [pre-success] Success(0x0) 
==7== Exit code:       0
`;

const LACKEY_LINES = [
  'I 3 401a',
  'S 1 1fff000',
  'I 1 401b',
  'L 1',
  'L 1 1fff001',
  'M 1 4033',
  'X sys brk',
  'X brk+ 4035 3',
  'X mmap 4835 3 rw-pa',
  'X sys read',
  'X sys unimplemented',
  'X mremap 4835 3 5000 5',
  'X dontneed 4037 1',
  'X brk- 4035 3',
  'X mprotect 4031 2 r--',
  'X munmap 483c 10',
  'X sys munmap',
  'X fork 71',
  'I 1',
  'X exit',
];

const VIEW = `Hello from the program
Output format:
<--record#-> <--instr#->: <---tid---> <record details>
------------------------------------------------------------
           1           0:      296231 <marker: version 6>
           2           1:      296231 ifetch       3 byte(s) @ 0x00007f3c6e1d7ffe 48 89 e7    mov    %rsp -> %rdi
           3           2:      296231 ifetch       8 byte(s) @ 0x00007f3c6e1d8012 48 8d 34 25 00 20 40 lea    0x00402000 -> %rsi
           3           2:      296231                                             00
           4           2:      296231 write        8 byte(s) @ 0x00007ffe8d5d7e58 by PC 0x00007f3c6e1d8012
------------------------------------------------------------
           5           2:   W0.T29623 read         4 byte(s) @ 0x00007ffe8d5d7e60 by PC 0x00007f3c6e1d8012
           6           2:   W0.T29623 <marker: system call 12>
           7           2:   W0.T29623 non-fetched instr 2 byte(s) @ 0x00007f3c6e1d8012 f3 a4 rep movs
View tool results:
              2 : total instructions
`;

const CHAMPSIM = Uint8Array.from([
  ...champsimRecord(0x401000n, [], [0x7ffe00001008n]),
  ...champsimRecord(0x401004n, [0x7ffe00001010n, 0x602000n], [0x7ffe00001010n]),
]);

describe('reading lackey output', () => {
  it('packs segments, cuts straddling accesses and turns system calls into events', () => {
    const { lines, totals } = imported('lackey', LACKEY);
    expect(lines).toEqual(LACKEY_LINES);
    expect(totals).toBe('# totals I 5 L 2 S 1 M 1 straddles 2 distinct-pages 5 events 13 lines 7');
  });

  it('gives the same trace wherever the input is cut into chunks', () => {
    for (const chunk of [1, 7, 64]) {
      expect(imported('lackey', LACKEY, undefined, chunk).lines).toEqual(LACKEY_LINES);
    }
  });

  it('opens a window with the pages that were touched before it and are still mapped', () => {
    const input =
      ' S 00001000,4\n L 00002000,4\n L 00003000,4\n S 00009000,8\nSYSCALL[7,1](11) sys_munmap ( 0x9000, 4096 )[sync] --> Success(0x0) \n L 00001008,4\n L 00005000,4\n L 00006000,4\n';
    const { lines } = imported('lackey', input, { skip: 5, count: 2 });
    expect(lines).toEqual(['X resident 1 1 w', 'X resident 2 2 r', 'L 1 5', 'L 1 6']);
  });
});

describe('reading the other formats', () => {
  it('takes fetches, reads, writes and system calls from the view tool of drcachesim', () => {
    expect(imported('drcachesim', VIEW).lines).toEqual([
      'I 1 7f3c6e1d7',
      'I 2 7f3c6e1d8',
      'S 1 7ffe8d5d7',
      'L 1',
      'X sys syscall-12',
    ]);
  });

  it('takes the older lines of drcachesim without an instruction count', () => {
    const old =
      '   173369: T1774669 ifetch       3 byte(s) @ 0x0000000000402680 f3 48 a5 rep movsq\n';
    expect(imported('drcachesim', old).lines).toEqual(['I 1 402']);
  });

  it('reads a CSV with and without a heading, in hexadecimal and decimal, with sizes and words', () => {
    const body =
      '0x401000,I\r\n8192,read,8\n# a comment\n0x2ffc , W , 8\n0X2FFC,rw,4\n4198400,ifetch\n';
    const lines = ['I 2 401', 'L 1 2', 'S 1', 'S 1 3', 'M 1 2'];
    // The last fetch is in the page of the first, but three segments later.
    lines.splice(0, 1, 'I 1 401');
    lines.push('I 1');
    expect(imported('csv', body).lines).toEqual(lines);
    expect(imported('csv', `address,kind,size\n${body}`).lines).toEqual(lines);
  });

  it('reads the records of ChampSim; an address loaded and stored at once is one modify', () => {
    for (const chunk of [1, 64, 100]) {
      const { lines } = imported('champsim', CHAMPSIM, undefined, chunk);
      expect(lines).toEqual(['I 2 401', 'L 1 7ffe00001', 'M 1', 'S 1 602']);
    }
  });

  it('counts 100 000 000 touches of one page in one line', () => {
    const kibi = bytesOf(' L 04033000,4\n'.repeat(1024));
    let text = '';
    const writer = new PageTraceWriter((bytes) => {
      text += String.fromCharCode(...bytes);
    });
    const recorder = new TraceRecorder(writer);
    const importer = traceFormats[0]!.create('in.log', recorder);
    for (let i = 0; i < 1000; i++) importer.push(kibi);
    writer.touch(1, 0x4033, 98_976_000);
    importer.finish();
    recorder.finish();
    expect(text.split('\n')[1]).toBe('L 100000000 4033');
  });

  it('guesses each format from its first bytes, and nothing from anything else', () => {
    const name = (head: string | Uint8Array) =>
      guessFormat(typeof head === 'string' ? bytesOf(head) : head)?.name;
    expect(name(LACKEY)).toBe('lackey');
    expect(name('I  0401ab70,3\n')).toBe('lackey');
    expect(name(VIEW)).toBe('drcachesim');
    expect(name('address,kind\n0x1,R\n')).toBe('csv');
    expect(name('0x7fff1234,W\n')).toBe('csv');
    expect(name('4096,read,8\n')).toBe('csv');
    expect(name(CHAMPSIM)).toBe('champsim');
    expect(name('the quick brown fox\n')).toBeUndefined();
    expect(name(new Uint8Array(256).fill(0xff))).toBeUndefined();
    expect(name('')).toBeUndefined();
  });
});

describe('a bad trace is refused with its place', () => {
  const cases: [string, string, string | Uint8Array, string][] = [
    [
      'garbage in lackey output',
      'lackey',
      'I  0401ab70,3\nhello world\n',
      'in.log:2: not a line of lackey output; give valgrind --log-file to keep the program apart: "hello world"',
    ],
    [
      'an address past 48 bits',
      'lackey',
      'I  0401ab70,3\n L 1000000000000,8\n',
      'in.log:2: the address has more than 48 bits and is not canonical (bits 63 to 47 are not equal): "1000000000000,8"',
    ],
    [
      'an access that ends past the user half of the addresses',
      'lackey',
      ' L 7fffffffffff,8\n',
      'in.log:1: the access ends past the canonical addresses: " L 7fffffffffff,8"',
    ],
    [
      'an access that ends past the last address',
      'lackey',
      ' L fffffffffffffffc,8\n',
      'in.log:1: the access ends past the canonical addresses: " L fffffffffffffffc,8"',
    ],
    [
      'an access that is too large',
      'lackey',
      ' L 1000,99999999\n',
      'in.log:1: an access has at most 65536 bytes: " L 1000,99999999"',
    ],
    [
      'lackey output that was cut',
      'lackey',
      'I  0401ab70,3\nI  0401',
      'in.log:2: not a line of lackey output; give valgrind --log-file to keep the program apart: "I  0401" (the last line does not end: was the file cut?)',
    ],
    [
      'lackey output without accesses',
      'lackey',
      '==1== hello\n',
      'in.log:1: no memory accesses in 1 lines',
    ],
    ['an empty file', 'lackey', '', 'in.log:1: not lackey output: it is empty'],
    [
      'an unknown kind in a CSV',
      'csv',
      '0x1000,R\n0x1000,Q\n',
      'in.log:2: unknown kind, allowed are I, L, S, M, R, W: "0x1000,Q"',
    ],
    [
      'hexadecimal without 0x in a CSV',
      'csv',
      '7fff12,R\n',
      'in.log:1: not address,kind (write hexadecimal addresses with 0x): "7fff12,R"',
    ],
    [
      'a decimal address past 48 bits',
      'csv',
      '281474976710656,R\n',
      'in.log:1: the address has more than 48 bits and is not canonical (bits 63 to 47 are not equal): "281474976710656,R"',
    ],
    [
      'garbage among records of the view tool',
      'drcachesim',
      `${VIEW.slice(0, VIEW.indexOf('View'))}what?\n`,
      'in.log:14: not a record of the view tool: "what?"',
    ],
    [
      'a record of the view tool that was cut',
      'drcachesim',
      '  1  1:  5 ifetch  3 byte(s) @ 0x\n',
      'in.log:1: not a record of the view tool: "  1  1:  5 ifetch  3 byte(s) @ 0x"',
    ],
    [
      'a cut ChampSim record',
      'champsim',
      CHAMPSIM.subarray(0, 100),
      'in.log:2: truncated: record 2 has 36 of 64 bytes (at byte 64)',
    ],
    [
      'bytes that are no ChampSim records',
      'champsim',
      new Uint8Array(64).fill(7),
      'in.log:1: record 1 of 64 bytes (at byte 0) is not one of ChampSim: its branch flags are not 0 or 1; give --from champsim-cloudsuite if its records have 96 bytes',
    ],
    [
      'a ChampSim address that is not canonical',
      'champsim',
      champsimRecord(0xffff7fff81000000n, [], []),
      'in.log:1: record 1 (at byte 0): the address is not canonical (bits 63 to 47 are not equal): 0xffff7fff81000000',
    ],
    [
      'a line without an end',
      'csv',
      '1'.repeat(70_000),
      'in.log:1: the line is longer than 65536 bytes',
    ],
  ];
  for (const [what, from, input, message] of cases) {
    it(what, () => {
      expect(() => imported(from, input)).toThrow(
        expect.objectContaining({ name: 'TraceError', message }),
      );
    });
  }
});
