import type { Core } from './core.ts';
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
  const mask = caches.pieceMask;
  const ring = (caches.channels + Math.imul(node, (mask + 1) << 1)) | 0;
  const first = Math.floor(now / PIECE);
  let later = 0;
  for (;;) {
    const piece = (first + later) | 0;
    const at = (ring + ((piece & mask) << 1)) | 0;
    const apart = (h[at]! - piece) | 0;
    if (apart !== 0) {
      // What happened then is forgotten: there was room.
      if (apart > 0) return 0;
      h[at] = piece;
      h[at + 1] = caches.linesPerPiece - 1;
      break;
    }
    const room = h[at + 1]!;
    if (room > 0) {
      h[at + 1] = room - 1;
      break;
    }
    later = (later + 1) | 0;
  }
  return later === 0 ? 0 : (first + later) * PIECE - now;
};
