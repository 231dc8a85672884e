import { ModelError } from '../base/errors.ts';
import type { Cycles } from '../base/ids.ts';
import type { Ticks } from '../engine/timebase.ts';
import type { Core } from '../machine/core.ts';
import { LEAVES } from '../stats/leaves.ts';
import type { Hypervisor } from './hypervisor.ts';
import type { SoftCounters, Vcpu } from './vm.ts';

/** What the pCPUs of one host have done from the start of the run. */
export interface HostAccounts {
  /** Cycles by pCPU, VM and leaf. */
  readonly ledger: Float64Array;
  /** Flushes by pCPU. */
  readonly flushes: Float64Array;
}

/** Running totals from the start of the run. */
export interface Accounts {
  /** By host. */
  readonly hosts: readonly HostAccounts[];
  /** Ticks by vCPU and run state. */
  readonly states: readonly Float64Array[];
  /** By VM. */
  readonly soft: readonly SoftCounters[];
  /** Exits by vCPU and reason. */
  readonly exits: readonly Float64Array[];
}

/**
 * What had been counted when a pCPU passed an edge inside a step, and its part of the ledger at the
 * edge.
 */
interface Passed extends Pick<Accounts, 'soft' | 'exits'> {
  readonly ledger: Float64Array;
  readonly flushes: number;
}

/**
 * Edges of measured windows. A pCPU finishes the step that it has begun (a visit, an exit, a
 * switch) and stands past the edge then; its ledger and the run states of its vCPU are cut where
 * the edge was, so that between two edges every pCPU and every vCPU accounts for exactly the same
 * cycles. Exits, faults, flushes and the like count where they happen; visits and what TLBs and
 * caches count of them, where the step began that they belong to.
 */
export class Edges {
  /** One per host, all with the same VMs and vCPUs. */
  readonly #hypervisors: readonly Hypervisor[];
  readonly #vms: Hypervisor['vms'];
  readonly #vcpus: Hypervisor['vcpus'];
  readonly #times: Ticks[] = [];
  /** Whether observers are told about the edge. */
  readonly #told: boolean[] = [];
  /** By edge, host and pCPU: what the pCPU had done, if it has passed the edge inside a step. */
  readonly #passed: (Passed | undefined)[][][] = [];
  /** By edge: the run states of each vCPU that has passed it. */
  readonly #states: (Float64Array | undefined)[][] = [];
  /** The next edge of each pCPU, by host, and of each vCPU. */
  readonly #nextOfCore: number[][];
  readonly #nextOfVcpu: number[];

  constructor(hypervisors: readonly Hypervisor[]) {
    const { vms, vcpus } = hypervisors[0]!;
    this.#hypervisors = hypervisors;
    this.#vms = vms;
    this.#vcpus = vcpus;
    this.#nextOfCore = hypervisors.map(({ pcpus }) => pcpus.map(() => 0));
    this.#nextOfVcpu = vcpus.map(() => 0);
    for (const vcpu of vcpus) vcpu.onEdge = () => this.#passVcpu(vcpu);
  }

