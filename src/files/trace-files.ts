import { constants, createReadStream, type ReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { relative } from 'node:path';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { ConfigError, type Diagnostic } from '../base/errors.ts';
import { Line, TraceError, TraceReader } from '../guest/workloads/trace-reader.ts';
import type { TraceFeed } from '../guest/workloads/workload.ts';
import type { RefillableFeed } from '../scenario/build.ts';
import { joinPath, type LoadedScenario } from '../scenario/load.ts';
import type { Scenario } from '../scenario/resolve.ts';
import { reasonOf } from './faults.ts';

/**
 * Page traces on disk, plain or gzip. They are streamed: a feed reads a little ahead whenever the simulation
 * waits, so memory does not grow with the trace.
 */

/** Bytes of text that a feed keeps ready. */
const AHEAD = 2 ** 20;
const CHUNK = 2 ** 16;
/** A gzip file up to this size is unpacked once before the run, to see whether it is complete. */
const CHECKED_WHOLE = 16 * 2 ** 20;
const CHECK_MOST = 256 * 2 ** 20;

/** Every trace of a scenario: the words in YAML -> the file they mean. */
export function tracePaths(loaded: LoadedScenario): Map<string, string> {
  const paths = new Map<string, string>();
  for (const { file, path } of tracesOf(loaded)) {
    if (!paths.has(file)) paths.set(file, path);
  }
  return paths;
}

/** Opens traces as `RunOptions.openTrace` wants it. */
export function traceOpener(loaded: LoadedScenario): (file: string) => RefillableFeed {
  return openerFor(tracePaths(loaded));
}

/** The same when only the files are known, as in another thread. */
export function openerFor(paths: ReadonlyMap<string, string>): (file: string) => RefillableFeed {
  return (file) => new FileFeed(paths.get(file) ?? file);
}

/** The same scenario as it has to be written in `directory`: names of traces are relative to it. */
export function scenarioIn(directory: string, loaded: LoadedScenario): Scenario {
  const paths = tracePaths(loaded);
  if (paths.size === 0) return loaded.scenario;
  const { input } = loaded.scenario;
  const vms = (input['vms'] as readonly { readonly workload: { readonly file?: string } }[]).map(
    (vm) => {
      const path = paths.get(vm.workload.file ?? '');
      return path ? { ...vm, workload: { ...vm.workload, file: relative(directory, path) } } : vm;
    },
  );
  return { ...loaded.scenario, input: { ...input, vms } };
}

/** Throws ConfigError when a trace cannot be read, is no trace, or is visibly incomplete. */
export async function checkTraces(loaded: LoadedScenario): Promise<void> {
  const faults: Diagnostic[] = [];
  const seen = new Map<string, string>();
  for (const { file, path, at } of tracesOf(loaded)) {
    const before = seen.get(file);
    if (before !== undefined && before !== path) {
      const message = `"${file}" means ${before} elsewhere in this scenario and ${path} here`;
      faults.push(loaded.diagnose(at, message, 'write one of them as an absolute path'));
    }
    if (before !== undefined) continue;
    seen.set(file, path);
    const fault = await traceFault(path);
    if (fault) faults.push(loaded.diagnose(at, `trace ${path}: ${fault}`, hintFor(fault)));
  }
  if (faults.length > 0) throw new ConfigError(faults);
}

const NOT_THERE = 'there is no such file';

function hintFor(fault: string): string | undefined {
  if (fault === NOT_THERE) return 'paths are relative to the file they are written in';
  if (fault.includes('not a page trace')) return '`worldswitch trace import` makes page traces';
  return undefined;
}

function* tracesOf({ scenario, fileOf }: LoadedScenario) {
  for (const [i, { workload }] of scenario.vms.entries()) {
    const file = workload['file'];
    if (workload.kind !== 'trace' || typeof file !== 'string') continue;
    const at = ['vms', i, 'workload', 'file'] as const;
    const from = fileOf(at);
    // What an option says is relative to where the command was typed.
    yield { file, at, path: from.startsWith('--') ? file : joinPath(from, file) };
  }
}

/** What is wrong with a trace, as far as can be told quickly; undefined = nothing. */
async function traceFault(path: string): Promise<string | undefined> {
  try {
    const { compressed, size } = await lookAt(path);
    const head: Buffer[] = [];
    let total = 0;
    let last: Uint8Array = new Uint8Array(0);
    const wanted = compressed && size <= CHECKED_WHOLE ? CHECK_MOST : CHUNK;
    const chunks = chunksOf(path, compressed);
    for await (const chunk of chunks) {
      if (total < CHUNK) head.push(chunk);
      total += chunk.length;
      last = chunk.length >= 256 ? chunk : Buffer.concat([last, chunk]).subarray(-CHUNK);
      if (total >= wanted) break;
    }
    const whole = total < wanted;
    const text = Buffer.concat(head);
    checkHead(path, text, whole && total === text.length);
    const headed = text.subarray(0, 13).toString('latin1') === '# page trace ';
    const end = Buffer.from(last.subarray(-512)).toString('latin1');
    if (whole && headed && !/\n# totals [^\n]*\n$/.test(end)) {
      return 'truncated: the closing "# totals" line is missing';
    }
    return undefined;
  } catch (error) {
    if (error instanceof TraceError) return error.message.slice(`${error.file}:`.length);
    return reasonOf(error);
  }
}

/** Reads the lines of the first bytes; they may be cut anywhere. */
function checkHead(name: string, bytes: Uint8Array, whole: boolean): void {
  const chunks = [bytes];
  const feed: TraceFeed = {
    name,
    ended: whole,
    take: () => chunks.pop(),
    rewind: () => {},
  };
  const reader = new TraceReader(feed, false);
  let line: Line;
  do line = reader.next();
  while (line < Line.Starved);
}

async function lookAt(path: string): Promise<{ compressed: boolean; size: number }> {
  // Opening a pipe would wait for its writer, and nothing could end that.
  const file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    const stat = await file.stat();
    if (stat.isDirectory()) throw new Error('it is a directory');
    if (!stat.isFile())
      throw new Error('it is not a regular file, and a trace is read several times');
    const magic = Buffer.alloc(2);
    await file.read(magic, 0, 2, 0);
    return { compressed: magic[0] === 0x1f && magic[1] === 0x8b, size: stat.size };
  } finally {
    await file.close();
  }
}

