import { afterEach, describe, expect, it, vi } from 'vitest';
import { workloads } from '../../src/guest/workloads/index.ts';
import { operation, visit } from '../../src/guest/workloads/item.ts';
import { microRegion, microRegions, microWorkload } from '../../src/guest/workloads/micro.ts';
import { ScriptProgram, type Step } from '../../src/guest/workloads/script.ts';
import { Op, type Program } from '../../src/guest/workloads/workload.ts';
import { writeItem } from '../../src/machine/items.ts';
import type { RunResult } from '../../src/stats/result.ts';
import { metric, run } from '../support/scenarios.ts';

/** What the guest kernel does with several threads in a process: what Linux does. */
afterEach(() => vi.restoreAllMocks());

const regions = microRegions(microRegion({ name: 'data', start: 0x10000, pages: 8 }));
const DATA = 0x10000;

/** A guest with one process; `done` = units of work after which the run ends. */
async function guest(programs: readonly Program[], done: number): Promise<RunResult> {
  const workload = microWorkload({ cpi: 1, work: done, hz: 0 }, 'steps', [{ regions, programs }]);
  vi.spyOn(workloads, 'create').mockReturnValue(workload);
  return run({ duration: 'work', checks: { translations: false } });
}

const script = (steps: Iterable<Step>, more: { fork?: () => Program } = {}) =>
  new ScriptProgram({ script: steps[Symbol.iterator](), ...more });

/** Touches its page and passes the processor on, `turns` times; then whatever comes. */
function* turns(page: number, count: number, ...then: Step[]): Generator<Step> {
  for (let i = 0; i < count; i++) {
    yield visit(Op.Load, DATA + page, 4, 100);
    yield operation(Op.WorkDone, 1);
    yield operation(Op.Yield);
  }
  yield* then;
}

/** Ends like a thread, not like a process: `fill` returns 0. */
class Ending implements Program {
  #left: number;
  constructor(fills: number) {
    this.#left = fills;
  }
  fill(at: number): number {
    if (this.#left-- <= 0) return 0;
    writeItem(at, operation(Op.Yield));
    return 1;
  }
  fork = (): never => expect.fail('no fork was asked for');
  exec = (): never => expect.fail('no exec was asked for');
}

describe('threads of one process', () => {
  it('take turns without a change of address space', async () => {
    const two = [script(turns(0, 50)), script(turns(1, 50))];
    const result = await guest(two, 99);
    expect(metric(result, 'work')).toBe(99);
    expect(metric(result, 'guest_process_switches')).toBe(0);
    expect(metric(result, 'exits')).toBe(0);
  });

  it('cost a scheduler pass at each switch between two of them', async () => {
    const kernel = async (programs: readonly Program[]) => {
      const { vms } = await guest(programs, 100);
      return vms[0]!.ledger['guest.kernel']!;
    };
    const alone = await kernel([script(turns(0, 101))]);
    const both = await kernel([script(turns(0, 51)), script(turns(1, 51))]);
    // 99 switches of 850 instructions at 1.3 cycles, their visits to the TLBs not counted.
    expect(both - alone).toBeGreaterThan(99 * 1050);
    expect(both - alone).toBeLessThan(99 * 1700);
  });

  it('end one by one: the process goes on until the last', async () => {
    const result = await guest([new Ending(3), new Ending(5), script(turns(0, 60))], 50);
    expect(metric(result, 'work')).toBe(50);
    expect(metric(result, 'process_exits')).toBe(0);
  });

  it('end the VM with the last of its last process', async () => {
    const result = await guest([new Ending(3), new Ending(5)], 50);
    expect(metric(result, 'work')).toBe(0);
    expect(metric(result, 'finished_at_cycles')).toBeGreaterThan(0);
  });

  it('end together when one of them exits, whatever the others do', async () => {
    const waiting = script([operation(Op.AwaitRequest, 100)]);
    const asleep = script([operation(Op.Sleep, 50), ...turns(2, 5)]);
    const first = script(turns(0, 10, operation(Op.Exit)));
    const result = await guest([first, asleep, waiting, script(turns(1, 1000))], 900);
    expect(metric(result, 'process_exits')).toBe(1);
    expect(metric(result, 'work')).toBeLessThanOrEqual(20);
  });

  it('each wait for a child, and each child wakes one of them', async () => {
    const child = () => script(turns(5, 1, operation(Op.Exit)));
    const steps = [operation(Op.Fork), operation(Op.Wait), ...turns(0, 10)];
    const parents = [script(steps, { fork: child }), script(steps, { fork: child })];
    const result = await guest(parents, 22);
    expect(metric(result, 'work')).toBe(22);
    expect(metric(result, 'process_exits')).toBe(2);
    expect(metric(result, 'forks')).toBe(2);
  });

  it('are replaced when one executes a program, by those of the new image', async () => {
    const image = { regions, programs: [script(turns(0, 20)), script(turns(1, 20))] };
    const exec = new ScriptProgram({
      script: [operation(Op.Exec)][Symbol.iterator](),
      exec: () => image,
    });
    const other = vi.fn(() => operation(Op.Yield));
    const others = script({
      *[Symbol.iterator]() {
        for (;;) yield other();
      },
    });
    const result = await guest([script(turns(2, 3, operation(Op.Sleep, 1e6))), exec, others], 40);
    expect(metric(result, 'execs')).toBe(1);
    // One turn of the first thread before the exec, all turns of the new ones after it.
    expect(metric(result, 'work')).toBe(40);
    expect(other).not.toHaveBeenCalled();
  });
});
