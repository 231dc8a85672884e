import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { lackey } from '../../src/trace/formats/lackey.ts';
import { PageTraceWriter } from '../../src/trace/page-trace-writer.ts';
import { TraceProfiler } from '../../src/trace/profile.ts';
import { TraceRecorder } from '../../src/trace/recorder.ts';
import { csvRows } from '../support/oracle.ts';

/** All rows when asked for, else two traces cut to 2 000 000 references and the short one whole. */
const FULL = process.env['VALIDATE'] === 'full';
const QUICK = ['sh', 'xz'];

const shipped = (name: string) =>
  gunzipSync(readFileSync(new URL(`../../configs/traces/${name}`, import.meta.url)));

/** What the import makes of lackey output. */
function converted(raw: Uint8Array) {
  let text = '';
  const writer = new PageTraceWriter((bytes) => {
    text += Buffer.from(bytes).toString('latin1');
  });
  const recorder = new TraceRecorder(writer);
  const importer = lackey.create('raw-seq.lackey', recorder);
  for (let at = 0; at < raw.length; at += 65_536) importer.push(raw.subarray(at, at + 65_536));
  importer.finish();
  recorder.finish();
  return { text, lines: importer.line };
}

describe('the import of a raw lackey trace', () => {
  const raw = gunzipSync(readFileSync(new URL('raw-seq.lackey.gz', import.meta.url)));
  // The shipped file lacks the heading; events and the closing sums are in both.
  const expected = `# page trace 1\n${shipped('raw-seq.pt.gz').toString('latin1')}`;

  it('is the page trace that was made from it by another program, line for line', () => {
    const { text, lines } = converted(raw);
    expect(lines).toBe(199_893);
    expect(text).toBe(expected);
  });

  it.each<[string, (text: string) => string]>([
    ['one blank everywhere', (text) => text.replace(/^ ?([ILSM]) +/gm, '$1 ')],
    [
      'tabs and capital digits',
      (text) =>
        text.replace(
          /^ ?([ILSM]) +([0-9a-f]+)/gm,
          (_, kind, page) => `\t${kind}\t${page.toUpperCase()}`,
        ),
    ],
    [
      'time stamps and superblocks',
      (text) =>
        text
          .replace(/^==(\d+)==/gm, '==00:00:00:01.250 $1==')
          .replace(/^I .*,1$/gm, 'SB 04000be0\n$&'),
    ],
  ])('is the same with %s', (_, change) => {
    expect(converted(Buffer.from(change(raw.toString('latin1')), 'latin1')).text).toBe(expected);
  });
});

describe('misses predicted from reuse distances', () => {
  const cases = new Map<string, { stream: 'I' | 'D'; entries: number; misses: number }[]>();
  for (const [traces, limit, sched, , stream, config, metric, value] of csvRows('oracle.csv')) {
    const entries = /^4k:fa(\d+)$/.exec(config!)?.[1];
    if (sched !== 'solo' || metric !== 'miss' || !entries) continue;
    if (stream !== 'I' && stream !== 'D') continue;
    const wanted = FULL || (limit === '2000000' && QUICK.includes(traces!)) || traces === 'raw-seq';
    if (!wanted) continue;
    const key = `${traces} ${limit}`;
    const rows = cases.get(key) ?? [];
    rows.push({ stream, entries: Number(entries), misses: Number(value) });
    cases.set(key, rows);
  }

  it('are checked for every trace and at least 20 sizes a stream', () => {
    expect(cases.size).toBeGreaterThanOrEqual(FULL ? 6 : 3);
    for (const rows of cases.values()) expect(rows.length).toBeGreaterThanOrEqual(40);
  });

  for (const [key, rows] of cases) {
    it(`equal the counts of the oracle: ${key}`, () => {
      const [name, limit] = key.split(' ') as [string, string];
      const profiler = new TraceProfiler(name, Number(limit) || Infinity);
      profiler.push(shipped(`${name}.pt.gz`));
      const profile = profiler.finish(rows.map(({ entries }) => entries));
      for (const { stream, entries, misses } of rows) {
        const { predictions } = stream === 'I' ? profile.instruction : profile.data;
        const found = predictions.find((prediction) => prediction.entries === entries);
        expect(`${stream} fa${entries}: ${found!.misses}`).toBe(
          `${stream} fa${entries}: ${misses}`,
        );
      }
    });
  }
});
