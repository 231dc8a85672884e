import { describe, expect, it } from 'vitest';
import { workloads } from '../../src/guest/workloads/index.ts';
import { PageTraceWriter } from '../../src/trace/page-trace-writer.ts';
import { TraceProfiler } from '../../src/trace/profile.ts';
import { Synthesis } from '../../src/trace/synth.ts';

function synthesized(kind: string, references: number, params: object = {}): string {
  let text = '';
  const writer = new PageTraceWriter((bytes) => {
    text += String.fromCharCode(...bytes);
  });
  const workload = workloads.schema.parse({ kind, ...params });
  const synthesis = new Synthesis(
    { workload, seed: '1', vm: 'vm-0', memoryPages: 65_536, references },
    writer,
  );
  while (synthesis.step());
  writer.finish();
  return text;
}

describe('a synthetic page trace', () => {
  it('is a page trace of exactly the length that was asked for', () => {
    const profiler = new TraceProfiler('synth.pt');
    profiler.push(Buffer.from(synthesized('tlb-thrash', 123_456)));
    const { instruction, data } = profiler.finish([1]);
    expect(instruction.references + data.references).toBe(123_456);
  });

  it('is the same for the same seed', () => {
    expect(synthesized('tlb-thrash', 10_000)).toBe(synthesized('tlb-thrash', 10_000));
  });

  it('holds the mappings that come and go', () => {
    const text = synthesized('mmap-loop', 1000);
    expect(text).toMatch(/^X mmap [0-9a-f]+ \d+ rw-sa$/m);
    expect(text.match(/^X munmap/gm)!.length).toBeGreaterThan(10);
  });

  it('lets a child run to its end before its parent goes on', () => {
    const lines = synthesized('fork-loop', 1000).split('\n');
    const switches = lines.filter((line) => /^(P|X fork|X exit)/.test(line)).slice(0, 9);
    expect(switches).toEqual([
      'P 0',
      'X fork 1',
      'P 1',
      'X exit',
      'P 0',
      'X fork 2',
      'P 2',
      'X exit',
      'P 0',
    ]);
  });

  it('gives a job that execs an address space of its own, with its mappings', () => {
    const text = synthesized('synthetic', 200_000, {
      regions: [
        { name: 'text', kind: 'code', size: '64KiB', share: 1 },
        { name: 'heap', kind: 'anon', size: '256KiB', share: 1, stores: 0.5 },
      ],
      jobs: { instructions: 20_000 },
      per1M: { syscalls: { other: 100 } },
    });
    const made = text.match(/X fork 1\nP 1\n[^P]*X exec 2\nP 2\n(X mmap .*\n)+/);
    expect(made?.[0]).toContain('X mmap 400 16 r-xpf');
    expect(text).toContain('X sys syscall');
  });
});
