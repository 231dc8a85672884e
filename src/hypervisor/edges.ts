import { ModelError } from '../base/errors.ts';
import type { Cycles } from '../base/ids.ts';
import type { Core } from '../machine/core.ts';
import { LEAVES } from '../stats/leaves.ts';
import type { Hypervisor } from './hypervisor.ts';
import type { SoftCounters, Vcpu } from './vm.ts';

/** Running totals from the start of the run. */
export interface Accounts {
  /** Cycles by pCPU, VM and leaf. */
  readonly ledger: Float64Array;
  /** Cycles by vCPU and run state. */
  readonly states: readonly Float64Array[];
  /** By VM. */
  readonly soft: readonly SoftCounters[];
  /** Exits by vCPU and reason. */
  readonly exits: readonly Float64Array[];
  /** Flushes by pCPU. */
  readonly flushes: Float64Array;
}

/**
 * What had been counted when a pCPU passed an edge inside a step, and its part of the ledger at the
 * edge.
 */
interface Passed extends Omit<Accounts, 'states' | 'flushes'> {
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
  readonly #hv: Hypervisor;
  readonly #times: Cycles[] = [];
  /** Whether observers are told about the edge. */
  readonly #told: boolean[] = [];
  /** By edge and pCPU: what the pCPU had done, if it has passed the edge inside a step. */
  readonly #passed: (Passed | undefined)[][] = [];
  /** By edge: the run states of each vCPU that has passed it. */
  readonly #states: (Float64Array | undefined)[][] = [];
  /** The next edge of each pCPU and vCPU. */
  readonly #nextOfCore: number[];
  readonly #nextOfVcpu: number[];

  constructor(hypervisor: Hypervisor) {
    this.#hv = hypervisor;
    this.#nextOfCore = hypervisor.pcpus.map(() => 0);
    this.#nextOfVcpu = hypervisor.vcpus.map(() => 0);
    for (const vcpu of hypervisor.vcpus) vcpu.onEdge = () => this.#passVcpu(vcpu);
  }

  /** The earliest time that no pCPU has passed. */
  get reachable(): Cycles {
    const { pcpus, engine } = this.#hv;
    return pcpus.reduce((last, { core }) => Math.max(last, core.now), engine.now);
  }

  /**
   * Adds an edge, later than those before and not in the past of a pCPU. Observers are told in
   * which state each vCPU is at it, if `told`.
   */
  add(time: Cycles, told: boolean): void {
    this.#times.push(time);
    this.#told.push(told);
    this.#passed.push([]);
    this.#states.push([]);
    for (const { core } of this.#hv.pcpus) this.#aimCore(core);
    for (const vcpu of this.#hv.vcpus) this.#aimVcpu(vcpu);
  }

  /** The accounts at an edge that every pCPU has reached. Settles what is under way. */
  accounts(time: Cycles): Accounts {
    const { pcpus, vcpus, vms, ledger } = this.#hv;
    const edge = this.#times.indexOf(time);
    const passed = this.#passed[edge] ?? [];
    for (const pcpu of pcpus) {
      pcpu.accountIdle(time);
      this.#hv.ledger.drain(pcpu.core);
    }
    const cut = ledger.cycles.slice();
    for (const { core } of pcpus) {
      const part = passed[core.id]?.ledger;
      if (part) cut.set(part, core.id * part.length);
      else if (core.time !== time) {
        throw new ModelError(`pCPU ${core.id} stands at cycle ${core.time}, the edge is ${time}`);
      }
    }
    const states = vcpus.map((vcpu) => {
      const atEdge = this.#states[edge]?.[vcpu.id];
      if (atEdge) return atEdge;
      if (this.#told[edge]) this.#tell(vcpu, time);
      return vcpu.statesAt(time);
    });
    // Past the edge, a vCPU can only have run on the pCPU that still has it.
    return {
      ledger: cut,
      states,
      soft: vms.map(({ counters }, i) => {
        const atEdge = passed[vcpus[i]!.pcpu]?.soft[i] ?? counters;
        // Requests arrive by events, which wait for every pCPU.
        return { ...atEdge, requests_arrived: counters.requests_arrived };
      }),
      exits: vcpus.map(({ id, pcpu, exitCounts }) => passed[pcpu]?.exits[id] ?? exitCounts.slice()),
      flushes: Float64Array.from(pcpus, ({ core }) => passed[core.id]?.flushes ?? core.flushes),
    };
  }

  #tell({ id, pcpu, state }: Vcpu, time: Cycles): void {
    this.#hv.observer.onRunstate(time, pcpu, id, state, state);
  }

  #aimCore(core: Core): void {
    const edge = this.#times[this.#nextOfCore[core.id]!] ?? Infinity;
    core.cut.set(edge, (passing, leaves) => this.#passCore(passing, leaves));
  }

  #aimVcpu(vcpu: Vcpu): void {
    vcpu.edge = this.#times[this.#nextOfVcpu[vcpu.id]!] ?? Infinity;
  }

  #passCore(core: Core, leaves: Float64Array): void {
    const { vms, vcpus, ledger } = this.#hv;
    const part = ledger.of(core.id).slice();
    const row = (core.vm < 0 ? ledger.host : core.vm) * LEAVES;
    for (const [leaf, cycles] of leaves.entries()) part[row + leaf] = part[row + leaf]! + cycles;
    this.#passed[this.#nextOfCore[core.id]!++]![core.id] = {
      ledger: part,
      soft: vms.map(({ counters }) => ({ ...counters })),
      exits: vcpus.map(({ exitCounts }) => exitCounts.slice()),
      flushes: core.flushes,
    };
    this.#aimCore(core);
  }

  #passVcpu(vcpu: Vcpu): void {
    const edge = this.#nextOfVcpu[vcpu.id]!++;
    if (this.#told[edge]) this.#tell(vcpu, vcpu.edge);
    this.#states[edge]![vcpu.id] = vcpu.statesAt(vcpu.edge);
    this.#aimVcpu(vcpu);
  }
}
