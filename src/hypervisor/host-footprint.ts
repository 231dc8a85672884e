import { type Core, SIDE_D, SIDE_I } from '../machine/core.ts';
import {
  beginHost,
  endHost,
  fetchHost,
  flushHost,
  touchHost,
  translateHost,
} from '../machine/host-access.ts';
import type { Machine } from '../machine/machine.ts';
import { Pte } from '../machine/page-tables.ts';
import type { HypervisorCosts } from './costs.ts';
import type { Footprint } from './footprint.ts';
import { DIRECT, guestPageOf, HostImage, LARGE, recordPageOf, SMALL } from './host-image.ts';
import { layText, type Step, type StepText, textBytes } from './host-text.ts';

/**
 * Lines of a VMCB that VMRUN and #VMEXIT read and write: intercepts to nested CR3 from 0 on, and
 * the state save area from 0x400 on (AMD64 manual, volume 2, appendix B).
 */
const VMCB_CONTROL = 4;
const VMCB_STATE = 10;
const VMCB_STATE_AT = 16;
/** Lines of the save area of the host, one for each pCPU. */
const HOST_SAVE = 10;

/** Bytes of an entry of a reverse map, and how many of them a line has. */
const RMAP_PER_LINE = 8;

/** Frames of what belongs to a vCPU, a VM or a pCPU. */
interface Own {
  readonly frame: number;
  /** First line: structures do not all begin at the same one. */
  readonly line: number;
}

/**
 * What handlers touch: code, stacks, the structures of vCPU and VM, records of guest frames, tables
 * and guest memory, each through the host's own translations. A path costs nothing here while all
 * of it is in the first TLB and cache; what has been displaced costs its miss, and displaces
 * something itself. Returns cycles, which the caller charges.
 */
export class HostFootprint {
  readonly #image: HostImage;
  readonly #footprint: Footprint;
  readonly #text: Readonly<Record<Step, StepText>>;
  readonly #exposedQ8: number;
  readonly #framePage: number;
  readonly #guestPage: number;
  readonly #guestFlags: number;
  /** By vCPU: VMCB, structures, stack. By VM, and by pCPU: stack and save area. */
  readonly #vmcb: Own[] = [];
  readonly #vcpu: Own[] = [];
  readonly #stack: Own[] = [];
  readonly #vm: Own[] = [];
  readonly #save: Own[] = [];
  readonly #user: Own[] = [];
  /** Structures so far. */
  #made = 0;
  /** By VM: in which order the host has met them. */
  readonly #order: number[] = [];
  #met = 0;
  /** By pCPU: the VM whose user space its CR3 has; -1 = none yet. */
  readonly #space: number[] = [];

  constructor(machine: Machine, costs: HypervisorCosts, footprint: Footprint) {
    this.#image = new HostImage(machine, textBytes(footprint));
    this.#footprint = footprint;
    this.#text = layText(this.#image, costs, footprint);
    this.#exposedQ8 = Math.round(256 * (1 - footprint.overlap));
    this.#framePage = footprint.framePage > 4096 ? LARGE : SMALL;
    this.#guestPage = footprint.guestPage > 4096 ? LARGE : SMALL;
    this.#guestFlags = this.#guestPage === SMALL ? 0 : Pte.Global;
  }

  /** Tables that map what the host has for itself. */
  get tableCount(): number {
    return this.#image.tableCount;
  }

  /** The code of a step. */
  step(core: Core, step: Step): number {
    const { pages, size, frames, lines, lengths } = this.#text[step];
    const vm = beginHost(core);
    const { root } = this.#image;
    const flags = step === 'deviceUser' ? 0 : Pte.Global;
    let cycles = 0;
    for (let run = 0; run < pages.length; run++) {
      cycles += translateHost(core, root, pages[run]!, size, SIDE_I, flags);
      cycles += fetchHost(core, frames[run]!, lines[run]!, lengths[run]!);
    }
    endHost(core, vm);
    return cycles;
  }

