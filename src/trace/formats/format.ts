import type { TraceRecorder } from '../recorder.ts';

/** Reads one foreign format, fed with chunks cut at any place. */
export interface TraceImporter {
  /** Lines (of a binary format: records) read so far. */
  readonly line: number;
  /** Throws TraceError at the first thing that is not of the format. */
  push(chunk: Uint8Array): void;
  /** The input has ended. Throws TraceError when it ends in the middle, or held nothing. */
  finish(): void;
}

export interface TraceFormat {
  /** The word for `--from`. */
  readonly name: string;
  readonly summary: string;
  /** How the first bytes of a file look, as text with one letter per byte. */
  matches(head: string): boolean;
  /** `name`: what to call the input in messages. */
  create(name: string, recorder: TraceRecorder): TraceImporter;
}

/** Longest access that is believed: an XSAVE area is below 12 KiB. */
export const MAX_ACCESS = 65_536;
