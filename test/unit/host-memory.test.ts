import { describe, expect, it } from 'vitest';
import { HOST_OWNER, HostMemory } from '../../src/machine/host-memory.ts';

const MIB = 256;

describe('host memory', () => {
  it('takes frames from the node asked for, then from the next', () => {
    const memory = new HostMemory(8 * 2 ** 20, 2, false);
    expect(memory.nodeOf(memory.take(1, 3))).toBe(1);
    for (let i = 1; i < 4 * MIB; i++) memory.take(1, 3);
    const spilled = memory.take(1, 3);
    expect(memory.nodeOf(spilled)).toBe(0);
    expect(memory.owner[spilled]).toBe(3);
  });

  it('never hands out frame 0, and says when it is full', () => {
    const memory = new HostMemory(4 * 2 ** 20, 1, false);
    for (let i = 0; i < 4 * MIB - 512; i++) expect(memory.take(0, 0)).toBeGreaterThan(0);
    expect(() => memory.take(0, 0)).toThrow(/full/);
  });

  it('reuses frames that were given back', () => {
    const memory = new HostMemory(4 * 2 ** 20, 1, false);
    const frame = memory.take(0, 0);
    memory.give(frame);
    expect(memory.owner[frame]).toBe(HOST_OWNER);
    expect(memory.take(0, 1)).toBe(frame);
  });

  it('keeps the frames that alignment skips usable', () => {
    const memory = new HostMemory(8 * 2 ** 20, 1, false);
    const first = memory.take(0, 0);
    const block = memory.takeRange(0, 0, 512, 512);
    expect(block % 512).toBe(0);
    const next = memory.take(0, 0);
    expect(next).toBeGreaterThan(first);
    expect(next).toBeLessThan(block);
  });

  it('spans nodes with one range when no node has room for it', () => {
    const memory = new HostMemory(16 * 2 ** 20, 2, false);
    expect(() => memory.takeRange(0, 1, 10 * MIB, 512)).toThrow(/consecutive/);
    const at = memory.takeSpan(0, 1, 10 * MIB, 512);
    expect(memory.nodeOf(at)).toBe(0);
    expect(memory.nodeOf(at + 10 * MIB - 1)).toBe(1);
    const after = memory.take(0, 2);
    expect(after).toBeGreaterThanOrEqual(at + 10 * MIB);
    expect(() => memory.takeSpan(0, 1, 8 * MIB, 512)).toThrow(/consecutive/);
  });
});
