import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream, createWriteStream, statSync } from 'node:fs';
import { rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { createGunzip, createGzip } from 'node:zlib';
import { TraceError } from '../guest/workloads/trace-reader.ts';
import { faultIn, reasonOf } from './faults.ts';
import { temporaryName } from './temporary.ts';

/**
 * Traces that are read or written once, from end to end: gzip and xz are undone while reading, gzip
 * is made while writing. Memory does not grow with the trace.
 */

const CHUNK = 1 << 18;
const XZ = [0xfd, 0x37, 0x7a, 0x58, 0x5a];

export interface TraceInput {
  /** What to call it in messages. */
  readonly name: string;
  /** Bytes of the file, as it lies on the disk; undefined for a pipe. */
  readonly size: number | undefined;
  /** Compressed bytes read so far. */
  readonly read: () => number;
  readonly chunks: AsyncIterable<Uint8Array>;
  /** Stops reading. A program that writes into a pipe is told so by the system. */
  close(): void;
}

/**
 * Opens a trace; `-` is standard input. gzip and xz are recognised by their first bytes. `line`
 * says how far the reader of the text has come, for messages about compressed data. Throws
 * ConfigError when there is no such file.
 */
export async function openTraceInput(file: string, line: () => number): Promise<TraceInput> {
  const piped = file === '-';
  const name = piped ? '<stdin>' : file;
  let size: number | undefined;
  if (!piped) {
    const info = await stat(file).catch((error) => unreadable(file, error));
    if (info.isDirectory()) throw faultIn(file, 'cannot read the trace: it is a directory');
    if (info.isFile()) size = info.size;
  }
  const source: Readable = piped ? process.stdin : createReadStream(file, { highWaterMark: CHUNK });
  let read = 0;
  const raw = counted(source, (bytes) => (read += bytes));
  return {
    name,
    size,
    read: () => read,
    chunks: decompressed({ name, line }, raw),
    close: () => source.destroy(),
  };
}

/** What is being read, and how far its text has been understood. */
interface Source {
  readonly name: string;
  readonly line: () => number;
}

function unreadable(file: string, error: unknown): never {
  throw faultIn(file, `cannot read the trace: ${reasonOf(error)}`);
}

function damaged({ name, line }: Source, message: string): never {
  throw new TraceError(name, line() + 1, message);
}

async function* counted(source: Readable, count: (bytes: number) => void): AsyncGenerator<Buffer> {
  for await (const chunk of source as AsyncIterable<Buffer>) {
    count(chunk.length);
    yield chunk;
  }
}

async function* decompressed(
  from: Source,
  raw: AsyncGenerator<Buffer>,
): AsyncGenerator<Uint8Array> {
  let head = Buffer.alloc(0);
  while (head.length < 6) {
    const { value, done } = await next(from, raw);
    if (done) break;
    head = Buffer.concat([head, value]);
  }
  if (head[0] === 0x1f && head[1] === 0x8b) yield* gunzipped(from, head, raw);
  else if (XZ.every((byte, i) => head[i] === byte)) yield* unxzipped(from, head, raw);
  else {
    if (head.length > 0) yield head;
    for (;;) {
      const { value, done } = await next(from, raw);
      if (done) return;
      yield value;
    }
  }
}

async function next(from: Source, raw: AsyncGenerator<Buffer>) {
  try {
    return await raw.next();
  } catch (error) {
    unreadable(from.name, error);
  }
}

/** Writes everything to `to`, waiting when it is full. */
async function pump(head: Buffer, raw: AsyncGenerator<Buffer>, to: Writable): Promise<void> {
  if (!to.write(head)) await once(to, 'drain');
  for await (const chunk of raw) {
    if (to.destroyed) return;
    if (!to.write(chunk)) await once(to, 'drain');
  }
  to.end();
}

async function* gunzipped(
  from: Source,
  head: Buffer,
  raw: AsyncGenerator<Buffer>,
): AsyncGenerator<Uint8Array> {
  const gunzip = createGunzip({ chunkSize: CHUNK });
  const fed = pump(head, raw, gunzip).catch((error) => gunzip.destroy(error));
  try {
    for await (const chunk of gunzip) yield chunk;
    await fed;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'Z_BUF_ERROR') damaged(from, 'truncated: the gzip data end early');
    if (code?.startsWith('Z_')) damaged(from, `damaged gzip data: ${message}`);
    throw error;
  }
}

