import { ModelError } from '../base/errors.ts';
import type { Cycles } from '../base/ids.ts';
import type { Core } from '../machine/core.ts';
import { LEAVES } from '../stats/leaves.ts';
import type { Hypervisor } from './hypervisor.ts';
import type { Vcpu } from './vm.ts';

/** Cycles by pCPU, VM and leaf, and by vCPU and run state, from the start of the run. */
export interface Accounts {
  readonly ledger: Float64Array;
  readonly states: readonly Float64Array[];
}

/**
 * Edges of measured windows. A pCPU finishes the step that it has begun (a visit, an exit, a switch) and stands
 * past the edge then; its ledger and the run states of its vCPU are cut where the edge was, so that between two
 * edges every pCPU and every vCPU accounts for exactly the same cycles. Counts are not cut: a step counts in the
 * window in which it began.
 */
export class Edges {
  readonly #hv: Hypervisor;
  readonly #times: Cycles[] = [];
  /** By edge: the part of the ledger of each pCPU that has passed it inside a step. */
  readonly #ledgers: (Float64Array | undefined)[][] = [];
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

  /** The earliest moment that no pCPU has passed. */
  get reachable(): Cycles {
    const { pcpus, engine } = this.#hv;
    return pcpus.reduce((last, { core }) => Math.max(last, core.now), engine.now);
  }

  /** Adds an edge, later than those before and not in the past of a pCPU. */
  add(time: Cycles): void {
    this.#times.push(time);
    this.#ledgers.push([]);
    this.#states.push([]);
    for (const { core } of this.#hv.pcpus) this.#aimCore(core);
    for (const vcpu of this.#hv.vcpus) this.#aimVcpu(vcpu);
  }

  /** The accounts at an edge that everybody has reached. Settles what is under way. */
  accounts(time: Cycles): Accounts {
    const { pcpus, vcpus, ledger } = this.#hv;
    const edge = this.#times.indexOf(time);
    for (const pcpu of pcpus) {
      pcpu.accountIdle(time);
      this.#hv.drain(pcpu.core);
    }
    const cut = ledger.slice();
    for (const { core } of pcpus) {
      const passed = this.#ledgers[edge]?.[core.id];
      if (passed) cut.set(passed, core.id * passed.length);
      else if (core.time !== time) {
        throw new ModelError(`pCPU ${core.id} stands at cycle ${core.time}, the edge is ${time}`);
      }
    }
    const states = vcpus.map(({ id }) => this.#states[edge]?.[id] ?? vcpus[id]!.statesAt(time));
    return { ledger: cut, states };
  }

  #aimCore(core: Core): void {
    const edge = this.#times[this.#nextOfCore[core.id]!] ?? Infinity;
    core.cut.set(edge, (passing, leaves) => this.#passCore(passing, leaves));
  }

  #aimVcpu(vcpu: Vcpu): void {
    vcpu.edge = this.#times[this.#nextOfVcpu[vcpu.id]!] ?? Infinity;
  }

  #passCore(core: Core, leaves: Float64Array): void {
    const { vms, ledger } = this.#hv;
    const rows = (vms.length + 1) * LEAVES;
    const part = ledger.slice(core.id * rows, (core.id + 1) * rows);
    const row = (core.vm < 0 ? vms.length : core.vm) * LEAVES;
    for (const [leaf, cycles] of leaves.entries()) part[row + leaf] = part[row + leaf]! + cycles;
    this.#ledgers[this.#nextOfCore[core.id]!++]![core.id] = part;
    this.#aimCore(core);
  }

  #passVcpu(vcpu: Vcpu): void {
    this.#states[this.#nextOfVcpu[vcpu.id]!++]![vcpu.id] = vcpu.statesAt(vcpu.edge);
    this.#aimVcpu(vcpu);
  }
}
