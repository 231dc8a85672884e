import { execFileSync } from 'node:child_process';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { foreignContent, shownBytes, textStart } from '../../src/base/content.ts';
import { bytesOf } from '../support/trace-import.ts';

const TEXT = 'I  0401ab70,3\nI  0401ab73,5\n S 1fff000d28,8\n';

/** A header of tar as all versions write it; `magic` is missing in the oldest. */
function tar(magic: string, name = 'ls.champsim'): Uint8Array {
  const header = Buffer.alloc(1024);
  header.write(name, 0);
  header.write('0000644\0', 100);
  header.write('00000001000\0', 124);
  header.write(' '.repeat(8), 148);
  header.write('0', 156);
  header.write(magic, 257, 'latin1');
  const sum = header.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return header;
}

const utf16 = (text: string, swap = false): Uint8Array => {
  const bytes = Buffer.from(text, 'utf16le');
  return swap ? bytes.swap16() : bytes;
};

describe('what a file is', () => {
  it.each([
    ['ustar', tar('ustar\x0000')],
    ['GNU tar', tar('ustar  \0')],
    ['tar of 1979', tar('')],
  ])('names a tar archive: %s', (_, bytes) => {
    expect(foreignContent(bytes)).toBe('it is a tar archive: unpack it first');
  });

  it.each([
    ['gzip', gzipSync(TEXT)],
    ['zstd', bytesOf('\x28\xb5\x2f\xfd\x24\x00')],
    ['zstd', bytesOf('\x50\x2a\x4d\x18\x04\0\0\0')],
    ['bzip2', bytesOf('BZh91AY&SY\x12\x34')],
    ['xz', bytesOf('\xfd7zXZ\0\0\x04')],
    ['lz4', bytesOf('\x04\x22\x4d\x18\x64\x40')],
    ['lzip', bytesOf('LZIP\x01\x0c')],
    ['lzma', bytesOf(`\x5d\0\0\x80\0${'\xff'.repeat(8)}\0`)],
    ['compress', bytesOf('\x1f\x9d\x90')],
  ])('names what is compressed with %s', (name, bytes) => {
    expect(foreignContent(bytes)).toBe(`it is compressed with ${name}: unpack it first`);
  });

  it.each([
    ['a zip archive', 'PK\x03\x04\x14\0'],
    ['a zip archive', 'PK\x05\x06\0\0'],
    ['a 7z archive', '7z\xbc\xaf\x27\x1c\0\x04'],
    ['a rar archive', 'Rar!\x1a\x07\x01\0'],
    ['a cpio archive', `070701${'0'.repeat(104)}`],
    ['an ar archive', '!<arch>\ndebian-binary'],
  ])('names %s', (what, text) => {
    expect(foreignContent(bytesOf(text))).toBe(`it is ${what}: unpack it first`);
  });

  it('names what the tools of this system make', () => {
    const made = (command: string, ...args: string[]) =>
      execFileSync(command, args, {
        ...(command === 'tar' ? {} : { input: TEXT }),
        stdio: ['pipe', 'pipe', 'ignore'],
      });
    expect(foreignContent(made('tar', '-c', '-C', import.meta.dirname, 'content.test.ts'))).toMatch(
      /tar/,
    );
    expect(foreignContent(made('xz', '-c'))).toMatch(/with xz/);
    expect(foreignContent(made('xz', '-c', '--format=lzma'))).toMatch(/with lzma/);
  });

  it('names UTF-16 of either order, with a mark and without', () => {
    for (const swap of [false, true]) {
      for (const text of [
        `\ufeff${TEXT}`,
        TEXT,
        'address,kind\r\n',
        '\ufeff\u0442\u0435\u0441\u0442 1',
      ]) {
        expect(foreignContent(utf16(text, swap))).toBe('it is UTF-16: save it as UTF-8');
      }
    }
    expect(foreignContent(bytesOf('\xff\xfe\0\0I\0\0\0'))).toBe('it is UTF-32: save it as UTF-8');
    expect(foreignContent(bytesOf('\0\0\xfe\xff\0\0\0I'))).toBe('it is UTF-32: save it as UTF-8');
  });

  it('says nothing of texts and of records', () => {
    const record = bytesOf(`\xff\xfe\x40\0\0\0\0\0${'\0'.repeat(56)}`);
    const brotli = brotliCompressSync(TEXT);
    for (const bytes of [
      bytesOf(TEXT),
      bytesOf(`\xef\xbb\xbf${TEXT}`),
      bytesOf(''),
      bytesOf('I'),
      record,
      brotli,
    ]) {
      expect(foreignContent(bytes)).toBeUndefined();
    }
    expect(foreignContent(bytesOf('070707,R\n'))).toBeUndefined();
    expect(foreignContent(bytesOf('PKI,R\n'))).toBeUndefined();
  });

  it('begins after a mark of UTF-8', () => {
    expect(textStart(bytesOf('\xef\xbb\xbfI'))).toBe(3);
    expect(textStart(bytesOf('\xef\xbbI'))).toBe(0);
    expect(textStart(bytesOf('x\xef\xbb\xbfI'), 1)).toBe(4);
  });
});

describe('bytes in a message', () => {
  const shown = (text: string) => shownBytes(bytesOf(text), 0, text.length);

  it('are printable and short', () => {
    expect(shown('I  401000,3')).toBe('"I  401000,3"');
    expect(shown('say "x"\t\x1b[31m in red and more')).toBe(
      '"say \\"x\\"\\t\\u001b[31m in red and more"',
    );
    expect(shown('caf\xc3\xa9')).toBe('"caf\\xc3\\xa9"');
    expect(shown('x'.repeat(500)).length).toBeLessThan(70);
  });

  it('are numbers when they are no text', () => {
    expect(shown('\x7fELF\x02\x01\x01\0\0\0')).toBe('binary data (7f 45 4c 46 02 01 01 00 …)');
    expect(shown('\x01\x02')).toBe('binary data (01 02)');
    const random =
      '\xaf\x9f\u0017g\xd2\t\xd2\xa0\xe5\x9f" a\xe8\xe8ZMZ\xbc<\'(0ci\xe71\x93\xde\xa3';
    expect(shown(random)).toBe('binary data (af 9f 17 67 d2 09 d2 a0 …)');
    for (let byte = 0; byte < 256; byte++) {
      expect(shown(`a${String.fromCharCode(byte).repeat(3)}`)).toMatch(/^[ -~…]+$/);
    }
  });
});
