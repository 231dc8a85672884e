import type { Campaign } from './campaign.ts';
import { pause } from './pause.ts';
import { type Pool, UnitFailed } from './pool.ts';
import { firstReplications, nextReplications } from './replicate.ts';
import type { Fault } from './worker.ts';

/** Runs what is missing of a campaign, or of one shard of it. */
export interface ExecuteOptions {
  readonly pool: Pool;
  /**
   * The part `index` (from 0) of `count`; units of one point stay together when a precision is
   * asked for.
   */
  readonly shard?: Shard | undefined;
  readonly signal: AbortSignal;
  /** `fraction` of the work, weighted by what units cost. */
  readonly onProgress?: ((fraction: number, finished: number, known: number) => void) | undefined;
}

export interface Shard {
  readonly index: number;
  readonly count: number;
}

export interface Failure {
  readonly point: number;
  readonly replication: number;
  readonly fault: Fault;
}

export interface Outcome {
  readonly ran: number;
  readonly reused: number;
  readonly failures: readonly Failure[];
  readonly interrupted: boolean;
  /** Wall-clock seconds of the units that ran, summed. */
  readonly unitSeconds: number;
}

interface Unit {
  readonly point: number;
  readonly replication: number;
}

/** Whether a unit belongs to a shard. */
export function inShard(
  campaign: Campaign,
  { point, replication }: Unit,
  shard: Shard | undefined,
): boolean {
  if (!shard) return true;
  const { precision, replications } = campaign.plan;
  const number = precision === undefined ? point * replications + replication : point;
  return number % shard.count === shard.index;
}

/**
 * Units of a campaign that are known beforehand, the largest first, so that none is left for the
 * end.
 */
export function* firstUnits(campaign: Campaign, shard?: Shard): Generator<Unit> {
  const order = Array.from({ length: campaign.plan.points }, (_, point) => point).sort(
    (a, b) => campaign.weight(b) - campaign.weight(a) || a - b,
  );
  const replications = firstReplications(campaign.plan);
  for (const point of order) {
    for (let replication = 0; replication < replications; replication++) {
      const unit = { point, replication };
      if (inShard(campaign, unit, shard)) yield unit;
    }
  }
}

/**
 * Rejects when results cannot be stored; failed units and an interruption are told in the outcome.
 */
export async function execute(campaign: Campaign, options: ExecuteOptions): Promise<Outcome> {
  return new Execution(campaign, options).run();
}

class Execution {
  readonly #campaign: Campaign;
  readonly #options: ExecuteOptions;
  readonly #units: Iterator<Unit>;
  /** Further replications that turned out to be needed. */
  readonly #more: Unit[] = [];
  /** Units of a point that are still to come, while a precision is asked for. */
  readonly #open = new Map<number, number>();
  /** Replications of a point decided on so far, where they are more than the first. */
  readonly #target = new Map<number, number>();
  readonly #failures: Failure[] = [];
  /** Woken when a unit has ended: it may have made new ones. */
  #waiting: (() => void)[] = [];
  #stopped = false;
  #running = 0;
  #ran = 0;
  #reused = 0;
  #unitSeconds = 0;
  #known = 0;
  #weight = 0;
  #weightDone = 0;
  readonly #partial = new Map<Unit, number>();

  constructor(campaign: Campaign, options: ExecuteOptions) {
    this.#campaign = campaign;
    this.#options = options;
    this.#units = firstUnits(campaign, options.shard);
  }

