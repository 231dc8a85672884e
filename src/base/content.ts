/** What kind of file begins with some bytes, and how to show bytes to a person. */

const UNPACK = 'unpack it first';
const EXPORT = 'export the trace as text';

/**
 * Beginnings of well-known files that are not traces: what such a file is, what to do with it, and
 * its first bytes.
 */
const MARKS: readonly (readonly [what: string, advice: string, ...beginnings: string[]])[] = [
  ['a zip archive', UNPACK, 'PK\x03\x04', 'PK\x05\x06', 'PK\x07\x08'],
  ['a 7z archive', UNPACK, '7z\xbc\xaf\x27\x1c'],
  ['a rar archive', UNPACK, 'Rar!\x1a\x07'],
  ['an ar archive', UNPACK, '!<arch>\n'],
  ['a cab archive', UNPACK, 'MSCF\0\0\0\0'],
  ['compressed with gzip', UNPACK, '\x1f\x8b\x08'],
  ['compressed with xz', UNPACK, '\xfd7zXZ\0'],
  ['compressed with zstd', UNPACK, '\x28\xb5\x2f\xfd'],
  ['compressed with lz4', UNPACK, '\x04\x22\x4d\x18', '\x02\x21\x4c\x18'],
  ['compressed with lzip', UNPACK, 'LZIP\0', 'LZIP\x01'],
  ['compressed with lzop', UNPACK, '\x89LZO\0\r\n\x1a\n'],
  ['compressed with snappy', UNPACK, '\xff\x06\0\0sNaPpY'],
  ['compressed with compress', UNPACK, '\x1f\x9d', '\x1f\xa0'],
  ['a program (ELF)', 'give a trace of its run', '\x7fELF'],
  ['an SQLite database', EXPORT, 'SQLite format 3\0'],
  ['an HDF5 file', EXPORT, '\x89HDF\r\n\x1a\n'],
  ['a Parquet file', EXPORT, 'PAR1'],
  ['a PDF file', EXPORT, '%PDF-'],
  [
    'a pointer of Git LFS, not the file itself',
    '`git lfs pull` gets the file',
    'version https://git-lfs.github.com/',
  ],
];

/** Other files, which take more than a fixed beginning to recognize. */
const SHAPES: readonly (readonly [
  what: string,
  is: (bytes: Uint8Array, head: string) => boolean,
])[] = [
  ['a tar archive', isTar],
  ['a cpio archive', (_, head) => /^0707(?:0[12][0-9a-fA-F]{40}|07[0-7]{40})/.test(head)],
  [
    'compressed with bzip2',
    (_, head) => /^BZh[1-9]/.test(head) && ['1AY&SY', '\x17rE8P\x90'].includes(head.slice(4, 10)),
  ],
  ['compressed with zstd', (b) => b[0]! >> 4 === 5 && [42, 77, 24].every((v, i) => b[i + 1] === v)],
  [
    // A length of -1, as xz writes it: without this check the bytes could be part of an address.
    'compressed with lzma',
    (b) =>
      b.length > 12 &&
      b[0] === 0x5d &&
      b[1] === 0 &&
      b[2] === 0 &&
      b.subarray(5, 13).every((v) => v === 255),
  ],
];

/** Bytes that `foreignContent` looks at. */
export const CONTENT_BYTES = 512;
const UTF8_MARK = [0xef, 0xbb, 0xbf];
/** Two-byte units that a look at UTF-16 takes. */
const UNITS = 32;

/** Where a text begins: after the byte-order mark of UTF-8, if there is one. */
export function textStart(bytes: Uint8Array, from = 0): number {
  return UTF8_MARK.every((byte, i) => bytes[from + i] === byte) ? from + 3 : from;
}

/**
 * What a file that begins with `bytes` is when it is an archive, compressed, in UTF-16 or anything
 * else that no trace reader accepts, with what to do about it: "it is a zip archive: unpack it
 * first". Undefined otherwise.
 */
export function foreignContent(bytes: Uint8Array): string | undefined {
  const head = String.fromCharCode(...bytes.subarray(0, CONTENT_BYTES));
  for (const [what, advice, ...beginnings] of MARKS) {
    if (beginnings.some((mark) => head.startsWith(mark))) return `it is ${what}: ${advice}`;
  }
  const shape = SHAPES.find(([, is]) => is(bytes, head));
  if (shape) return `it is ${shape[0]}: ${UNPACK}`;
  const wide = wideText(bytes);
  return wide && `it is ${wide}: save it as UTF-8`;
}

/** A tar header holds the sum of its own bytes, with the field of the sum taken as blanks. */
function isTar(bytes: Uint8Array): boolean {
  if (bytes.length < 512 || bytes[0] === 0) return false;
  const field = String.fromCharCode(...bytes.subarray(148, 156));
  if (!/^ *[0-7]+/.test(field)) return false;
  let sum = 8 * 32;
  for (let i = 0; i < 512; i++) if (i < 148 || i >= 156) sum += bytes[i]!;
  return sum === Number.parseInt(field, 8);
}

function wideText(bytes: Uint8Array): string | undefined {
  const [a, b, c, d] = bytes;
  if (a === 0xff && b === 0xfe && c === 0 && d === 0 && isText(bytes[4] ?? 0)) return 'UTF-32';
  if (a === 0 && b === 0 && c === 0xfe && d === 0xff) return 'UTF-32';
  const marked = (a === 0xff && b === 0xfe) || (a === 0xfe && b === 0xff);
  const units = Math.min(UNITS, bytes.length >> 1);
  if (marked) {
    // A record of a binary trace may begin like this, but its addresses are not 0.
    for (let i = 0; i < units; i++) if (bytes[2 * i] === 0 && bytes[2 * i + 1] === 0) return;
    return 'UTF-16';
  }
  if (units < 2) return undefined;
  for (const low of [0, 1]) {
    let text = true;
    for (let i = 0; text && i < units; i++) {
      text = bytes[2 * i + 1 - low] === 0 && isText(bytes[2 * i + low]!);
    }
    if (text) return 'UTF-16';
  }
  return undefined;
}

const isText = (byte: number) => (byte >= 32 && byte < 127) || (byte >= 9 && byte <= 13);

/** Whether bytes are not text, in ASCII, UTF-8 or an alphabet of one byte per letter. */
function isBinary(bytes: Uint8Array): boolean {
  const high = bytes.reduce((sum, byte) => sum + (byte >= 128 ? 1 : 0), 0);
  const control = bytes.reduce((sum, byte) => sum + (isText(byte) || byte >= 128 ? 0 : 1), 0);
  if (bytes.includes(0) || control * 4 > bytes.length) return true;
  // At the cut, the last letter of UTF-8 may be incomplete.
  const wrong = new TextDecoder().decode(bytes).slice(0, -3).includes('\ufffd');
  return wrong && (control > 0 || high * 3 > bytes.length);
}

/**
 * The beginning of `bytes[start..end)` for a message, in quotes and printable whatever it holds.
 * Bytes that are not text are shown as numbers.
 */
export function shownBytes(bytes: Uint8Array, start: number, end: number, most = 60): string {
  const part = bytes.subarray(start, Math.min(end, start + most));
  if (isBinary(part)) {
    const hex = Array.from(part.subarray(0, 8), (byte) => byte.toString(16).padStart(2, '0'));
    return `binary data (${hex.join(' ')}${part.length > 8 ? ' …' : ''})`;
  }
  return JSON.stringify(String.fromCharCode(...part)).replace(
    /[^ -~]/g,
    (letter) => `\\x${letter.charCodeAt(0).toString(16)}`,
  );
}
