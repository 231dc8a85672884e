import { closeSync, existsSync, fsyncSync, openSync, renameSync, writeSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { EventCsv } from '../observe/event-csv.ts';
import { EventLog, type Sink, type TraceFormat } from '../observe/event-log.ts';
import type { Observer } from '../observe/observer.ts';
import { PerfettoTrace } from '../observe/perfetto.ts';
import { XenTrace } from '../observe/xen-trace.ts';
import { makeDirectory } from './directories.ts';
import { reasonOf } from './faults.ts';
import { discard, temporaryDirectory } from './temporary.ts';

const formats = {
  perfetto: (sink: Sink): TraceFormat => new PerfettoTrace(sink),
  xen: (sink: Sink): TraceFormat => new XenTrace(sink),
  csv: (sink: Sink): TraceFormat => new EventCsv(sink),
} as const;

export type EventFormat = keyof typeof formats;

/** Traces of a run's events, written while it goes on, under temporary names until `keep`. */
export class EventFiles {
  readonly observer: Observer;
  readonly #final: string;
  readonly #temporary: string;
  readonly #files = new Map<string, number>();

  constructor(directory: string, wanted: readonly EventFormat[]) {
    this.#final = resolve(directory);
    try {
      const parent = existsSync(this.#final) ? this.#final : dirname(this.#final);
      makeDirectory(parent);
      this.#temporary = temporaryDirectory(parent);
      this.observer = new EventLog(wanted.map((format) => formats[format](this.#open(format))));
    } catch (error) {
      throw new Error(`cannot write traces to ${directory}: ${reasonOf(error)}`, { cause: error });
    }
  }

  #open(format: EventFormat): Sink {
    const name = `trace.${format}`;
    const fd = openSync(join(this.#temporary, name), 'wx');
    this.#files.set(name, fd);
    return (bytes) => {
      try {
        for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
      } catch (error) {
        throw new Error(`cannot write ${name}: ${reasonOf(error)}`, { cause: error });
      }
    };
  }

  /** Gives the files their names in the directory, which exists by now. */
  keep(): void {
    for (const [name, fd] of this.#files) {
      try {
        fsyncSync(fd);
        renameSync(join(this.#temporary, name), join(this.#final, name));
      } catch (error) {
        throw new Error(`cannot write ${name}: ${reasonOf(error)}`, { cause: error });
      }
    }
  }

  /** Closes the files and removes those that were not kept. */
  discard(): void {
    for (const fd of this.#files.values()) closeSync(fd);
    this.#files.clear();
    discard(this.#temporary);
  }
}
