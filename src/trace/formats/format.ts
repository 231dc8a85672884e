import type { Programs } from '../programs.ts';
import type { TraceRecorder } from '../recorder.ts';

/** Reads one foreign format from chunks that are cut anywhere. */
export interface TraceImporter {
  /** Lines (of a binary format: records) read so far. */
  readonly line: number;
  /** What the user should know about the input although it could be read. */
  readonly notes: readonly string[];
  /** The programs that the format distinguishes; undefined when it distinguishes none. */
  readonly programs: Programs | undefined;
  /** Throws TraceError at the first thing that is not in the format. */
  push(chunk: Uint8Array): void;
  /** The input has ended. Throws TraceError when it ends in the middle, or held nothing. */
  finish(): void;
}

export interface ImportChoice {
  /** Name of the program to keep, where the format distinguishes programs. */
  readonly program?: string | undefined;
}

export interface TraceFormat {
  /** The word for `--from`. */
  readonly name: string;
  readonly summary: string;
  /**
   * For line formats: what no line of any other format looks like, and what a line may look like. A
   * guess takes the first line of a file that a format is sure of, else the first that one
   * considers possible.
   */
  readonly lines?: { readonly sure: RegExp; readonly possible?: RegExp };
  /** `name`: what to call the input in messages. */
  create(name: string, recorder: TraceRecorder, choice?: ImportChoice): TraceImporter;
}

/** Longest access that is accepted: an XSAVE area is below 12 KiB. */
export const MAX_ACCESS = 65_536;

/** A line that matches one of the patterns. */
export const anyOf = (...patterns: readonly RegExp[]): RegExp =>
  new RegExp(patterns.map(({ source }) => source).join('|'));
