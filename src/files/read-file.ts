import { closeSync, constants, fstatSync, openSync, readFileSync, readSync } from 'node:fs';

/**
 * The bytes of a regular file of at most `limit` bytes. Throws what the system says, or an Error
 * that says what is wrong with it. A pipe, a device or a socket is refused at once: opening one can
 * wait for ever.
 */
export function readRegularFile(path: string, limit?: number, noun = 'this file'): Buffer {
  const fd = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    const stat = fstatSync(fd);
    if (stat.isDirectory()) throw new Error('it is a directory');
    if (!stat.isFile()) throw new Error('it is not a regular file');
    if (limit === undefined) return readFileSync(fd);
    if (stat.size > limit) {
      const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(0)} MiB`;
      throw new Error(`it has ${mib(stat.size)}, ${noun} at most ${mib(limit)}`);
    }
    // Files of procfs have no size: one byte more than is allowed shows that there are too many.
    const bytes = Buffer.alloc(limit + 1);
    let length = 0;
    for (;;) {
      const read = readSync(fd, bytes, length, bytes.length - length, null);
      length += read;
      if (read === 0 || length === bytes.length) break;
    }
    return bytes.subarray(0, length);
  } finally {
    closeSync(fd);
  }
}

/** The same as text in UTF-8. */
export function readRegularText(path: string, limit?: number, noun?: string): string {
  return readRegularFile(path, limit, noun).toString('utf8');
}