  /** What every exit and entry uses besides code: stack, VMCB, save area, structures. */
  exit(core: Core, vcpu: number): number {
    const { stackLines, stackPerCpu, vcpuLines } = this.#footprint;
    const vm = beginHost(core);
    const vmcb = this.#own(this.#vmcb, vcpu, core.node).frame;
    const save = this.#own(this.#save, core.id, core.node).frame;
    const stack = this.#own(this.#stack, stackPerCpu ? core.id : vcpu, core.node);
    const cycles =
      // VMRUN and #VMEXIT address the VMCB and the save area by their frames.
      touchHost(core, vmcb, 0, VMCB_CONTROL, 1, this.#exposedQ8) +
      touchHost(core, vmcb, VMCB_STATE_AT, VMCB_STATE, 1, this.#exposedQ8) +
      touchHost(core, save, 0, HOST_SAVE, 1, this.#exposedQ8) +
      this.#direct(core, vmcb, 0, 0, 1) +
      this.#direct(core, stack.frame, stack.line, stackLines, 1) +
      this.#structure(core, this.#own(this.#vcpu, vcpu, core.node), vcpuLines, 1);
    endHost(core, vm);
    return cycles;
  }

  /** Structures of the VM that a fault looks at. */
  fault(core: Core, of: number): number {
    const vm = beginHost(core);
    const cycles = this.#structure(
      core,
      this.#own(this.#vm, of, core.node),
      this.#footprint.vmLines,
      0,
    );
    endHost(core, vm);
    return cycles;
  }

  /** Records of a guest frame that is mapped or unmapped. */
  record(core: Core, of: number, gfn: number): number {
    const { frameLines } = this.#footprint;
    const vm = beginHost(core);
    let cycles = 0;
    for (let kind = 0; kind < frameLines; kind++) {
      const line = kind === 0 ? Math.floor(gfn / RMAP_PER_LINE) : gfn;
      const page = recordPageOf(this.#orderOf(of), kind, line >>> 6);
      this.#image.map(page, this.#framePage);
      cycles +=
        translateHost(core, this.#image.root, page, this.#framePage, SIDE_D, Pte.Global) +
        touchHost(core, this.#image.behind(page, core.node), line & 63, 1, 1, this.#exposedQ8);
    }
    endHost(core, vm);
    return cycles;
  }

  /** One line of a guest's memory, as a load on which the next one depends. */
  guest(core: Core, of: number, gfn: number, frame: number, line: number): number {
    const vm = beginHost(core);
    const size = this.#guestPage;
    const page = size === SMALL ? guestPageOf(this.#orderOf(of), gfn) : DIRECT + frame;
    this.#image.map(page, size);
    const cycles =
      translateHost(core, this.#image.root, page, size, SIDE_D, this.#guestFlags) +
      touchHost(core, frame, line, 1, 0, 256);
    endHost(core, vm);
    return cycles;
  }

  /** One line of a table of the hypervisor's own. */
  table(core: Core, frame: number, line: number): number {
    const vm = beginHost(core);
    const cycles = this.#direct(core, frame, line, 1, 1);
    endHost(core, vm);
    return cycles;
  }

  /** Stack and data of the device model for one request. */
  request(core: Core, of: number): number {
    const { userLines } = this.#footprint;
    const vm = beginHost(core);
    let cycles = 0;
    const own = this.#own(this.#user, of, core.node);
    for (let at = 0; at < userLines; at += LINES_PER_USER_PAGE) {
      const page = guestPageOf(this.#orderOf(of), WINDOW_END - at);
      this.#image.map(page, SMALL);
      cycles +=
        translateHost(core, this.#image.root, page, SMALL, SIDE_D, 0) +
        touchHost(
          core,
          at === 0 ? own.frame : this.#image.behind(page, core.node),
          own.line,
          Math.min(LINES_PER_USER_PAGE, userLines - at),
          1,
          this.#exposedQ8,
        );
    }
    endHost(core, vm);
    return cycles;
  }

  /** A pCPU takes up a vCPU of `vm`: the host's CR3 changes with the address space. */
  enterVm(core: Core, vm: number): void {
    const all = this.#footprint.switchFlush === 'all';
    if (this.#space[core.id] === vm && !all) return;
    this.#space[core.id] = vm;
    flushHost(core, all);
  }

  /**
   * What belongs to a vCPU, VM or pCPU lies on the node where it is first used. Nothing depends on
   * numbers, which hosts that have nothing to do with this one give too.
   */
  #own(list: Own[], index: number, node: number): Own {
    let own = list[index];
    if (own === undefined) {
      own = { frame: this.#image.take(node), line: (this.#made++ * 24) & 63 };
      list[index] = own;
    }
    return own;
  }

  #orderOf(vm: number): number {
    return (this.#order[vm] ??= this.#met++);
  }

  /** A structure that may be longer than a page. */
  #structure(core: Core, { frame, line }: Own, lines: number, write: number): number {
    let cycles = this.#direct(core, frame, line, Math.min(64, lines), write);
    for (let at = 64; at < lines; at += 64) {
      const next = this.#image.behind(DIRECT + frame * 8 + at / 64, core.node);
      cycles += this.#direct(core, next, line, Math.min(64, lines - at), write);
    }
    return cycles;
  }

  /** Lines of a frame through the direct map. */
  #direct(core: Core, frame: number, line: number, lines: number, write: number): number {
    const page = DIRECT + frame;
    this.#image.map(page, LARGE);
    return (
      translateHost(core, this.#image.root, page, LARGE, SIDE_D, Pte.Global) +
      touchHost(core, frame, line, lines, write, this.#exposedQ8)
    );
  }
}

/** Lines that a device model uses of one page of its data. assumed (4-32) */
const LINES_PER_USER_PAGE = 8;
/** Device models have their data above the memory of the VM. */
const WINDOW_END = 2 ** 22 - 1;

/** What the hypervisor asks of it. */
export type HostTouches = Pick<HostFootprint, keyof HostFootprint>;
