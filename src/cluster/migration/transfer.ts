import type { Cycles } from '../../base/ids.ts';
import { type Engine, type EventKind, Phase } from '../../engine/engine.ts';
import { linesOf } from '../../hypervisor/packets.ts';
import { Leaf } from '../../stats/leaves.ts';
import type { HostThread } from '../host.ts';
import type { Link } from '../link.ts';
import { PAGE, type Wire } from './policy.ts';

/** Bytes sent and not acknowledged. assumed (128 KiB-4 MiB): buffers of sockets of the time */
const WINDOW = 2 ** 18;

/** Both ends of a migration. */
export interface Ends {
  readonly engine: Engine;
  readonly link: Link;
  /** Numbers of the hosts. */
  readonly from: number;
  readonly to: number;
  /** Their threads. */
  readonly source: HostThread;
  readonly target: HostThread;
}

/** What a message has in it. */
export interface Load {
  readonly pages: readonly number[];
  /** Those that come with their content: the others are named only. */
  readonly full: readonly number[];
  readonly bytes: number;
}

/**
 * A connection between the threads of two hosts: messages are put together by the one, cross the
 * link, and are taken apart by the other; not more than a window of them is under way.
 */
export class Transfer {
  /** Of all messages handed to the link. */
  bytes = 0;
  readonly #ends: Ends;
  readonly #wire: Wire;
  readonly #acknowledged: EventKind;
  readonly #ready: (now: Cycles) => void;
  /** Bytes of all messages that are put together or on their way, and of each. */
  #underWay = 0;
  readonly #sizes: number[] = [];
  #building = 0;
  #closed = false;

  /** `ready` is called when there is room again. */
  constructor(ends: Ends, wire: Wire, ready: (now: Cycles) => void) {
    this.#ends = ends;
    this.#wire = wire;
    this.#ready = ready;
    this.#acknowledged = ends.engine.defineEvent(Phase.Deliver, (now) => {
      if (this.#closed) return;
      this.#underWay -= this.#sizes.shift()!;
      this.#ready(now);
    });
  }

  /** Another message may be put together. */
  get free(): boolean {
    return !this.#closed && this.#building === 0 && this.#underWay < WINDOW;
  }

  /** All that was sent has been taken apart at the target, and the source knows it. */
  get empty(): boolean {
    return this.#sizes.length === 0;
  }

  /** What `pages` take, the empty ones among them being named only. */
  loadOf(pages: readonly number[], isEmpty: (gfn: number) => boolean): Load {
    const { emptyPage, header } = this.#wire;
    const full = emptyPage === undefined ? pages : pages.filter((gfn) => !isEmpty(gfn));
    const empty = pages.length - full.length;
    return { pages, full, bytes: full.length * (PAGE + header) + empty * (emptyPage ?? 0) };
  }

  /**
   * Puts a message together and sends it. `sent` is called when the link has it, `stored` when the
   * target has taken it apart.
   */
  send(
    { bytes, pages }: Pick<Load, 'bytes' | 'pages'>,
    sent: (now: Cycles) => void,
    stored: (now: Cycles) => void,
  ): void {
    const { engine, from, link, source, target } = this.#ends;
    const { lineCycles, pageCycles } = this.#wire;
    const cycles = pages.length * pageCycles + linesOf(bytes) * lineCycles;
    this.#underWay += bytes;
    this.#sizes.push(bytes);
    this.#building++;
    const takenApart = (now: Cycles) => {
      if (this.#closed) return;
      stored(now);
      engine.schedule(now + link.latency, this.#acknowledged, 0);
    };
    source.post(cycles, Leaf.HostMigration, (now) => {
      if (this.#closed) return;
      this.#building--;
      this.bytes += bytes;
      link.send(from, bytes, now, () => {
        if (!this.#closed) target.post(cycles, Leaf.HostMigration, takenApart);
      });
      sent(now);
    });
  }

  /** Nothing of it is heard any more. */
  close(): void {
    this.#closed = true;
  }
}
