import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openerFor } from '../../src/files/trace-files.ts';
import type { RefillableFeed } from '../../src/scenario/build.ts';
import { scratch } from '../support/program.ts';

/** Traces on disk as a run reads them. */

let dir: string;
let remove: () => void;
beforeEach(() => ({ dir, remove } = scratch()));
afterEach(() => remove());

const LINES = 'I 1 401\nL 1 7fffe\n'.repeat(200_000);

function put(name: string, content: string | Uint8Array): string {
  const path = join(dir, name);
  writeFileSync(path, content);
  return path;
}

/** Everything up to the end; without `refill` only what is there already. */
async function textOf(feed: RefillableFeed, refill = true): Promise<string> {
  let text = '';
  for (;;) {
    for (let chunk = feed.take(); chunk; chunk = feed.take()) text += Buffer.from(chunk).toString();
    if (feed.ended || !refill) return text;
    await feed.refill();
  }
}

describe('the feed of a trace', () => {
  it.each([
    ['plain', (text: string) => text],
    ['compressed', (text: string) => gzipSync(text)],
  ])('is read once when it is looped: %s', async (_, content) => {
    const path = put('t.pt', content(LINES));
    const open = openerFor(new Map([['t', path]]));
    const feed = open('t', true);
    expect(await textOf(feed)).toBe(LINES);
    rmSync(path);
    for (let pass = 0; pass < 3; pass++) {
      feed.rewind();
      expect(feed.ended).toBe(false);
      expect(await textOf(feed, false)).toBe(LINES);
      expect(feed.ended).toBe(true);
    }
    // Another VM has it from memory too.
    expect(await textOf(open('t', true), false)).toBe(LINES);
  });

  it('is read anew when it is not', async () => {
    const path = put('t.pt', 'I 1 401\n');
    const feed = openerFor(new Map())(path);
    expect(await textOf(feed)).toBe('I 1 401\n');
    put('t.pt', 'I 1 402\n');
    feed.rewind();
    expect(await textOf(feed, false)).toBe('');
    expect(await textOf(feed)).toBe('I 1 402\n');
  });

  it('is kept only when it was read to its end', async () => {
    const path = put('t.pt', LINES);
    const open = openerFor(new Map());
    const feed = open(path, true);
    await feed.refill();
    expect(feed.take()!.length).toBeGreaterThan(0);
    feed.rewind();
    expect(await textOf(feed)).toBe(LINES);
    feed.close!();
  });

  it('is read by pieces when it is too large to be kept', async () => {
    const size = 70 * 2 ** 20;
    const path = put('t.pt', Buffer.alloc(size, 'I 1 401\n'));
    const feed = openerFor(new Map())(path, true);
    for (let pass = 0; pass < 2; pass++) {
      let bytes = 0;
      while (!feed.ended) {
        await feed.refill();
        for (let chunk = feed.take(); chunk; chunk = feed.take()) bytes += chunk.length;
      }
      expect(bytes).toBe(size);
      feed.rewind();
      expect(feed.take()).toBeUndefined();
    }
  });
});
