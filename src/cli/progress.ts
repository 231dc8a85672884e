import { visible } from '../base/visible.ts';

/**
 * A bar with time left, on stderr, only on a terminal and only when it takes longer than a glance.
 */

/** Milliseconds before the bar appears, and between two pictures of it. */
const APPEARS = 2000;
const REDRAW = 200;
const WIDTH = 30;

export class ProgressBar {
  readonly #label: string;
  readonly #stream: NodeJS.WriteStream;
  readonly #enabled: boolean;
  readonly #start = performance.now();
  #drawn = 0;

  constructor(label: string, options: { quiet?: boolean; stream?: NodeJS.WriteStream } = {}) {
    this.#label = visible(label);
    this.#stream = options.stream ?? process.stderr;
    this.#enabled = Boolean(this.#stream.isTTY) && !options.quiet;
  }

  /** `fraction` 0 = not known; `note` says more, for example simulated time. */
  update(fraction: number, note = ''): void {
    if (!this.#enabled) return;
    const now = performance.now();
    if (now - this.#start < APPEARS || now - this.#drawn < REDRAW) return;
    this.#drawn = now;
    this.#stream.write(`\r\x1b[K${barText(this.#label, fraction, now - this.#start, note)}`);
  }

  /** Wipes the bar. */
  stop(): void {
    if (this.#drawn > 0) this.#stream.write('\r\x1b[K');
    this.#drawn = 0;
  }
}

/** `quickstart [######......] 41 %, 3 s left, 80 ms simulated`. */
export function barText(label: string, fraction: number, elapsed: number, note: string): string {
  const tail = note ? `, ${note}` : '';
  if (fraction <= 0) return `${label} ${duration(elapsed)}${tail}`;
  const done = Math.round(Math.min(1, fraction) * WIDTH);
  const left = duration((elapsed / fraction) * (1 - fraction));
  const bar = '#'.repeat(done) + '.'.repeat(WIDTH - done);
  return `${label} [${bar}] ${Math.floor(fraction * 100)} %, ${left} left${tail}`;
}

function duration(ms: number): string {
  const s = Math.ceil(ms / 1000);
  if (s < 90) return `${s} s`;
  const minutes = Math.round(s / 60);
  return minutes < 90 ? `${minutes} min` : `${(minutes / 60).toFixed(1)} h`;
}
