import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import type { RefillableFeed } from '../../src/scenario/build.ts';

/** Trace text for tests: shipped traces are unpacked once per process, others are given as text. */
const unpacked = new Map<string, Uint8Array>();

const CHUNK = 1 << 16;

export function feedOf(name: string, bytes: Uint8Array, chunk = CHUNK): RefillableFeed {
  let at = 0;
  return {
    name,
    get ended() {
      return at >= bytes.length;
    },
    take() {
      if (at >= bytes.length) return undefined;
      at += chunk;
      return bytes.subarray(at - chunk, at);
    },
    rewind() {
      at = 0;
    },
    refill: () => Promise.resolve(),
  };
}

export const textFeed = (name: string, text: string, chunk = CHUNK): RefillableFeed =>
  feedOf(name, new TextEncoder().encode(text), chunk);

/** Opens `configs/traces/*.pt.gz`, by whatever path leads there. */
export function openShippedTrace(file: string): RefillableFeed {
  const name = file.slice(file.lastIndexOf('/') + 1);
  let bytes = unpacked.get(name);
  if (!bytes) {
    bytes = gunzipSync(readFileSync(new URL(`../../configs/traces/${name}`, import.meta.url)));
    unpacked.set(name, bytes);
  }
  return feedOf(name, bytes);
}
