import alea from 'seedrandom/lib/alea.js';

/**
 * One independent generator per named purpose, so that changing one part of a scenario never
 * changes the numbers drawn by another (common random numbers). `path` reads like a file path:
 * `vm/web-0/visits`.
 */
export function stream(seed: string, path: string): () => number {
  return alea(`${seed}\u0000${path}`).double;
}

/**
 * Four words of state for the xoshiro128** generator that HOT code runs inline
 * (Blackman & Vigna 2018), drawn from the named stream.
 */
export function xoshiroState(seed: string, path: string): Int32Array {
  const generator = alea(`${seed}\u0000${path}`);
  const state = Int32Array.from({ length: 4 }, () => generator.int32());
  if (state.every((word) => word === 0)) state[0] = 1;
  return state;
}

/** Next 32 bits (signed) of a xoshiro128** state, which is advanced in place. */
export function xoshiroNext(s: Int32Array): number {
  const s1 = s[1]!;
  const x5 = Math.imul(s1, 5);
  const result = Math.imul((x5 << 7) | (x5 >>> 25), 9);
  const t = s1 << 9;
  const s2 = s[2]! ^ s[0]!;
  const s3 = s[3]! ^ s1;
  s[1] = s1 ^ s2;
  s[0] = s[0]! ^ s3;
  s[2] = s2 ^ t;
  s[3] = (s3 << 11) | (s3 >>> 21);
  return result;
}