  /** The earliest time that no pCPU has passed. */
  get reachable(): Ticks {
    return this.#hypervisors.reduce((last, { engine: { now, timebase }, pcpus }) => {
      const latest = pcpus.reduce((late, { core }) => Math.max(late, core.now), now);
      return Math.max(last, timebase.engine(latest));
    }, 0);
  }

  /**
   * Adds an edge, later than those before and not in the past of a pCPU. To a host it is the first
   * cycle that begins at `time` or later. Observers are told in which state each vCPU is at it, if
   * `told`.
   */
  add(time: Ticks, told: boolean): void {
    this.#times.push(time);
    this.#told.push(told);
    this.#passed.push(this.#hypervisors.map(() => []));
    this.#states.push([]);
    for (const hypervisor of this.#hypervisors) {
      for (const { core } of hypervisor.pcpus) this.#aimCore(hypervisor, core);
    }
    for (const vcpu of this.#vcpus) this.#aimVcpu(vcpu);
  }

  /** The accounts at an edge that every pCPU has reached. Settles what is under way. */
  accounts(time: Ticks): Accounts {
    const edge = this.#times.indexOf(time);
    const passed = this.#passed[edge] ?? [];
    const hosts = this.#hypervisors.map((hypervisor, h) =>
      hostAccounts(hypervisor, passed[h] ?? [], hypervisor.engine.timebase.local(time)),
    );
    const states = this.#vcpus.map((vcpu) => {
      const atEdge = this.#states[edge]?.[vcpu.id];
      if (atEdge) return atEdge;
      const at = vcpu.timebase.local(time);
      if (this.#told[edge]) this.#tell(vcpu, at);
      return vcpu.statesAt(at);
    });
    // Past the edge, a vCPU can only have run on the pCPU that still has it.
    const holder = ({ vm, pcpu }: Vcpu) => passed[vm.host.index]?.[pcpu];
    return {
      hosts,
      states,
      soft: this.#vms.map(({ counters }, i) => {
        const atEdge = holder(this.#vcpus[i]!)?.soft[i] ?? counters;
        // Requests arrive by events, which wait for every pCPU.
        return { ...atEdge, requests_arrived: counters.requests_arrived };
      }),
      exits: this.#vcpus.map((vcpu) => holder(vcpu)?.exits[vcpu.id] ?? vcpu.exitCounts.slice()),
    };
  }

  #tell({ id, pcpu, state, observer }: Vcpu, time: Cycles): void {
    observer.onRunstate(time, pcpu, id, state, state);
  }

  #aimCore(hypervisor: Hypervisor, core: Core): void {
    const next = this.#nextOfCore[hypervisor.host.index]![core.id]!;
    const { timebase } = hypervisor.engine;
    core.cut.set(timebase.local(this.#times[next] ?? Infinity), (passing, leaves) =>
      this.#passCore(hypervisor, passing, leaves),
    );
  }

  #aimVcpu(vcpu: Vcpu): void {
    vcpu.edge = this.#times[this.#nextOfVcpu[vcpu.id]!] ?? Infinity;
  }

  #passCore(hypervisor: Hypervisor, core: Core, leaves: Float64Array): void {
    const { host, ledger } = hypervisor;
    const next = this.#nextOfCore[host.index]!;
    const part = ledger.of(core.id).slice();
    const row = (core.vm < 0 ? ledger.host : core.vm) * LEAVES;
    for (const [leaf, cycles] of leaves.entries()) part[row + leaf] = part[row + leaf]! + cycles;
    this.#passed[next[core.id]!]![host.index]![core.id] = {
      ledger: part,
      soft: this.#vms.map(({ counters }) => ({ ...counters })),
      exits: this.#vcpus.map(({ exitCounts }) => exitCounts.slice()),
      flushes: core.flushes,
    };
    next[core.id]!++;
    this.#aimCore(hypervisor, core);
  }

  #passVcpu(vcpu: Vcpu): void {
    const edge = this.#nextOfVcpu[vcpu.id]!++;
    const at = vcpu.timebase.local(vcpu.edge);
    if (this.#told[edge]) this.#tell(vcpu, at);
    this.#states[edge]![vcpu.id] = vcpu.statesAt(at);
    this.#aimVcpu(vcpu);
  }
}

function hostAccounts(
  { ledger, pcpus }: Hypervisor,
  passed: readonly (Passed | undefined)[],
  time: Cycles,
): HostAccounts {
  for (const pcpu of pcpus) {
    pcpu.accountIdle(time);
    ledger.drain(pcpu.core);
  }
  const cut = ledger.cycles.slice();
  for (const { core } of pcpus) {
    const part = passed[core.id]?.ledger;
    if (part) cut.set(part, core.id * part.length);
    else if (core.time !== time) {
      throw new ModelError(`pCPU ${core.id} stands at cycle ${core.time}, the edge is ${time}`);
    }
  }
  return {
    ledger: cut,
    flushes: Float64Array.from(pcpus, ({ core }) => passed[core.id]?.flushes ?? core.flushes),
  };
}