/** The text of a trace in pieces. Throws TraceError when the gzip data are cut off or damaged. */
async function* chunksOf(path: string, compressed: boolean): AsyncGenerator<Buffer> {
  const file = createReadStream(path, { highWaterMark: CHUNK });
  const gunzip = createGunzip({ chunkSize: CHUNK });
  const source: ReadStream | typeof gunzip = compressed ? gunzip : file;
  // The iterator below throws what goes wrong in either; the callback only has to exist.
  if (compressed) pipeline(file, gunzip, () => {});
  try {
    for await (const chunk of source) yield chunk as Buffer;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    if (code === 'Z_BUF_ERROR') throw new TraceError(path, 1, 'truncated: the gzip data end early');
    if (code.startsWith('Z_'))
      throw new TraceError(path, 1, `damaged gzip data: ${(error as Error).message}`);
    throw error;
  } finally {
    file.destroy();
    gunzip.destroy();
  }
}

/** A trace as the simulation reads it. */
class FileFeed implements RefillableFeed {
  readonly name: string;
  #chunks: AsyncGenerator<Buffer> | undefined;
  #ready: Buffer[] = [];
  #bytes = 0;
  #read = false;

  constructor(path: string) {
    this.name = path;
  }

  get ended(): boolean {
    return this.#read && this.#ready.length === 0;
  }

  take(): Uint8Array | undefined {
    const chunk = this.#ready.shift();
    if (chunk) this.#bytes -= chunk.length;
    return chunk;
  }

  rewind(): void {
    this.close();
    this.#ready = [];
    this.#bytes = 0;
    this.#read = false;
  }

  close(): void {
    // A generator that waits for a chunk ends as soon as it has come.
    this.#chunks?.return(undefined).catch(() => {});
    this.#chunks = undefined;
  }

  async refill(): Promise<void> {
    if (this.#read || this.#bytes > AHEAD / 2) return;
    this.#chunks ??= chunksOf(this.name, (await lookAt(this.name)).compressed);
    const chunks = this.#chunks;
    while (this.#bytes < AHEAD) {
      const { value, done } = await chunks.next();
      if (done) {
        this.#read = true;
        this.#chunks = undefined;
        return;
      }
      this.#ready.push(value);
      this.#bytes += value.length;
    }
  }
}