/** xz has no decoder in Node; the system's is used. */
async function* unxzipped(
  from: Source,
  head: Buffer,
  raw: AsyncGenerator<Buffer>,
): AsyncGenerator<Uint8Array> {
  const xz = spawn('xz', ['-dc'], { stdio: ['pipe', 'pipe', 'pipe'] });
  let complaint = '';
  xz.stderr.on('data', (text) => (complaint += String(text).slice(0, 1000)));
  const ended = new Promise<number | null>((resolve, reject) => {
    xz.once('error', reject);
    xz.once('close', resolve);
  });
  ended.catch(() => xz.stdout.destroy());
  xz.stdin.on('error', () => {});
  pump(head, raw, xz.stdin).catch((error) => xz.stdout.destroy(error));
  try {
    for await (const chunk of xz.stdout) yield chunk;
    if ((await ended) !== 0) {
      damaged(from, `damaged xz data: ${complaint.trim().replace(/^xz: ([(]stdin[)]: )?/, '')}`);
    }
  } catch (error) {
    if (error instanceof TraceError) throw error;
    await ended.catch((missing: NodeJS.ErrnoException) => {
      if (missing.code !== 'ENOENT') throw missing;
      throw faultIn(
        from.name,
        'it is compressed with xz, which is not installed',
        'install xz, or unpack it first',
      );
    });
    throw error;
  } finally {
    xz.kill();
  }
}

/** Where a trace is written: a file, compressed when its name ends in `.gz`, or standard output. */
export interface TraceOutput {
  /** Takes bytes and keeps them until `drained`. */
  write(bytes: Uint8Array): void;
  drained(): Promise<void>;
  /** Everything is written: the file gets its name. */
  finish(): Promise<void>;
  /** Nothing is left behind. */
  discard(): Promise<void>;
}

/** What is not a file cannot be replaced by one at the end; a device had better not. */
function checkTarget(file: string): void {
  const there = statSync(file, { throwIfNoEntry: false });
  if (!there || there.isFile()) return;
  const what = there.isDirectory() ? 'a directory' : 'not a regular file';
  throw faultIn('--out', `cannot write ${file}: it is ${what}`);
}

export function openTraceOutput(file: string | undefined): TraceOutput {
  if (file !== undefined) checkTarget(file);
  const partial = file === undefined ? undefined : temporaryName(dirname(file));
  const target: Writable = partial ? createWriteStream(partial, { flags: 'wx' }) : process.stdout;
  const gzip = file?.endsWith('.gz') ? createGzip({ level: 6, chunkSize: CHUNK }) : undefined;
  gzip?.pipe(target);
  const first: Writable = gzip ?? target;
  let failure: unknown;
  const failed = (error: unknown) => {
    failure ??= error;
    first.emit('drain');
  };
  target.on('error', failed);
  const check = () => {
    if (!failure) return;
    const why = `cannot write ${file ?? 'to standard output'}: ${reasonOf(failure)}`;
    // A wrong path shows before anything is written; later it is the disk.
    const { code } = failure as NodeJS.ErrnoException;
    throw code === 'ENOSPC' ? new Error(why, { cause: failure }) : faultIn('--out', why);
  };
  return {
    write: (bytes) => void first.write(bytes),
    async drained() {
      check();
      if (first.writableNeedDrain) await once(first, 'drain');
      check();
    },
    async finish() {
      check();
      if (partial === undefined) return;
      const closed = once(target, 'close').catch(failed);
      first.end();
      await closed;
      check();
      await rename(partial, file!);
    },
    async discard() {
      first.destroy();
      target.destroy();
      if (partial !== undefined) {
        if (!target.closed) await once(target, 'close').catch(() => {});
        await rm(partial, { force: true });
      }
    },
  };
}
