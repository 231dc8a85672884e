import { expect } from 'vitest';
import type { ImportChoice } from '../../src/trace/formats/format.ts';
import { traceFormats } from '../../src/trace/formats/index.ts';
import { PageTraceWriter } from '../../src/trace/page-trace-writer.ts';
import { TraceRecorder, type TraceWindow } from '../../src/trace/recorder.ts';

export const bytesOf = (text: string) => Uint8Array.from(text, (letter) => letter.charCodeAt(0));

/** The lines of the page trace that an import makes, comments left out. */
export function imported(
  from: string,
  input: string | Uint8Array,
  window?: TraceWindow,
  chunk = 1 << 16,
  choice?: ImportChoice,
) {
  let text = '';
  const writer = new PageTraceWriter((bytes) => {
    text += String.fromCharCode(...bytes);
  });
  const recorder = new TraceRecorder(writer, window);
  const format = traceFormats.find(({ name }) => name === from)!;
  const importer = format.create('in.log', recorder, choice);
  const bytes = typeof input === 'string' ? bytesOf(input) : input;
  for (let at = 0; at < bytes.length; at += chunk) importer.push(bytes.subarray(at, at + chunk));
  importer.finish();
  recorder.finish();
  const lines = text.trimEnd().split('\n');
  expect(lines[0]).toBe('# page trace 1');
  const { notes } = importer;
  return { lines: lines.filter((line) => !line.startsWith('#')), totals: lines.at(-1)!, notes };
}

/** A record of 64 bytes, as ChampSim's own traces have them. */
export function champsimRecord(ip: bigint, stores: bigint[], loads: bigint[]): Uint8Array {
  return record(64, ip, [16, stores], [32, loads]);
}

/** A record of 96 bytes, as traces of CloudSuite have them. */
export function cloudsuiteRecord(
  ip: bigint,
  stores: bigint[],
  loads: bigint[],
  space = 1,
): Uint8Array {
  const bytes = record(96, ip, [24, stores], [56, loads]);
  bytes[88] = space;
  return bytes;
}

function record(size: number, ip: bigint, ...fields: [number, bigint[]][]): Uint8Array {
  const view = new DataView(new ArrayBuffer(size));
  view.setBigUint64(0, ip, true);
  for (const [from, addresses] of fields) {
    for (const [i, address] of addresses.entries()) {
      view.setBigUint64(from + 8 * i, address, true);
    }
  }
  return new Uint8Array(view.buffer);
}

/** One after the other. */
export const joined = (parts: readonly Uint8Array[]): Uint8Array =>
  Uint8Array.from(parts.flatMap((part) => [...part]));
