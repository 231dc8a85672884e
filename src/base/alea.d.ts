/** One generator of seedrandom by itself; the package's types know only all of them together. */
declare module 'seedrandom/lib/alea.js' {
  interface Alea {
    /** In [0, 1), 53 bits. */
    double(): number;
    /** Any of 2^32 whole numbers, signed. */
    int32(): number;
  }
  export default function alea(seed: string): Alea;
}