  #expect(point: number): void {
    this.#known++;
    this.#weight += this.#campaign.weight(point);
    if (this.#campaign.plan.precision !== undefined) {
      this.#open.set(point, (this.#open.get(point) ?? 0) + 1);
    }
  }

  async run(): Promise<Outcome> {
    const { pool, signal } = this.#options;
    let fatal: unknown;
    const stop = () => void pool.close();
    signal.addEventListener('abort', stop);
    for (const { point } of firstUnits(this.#campaign, this.#options.shard)) {
      this.#expect(point);
      await pause();
    }
    const lane = async () => {
      try {
        await this.#lane();
      } catch (error) {
        fatal ??= error;
        this.#stopped = true;
        this.#wake();
        await pool.close();
      }
    };
    await Promise.all(Array.from({ length: pool.lanes }, lane));
    signal.removeEventListener('abort', stop);
    if (fatal !== undefined && !signal.aborted) throw fatal;
    return {
      ran: this.#ran,
      reused: this.#reused,
      failures: this.#failures.toSorted(
        (a, b) => a.point - b.point || a.replication - b.replication,
      ),
      interrupted: signal.aborted,
      unitSeconds: this.#unitSeconds,
    };
  }

  async #lane(): Promise<void> {
    while (!this.#stopped && !this.#options.signal.aborted) {
      const unit = this.#more.shift() ?? this.#fresh();
      if (!unit) {
        if (this.#running === 0) return;
        await new Promise<void>((resolve) => this.#waiting.push(resolve));
        continue;
      }
      this.#running++;
      try {
        await pause();
        await this.#one(unit);
      } finally {
        this.#running--;
        this.#wake();
      }
    }
  }

  #fresh(): Unit | undefined {
    const { value, done } = this.#units.next();
    return done ? undefined : value;
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }

  async #one(unit: Unit): Promise<void> {
    const { point, replication } = unit;
    const campaign = this.#campaign;
    const name = campaign.unit(point, replication);
    if (campaign.store.read(name)) {
      this.#reused++;
      // It costs no time, so it must not make what is left look faster.
      this.#weight -= campaign.weight(point);
    } else if (!(await this.#simulate(unit, name))) {
      return;
    }
    this.#settle(point);
  }

  /** False when the sweep was stopped meanwhile. */
  async #simulate(unit: Unit, name: string): Promise<boolean> {
    const { point, replication } = unit;
    const { pool, signal } = this.#options;
    const start = performance.now();
    try {
      const job = this.#campaign.job(point, replication);
      const result = await pool.run(job, (fraction) => {
        this.#partial.set(unit, fraction);
        this.#report();
      });
      const wallSeconds = Number(((performance.now() - start) / 1000).toFixed(3));
      this.#campaign.store.write(name, { wallSeconds, result });
      this.#unitSeconds += wallSeconds;
      this.#ran++;
    } catch (error) {
      if (signal.aborted || this.#stopped) return false;
      if (!(error instanceof UnitFailed)) throw error;
      this.#failures.push({ point, replication, fault: error.fault });
    }
    this.#partial.delete(unit);
    this.#weightDone += this.#campaign.weight(point);
    this.#report();
    return true;
  }

  #report(): void {
    let done = this.#weightDone;
    for (const [{ point }, fraction] of this.#partial) {
      done += fraction * this.#campaign.weight(point);
    }
    const finished = this.#ran + this.#reused + this.#failures.length;
    this.#options.onProgress?.(this.#weight > 0 ? done / this.#weight : 1, finished, this.#known);
  }

  /** When a point has all its replications: are they enough? */
  #settle(point: number): void {
    const { plan } = this.#campaign;
    if (plan.precision === undefined) return;
    const left = this.#open.get(point)! - 1;
    if (left > 0) {
      this.#open.set(point, left);
      return;
    }
    this.#open.delete(point);
    const have = this.#target.get(point) ?? firstReplications(plan);
    const results = Array.from({ length: have }, (_, r) => this.#campaign.result(point, r));
    const found = results.filter((result) => result !== undefined);
    if (found.length < have) return;
    const wanted = nextReplications(plan, found);
    this.#target.set(point, wanted);
    for (let replication = have; replication < wanted; replication++) {
      this.#expect(point);
      this.#more.push({ point, replication });
    }
    if (wanted === have) this.#target.delete(point);
  }
}
