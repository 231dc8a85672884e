import {
  type EntryKind,
  isInterrupt,
  type LogEntry,
} from '../../src/cluster/fault-tolerance/log-entry.ts';
import { logParams } from '../../src/cluster/fault-tolerance/log-params.ts';
import type { Recorded } from '../../src/cluster/fault-tolerance/primary-side.ts';
import { RecordedGuest, RecordPort } from '../../src/cluster/fault-tolerance/record-port.ts';
import { Recorder } from '../../src/cluster/fault-tolerance/recorder.ts';
import {
  type LogSource,
  ReplayedGuest,
  Replayer,
  ReplayPort,
} from '../../src/cluster/fault-tolerance/replay-port.ts';
import { Timers } from '../../src/cluster/fault-tolerance/timers.ts';
import { Runstate } from '../../src/hypervisor/vm.ts';
import { Verdict } from '../../src/machine/core.ts';
import type { Simulation } from '../../src/scenario/build.ts';
import { LEAVES, Leaf } from '../../src/stats/leaves.ts';
import { type Overrides, simulate } from './scenarios.ts';

/**
 * A guest recorded in one simulation and replayed in another, with nothing between them but the log:
 * each entry reaches the second guest so long after it was written as `latency` says.
 */
export interface Mark {
  readonly sequence: number;
  readonly kind: EntryKind;
  readonly steps: number;
  readonly user: number;
  readonly kernel: number;
  readonly instructions: number;
}

export interface Side {
  readonly marks: readonly Mark[];
  readonly faults: readonly number[];
  readonly exits: number;
  readonly log: readonly (LogEntry & { readonly at: number })[];
  readonly most: { behind: number };
}

const log = logParams.parse({});

function observe(simulation: Simulation) {
  const { hosts, members } = simulation;
  const { hypervisor, machine } = hosts[0]!;
  const { vcpu, kernel } = members[0]!;
  const marks: Mark[] = [];
  const faults: number[] = [];
  const { port } = vcpu.context;
  vcpu.context.port = {
    onWalkFault(core, vpn, write, fault) {
      const verdict = port.onWalkFault(core, vpn, write, fault);
      if (verdict === Verdict.GuestFault) faults.push(2 * vpn + (write ? 1 : 0));
      return verdict;
    },
  };
  const spent = (leaf: number) => {
    let sum = 0;
    for (const core of machine.cores) {
      sum += hypervisor.ledger.of(core.id)[vcpu.vm.id * LEAVES + leaf]!;
    }
    return sum;
  };
  const mark = (sequence: number, kind: EntryKind) => {
    if (!isInterrupt(kind)) return;
    const core = machine.cores[vcpu.pcpu]!;
    core.settle();
    hypervisor.ledger.drain(core);
    marks.push({
      sequence,
      kind,
      steps: kernel.steps,
      user: spent(Leaf.GuestUser),
      kernel: spent(Leaf.GuestKernel),
      instructions: hypervisor.ledger.countSoFar(vcpu.vm.id, 0),
    });
  };
  const side = (entries: Side['log'], most = { behind: 0 }): Side => ({
    marks,
    faults,
    exits: vcpu.exitCounts.reduce((sum, count) => sum + count, 0),
    log: entries,
    most,
  });
  return { mark, side };
}

/** Records the first VM of a scenario for as long as the scenario lasts. */
export function record(overrides: Overrides): Side {
  return simulate(overrides, (simulation) => {
    const { engine, hosts, members, scenario } = simulation;
    const { hypervisor } = hosts[0]!;
    const { vcpu, requests, kernel } = members[0]!;
    const { mark, side } = observe(simulation);
    const entries: (LogEntry & { at: number })[] = [];
    const add = (event: Recorded, now: number) => {
      const sequence = entries.length + 1;
      entries.push({ ...event, sequence, at: now });
      mark(sequence, event.kind);
    };
    const target = {
      recording: true,
      record: add,
      output: (event: Recorded, now: number, release: (now: number) => void) => {
        add(event, now);
        release(now);
      },
    };
    const recorder = new Recorder(hypervisor, vcpu, log, () => target);
    const port = new RecordPort(recorder, hypervisor.mmuOf[0]!, requests);
    vcpu.port = port;
    vcpu.guest = new RecordedGuest(kernel, recorder, port);
    engine.run(scenario.duration as number);
    return side(entries);
  });
}

/** Replays what was recorded in a scenario with the same VM; `latency` in cycles. */
export function replay(overrides: Overrides, recorded: Side, latency: (i: number) => number): Side {
  return simulate(overrides, (simulation) => {
    const { engine, hosts, members, scenario } = simulation;
    const { hypervisor } = hosts[0]!;
    const { vcpu, kernel } = members[0]!;
    const { mark, side } = observe(simulation);
    const timers = new Timers(engine);
    const queue: LogEntry[] = [];
    const most = { behind: 0 };
    // Nothing comes from this host's network: the log brings it.
    Object.assign(hypervisor.interrupts, { raise: () => {} });
    const source: LogSource & { receivedPoint: number } = {
      receivedPoint: 0,
      final: false,
      next: () => queue[0],
      consume() {
        const entry = queue.shift()!;
        mark(entry.sequence, entry.kind);
        return entry;
      },
    };
    const replayer = new Replayer(hypervisor, vcpu, log, source);
    vcpu.port = new ReplayPort(replayer, hypervisor.mmuOf[0]!, null);
    vcpu.guest = new ReplayedGuest(kernel, replayer);
    let arrival = 0;
    for (const [i, entry] of recorded.log.entries()) {
      arrival = Math.max(arrival, entry.at + latency(i));
      timers.at(arrival, (now) => {
        most.behind = Math.max(most.behind, queue.length);
        queue.push(entry);
        source.receivedPoint = entry.point;
        if (vcpu.state === Runstate.Blocked) hypervisor.interrupts.wake(vcpu, now);
      });
    }
    engine.run(scenario.duration as number);
    return side(recorded.log, most);
  });
}
