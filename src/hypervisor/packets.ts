/** How bytes travel: TCP segments on switched Ethernet. */

/** Payload of a full Ethernet frame: 1500 bytes less 20 of IP and 32 of TCP with time stamps. */
export const MSS = 1448;

/** Full segments that one acknowledgement answers (RFC 1122, 4.2.3.2: at least every second). */
const SEGMENTS_PER_ACK = 2;

/** Bytes of a frame besides its payload: headers, checksum, preamble and gap. */
const FRAME_OVERHEAD = 90;

/** Gigabit Ethernet: what a wire that nobody has given a bandwidth has. Bits per second. */
export const GIGABIT = 1e9;

/**
 * From the last byte of a segment to its acknowledgement, in microseconds. assumed (50-500): one
 * switch
 */
export const ROUND_TRIP = 100;

/** Bytes sent before the sender waits for acknowledgements: 45 segments. assumed (16 KiB-4 MiB) */
export const SEND_WINDOW = 45 * MSS;

/** What the host has to move for an acknowledgement: a frame without payload. */
export const ACK_BYTES = 64;
/** An acknowledgement on the wire: the frame, preamble and gap. */
export const ACK_ON_WIRE = ACK_BYTES + 20;

export const packetsOf = (bytes: number): number => Math.ceil(bytes / MSS);
export const acksOf = (packets: number): number => Math.ceil(packets / SEGMENTS_PER_ACK);

/** Bytes of a message on the wire: its packets with headers, checksums, preambles and gaps. */
export const wireBytes = (bytes: number): number => bytes + packetsOf(bytes) * FRAME_OVERHEAD;

/** 64-byte lines of a copy. */
export const linesOf = (bytes: number): number => Math.ceil(bytes / 64);

/**
 * How long the packets of a message of `bytes` take on a wire of `bandwidth`, one after the other,
 * in microseconds.
 */
export function wireTime(packets: number, bytes: number, bandwidth = GIGABIT): number {
  return (packets * 8 * (Math.min(bytes, MSS) + FRAME_OVERHEAD)) / (bandwidth / 1e6);
}
