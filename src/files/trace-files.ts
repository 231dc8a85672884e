import { constants, createReadStream, type ReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { relative } from 'node:path';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { textStart } from '../base/content.ts';
import { ConfigError, type Diagnostic } from '../base/errors.ts';
import { Line, TraceError, TraceReader } from '../guest/workloads/trace-reader.ts';
import type { TraceFeed } from '../guest/workloads/workload.ts';
import type { RefillableFeed } from '../scenario/build.ts';
import { joinPath, type LoadedScenario } from '../scenario/load.ts';
import type { Scenario } from '../scenario/resolve.ts';
import { reasonOf } from './faults.ts';

/**
 * Page traces on disk, plain or gzip. They are streamed: a feed reads a little ahead whenever the
 * simulation waits, so memory does not grow with the trace. One that is looped is kept when it is
 * small enough, and read once.
 */

/** Bytes of text that a feed keeps ready. */
const AHEAD = 2 ** 20;
const CHUNK = 2 ** 16;
/** A gzip file up to this size is unpacked once before the run, to see whether it is complete. */
const CHECKED_WHOLE = 16 * 2 ** 20;
const CHECK_MOST = 256 * 2 ** 20;
/** Bytes of text up to which a looped trace is kept in memory, and all those of a run together. */
const KEPT_MOST = 64 * 2 ** 20;
const KEPT_TOGETHER = 2 * KEPT_MOST;

/** `again`: the trace will be read several times. */
export type TraceOpener = (file: string, again?: boolean) => RefillableFeed;

/** Every trace of a scenario: the words in YAML -> the file they mean. */
export function tracePaths(loaded: LoadedScenario): Map<string, string> {
  const paths = new Map<string, string>();
  for (const { file, path } of tracesOf(loaded)) {
    if (!paths.has(file)) paths.set(file, path);
  }
  return paths;
}

/** Opens traces as `RunOptions.openTrace` wants it. */
export function traceOpener(loaded: LoadedScenario): TraceOpener {
  return openerFor(tracePaths(loaded));
}

/** The same when only the files are known, as in another thread. */
export function openerFor(paths: ReadonlyMap<string, string>): TraceOpener {
  const kept = new KeptTraces();
  return (file, again = false) => new FileFeed(paths.get(file) ?? file, again ? kept : undefined);
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
  if (/not a page trace: (it begins with|it is empty|the line)/.test(fault))
    return '`worldswitch trace import` makes page traces';
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
    const start = textStart(text);
    const headed = text.subarray(start, start + 13).toString('latin1') === '# page trace ';
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

/**
 * Reads the lines of the first bytes; they may be cut anywhere. Throws TraceError for what is wrong
 * with them.
 */
function checkHead(name: string, bytes: Uint8Array, whole: boolean): void {
  const chunks = [bytes];
  const feed: TraceFeed = {
    name,
    ended: whole,
    take: () => chunks.pop(),
    rewind: () => {},
  };
  const reader = new TraceReader(feed, false);
  let visits = 0;
  let line: Line;
  do {
    line = reader.next();
    if (line <= Line.Store) visits++;
  } while (line < Line.Starved);
  if (line === Line.End && visits === 0) {
    throw new TraceError(name, reader.line, 'there are no references in it');
  }
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

/** The text of looped traces, whole, by path. */
class KeptTraces {
  readonly #whole = new Map<string, readonly Buffer[]>();
  readonly #begun = new Set<string>();
  #room = KEPT_TOGETHER;

  /** The trace, if it is kept. */
  get(path: string): readonly Buffer[] | undefined {
    return this.#whole.get(path);
  }

  /** Whoever asks first keeps the trace; undefined for the others. */
  begin(path: string): TraceCopy | undefined {
    if (this.#begun.has(path)) return undefined;
    this.#begun.add(path);
    const chunks: Buffer[] = [];
    let bytes = 0;
    return {
      add: (chunk) => {
        bytes += chunk.length;
        this.#room -= chunk.length;
        if (bytes <= KEPT_MOST && this.#room >= 0) {
          chunks.push(chunk);
          return true;
        }
        this.#room += bytes;
        return false;
      },
      end: () => void this.#whole.set(path, chunks),
    };
  }
}

/** A trace that is being kept. */
interface TraceCopy {
  /** False: it is too large. */
  add(chunk: Buffer): boolean;
  end(): void;
}

/** A trace as the simulation reads it. */
class FileFeed implements RefillableFeed {
  readonly name: string;
  #chunks: AsyncGenerator<Buffer> | undefined;
  #ready: Buffer[] = [];
  #bytes = 0;
  #read = false;
  readonly #kept: KeptTraces | undefined;
  #copy: TraceCopy | undefined;
  /** The whole trace, of which the first `#taken` chunks were handed over. */
  #whole: readonly Buffer[] | undefined;
  #taken = 0;

  constructor(path: string, kept: KeptTraces | undefined) {
    this.name = path;
    this.#kept = kept;
    this.#whole = kept?.get(path);
  }

  get ended(): boolean {
    if (this.#whole) return this.#taken === this.#whole.length;
    return this.#read && this.#ready.length === 0;
  }

  take(): Uint8Array | undefined {
    if (this.#whole) return this.ended ? undefined : this.#whole[this.#taken++];
    const chunk = this.#ready.shift();
    if (chunk) this.#bytes -= chunk.length;
    return chunk;
  }

  rewind(): void {
    this.close();
    this.#ready = [];
    this.#bytes = 0;
    this.#read = false;
    this.#whole = this.#kept?.get(this.name);
    this.#taken = 0;
  }

  close(): void {
    // A generator that waits for a chunk ends as soon as it has come.
    this.#chunks?.return(undefined).catch(() => {});
    this.#chunks = undefined;
    this.#copy = undefined;
  }

  async refill(): Promise<void> {
    if (this.#whole || this.#read || this.#bytes > AHEAD / 2) return;
    if (!this.#chunks) {
      this.#chunks = chunksOf(this.name, (await lookAt(this.name)).compressed);
      this.#copy = this.#kept?.begin(this.name);
    }
    const chunks = this.#chunks;
    while (this.#bytes < AHEAD) {
      const { value, done } = await chunks.next();
      if (done) {
        this.#read = true;
        this.#chunks = undefined;
        this.#copy?.end();
        return;
      }
      if (this.#copy && !this.#copy.add(value)) this.#copy = undefined;
      this.#ready.push(value);
      this.#bytes += value.length;
    }
  }
}
