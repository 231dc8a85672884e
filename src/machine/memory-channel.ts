import type { Core } from './core.ts';
import type { CoreCaches } from './core-caches.ts';
import { heap } from './heap.ts';

/**
 * HOT. The memory channels of a node, as a queue of slots: time is cut into pieces of 1024 cycles,
 * and each has room for so many lines as the channels carry in that time. A transfer takes room in
 * the piece of its time, or in the first later one that has room, and waits until that begins. So
 * it hardly matters in which order cores are simulated, as long as none is behind another by more
 * than the pieces that are remembered.
 *
 * A node has two words for each piece: its number, and the room that is left. Piece `p` lies at
 * `p & pieceMask`, in the place of an older one.
 */

/** Cycles of a piece, a power of two. */
const PIECE = 1024;

/** Pieces that are remembered for each node: half a millisecond at 2 GHz, and 8 ms. */
const LEAST_PIECES = 2 ** 10;
const MOST_PIECES = 2 ** 14;

/** How many, a power of two, if cores run apart by `lookahead` cycles. */
export function piecesFor(lookahead: number): number {
  let pieces = LEAST_PIECES;
  while (pieces < MOST_PIECES && pieces * PIECE < 2 * lookahead) pieces *= 2;
  return pieces;
}

/** Words of heap that the channels of `nodes` nodes take. */
export const channelWords = (nodes: number, pieces: number): number => nodes * pieces * 2;

/** No piece has been used yet. */
export function resetChannels(at: number, words: number): void {
  for (let word = at; word < at + words; word += 2) heap[word] = -1;
}

/**
 * A line passes to or from the memory of `frame`, `caches.ahead` cycles after `core.time`. Returns
 * the cycles it waits for room.
 */
export const takeSlot = (core: Core, frame: number): number => {
  const { caches } = core;
  const h = heap;
  const now = core.time + caches.ahead;
  const node = caches.nodes === 1 ? 0 : Math.floor(frame / caches.framesPerNode);
  const ring = (caches.channels + Math.imul(node, (caches.pieceMask + 1) << 1)) | 0;
  // Wraps around after 2^31 pieces, which nothing minds.
  const piece = (now * (1 / PIECE)) | 0;
  const at = (ring + ((piece & caches.pieceMask) << 1)) | 0;
  const room = h[at + 1]!;
  if (h[at] === piece && room > 0) {
    h[at + 1] = room - 1;
    return 0;
  }
  return takeLaterSlot(caches, ring, piece, now);
};

/** The same where the piece of that time is new, full or forgotten. */
const takeLaterSlot = (caches: CoreCaches, ring: number, piece: number, now: number): number => {
  const h = heap;
  for (let later = 0; ; later++) {
    const number = (piece + later) | 0;
    const at = (ring + ((number & caches.pieceMask) << 1)) | 0;
    const apart = (h[at]! - number) | 0;
    // What happened then is forgotten: there was room.
    if (apart > 0) return 0;
    if (apart < 0) {
      h[at] = number;
      h[at + 1] = caches.linesPerPiece;
    }
    const room = h[at + 1]!;
    if (room === 0) continue;
    h[at + 1] = room - 1;
    return later === 0 ? 0 : (Math.floor(now / PIECE) + later) * PIECE - now;
  }
};
