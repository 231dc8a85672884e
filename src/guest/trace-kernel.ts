import { ModelError } from '../base/errors.ts';
import { type GuestCpu, GuestStop } from '../hypervisor/guest-port.ts';
import type { Vm } from '../hypervisor/vm.ts';
import type { AddressSpace } from './address-space.ts';
import { bootTables } from './boot.ts';
import type { GuestTables } from './frames.ts';
import { loadImage } from './kernel.ts';
import { BLOCK_ITEMS, type GuestOptions, type GuestShared } from './kernel-options.ts';
import { KernelPaths } from './kernel-paths.ts';
import { Progress } from './progress.ts';
import { VcpuLoop } from './vcpu-loop.ts';
import { isReferenceLimited } from './workloads/reference-limited.ts';
import { Op, type ProcessImage, type Program } from './workloads/workload.ts';

/**
 * A guest for trace studies, whose kernel takes no time of its own but for timer ticks that were
 * asked for: one program in one address space at a time, which the trace names by number. Entries
 * of the TLBs carry that number, so that a change of space flushes nothing unless the trace says
 * so.
 */
export class TraceKernel extends VcpuLoop {
  readonly vm: Vm;
  readonly guest: GuestTables;
  readonly #regions: ProcessImage['regions'];
  readonly #program: Program;
  readonly #spaces = new Map<number, AddressSpace>();
  #loaded: AddressSpace;

  constructor(options: GuestOptions, block: number) {
    const { mhz, tables, vm, workload } = options;
    // It takes no time, and does nothing that costs any.
    const kernel = { ...options.kernel, pageTableIsolation: false, faultAround: 1, tickPorts: 0 };
    const [image] = workload.processes;
    if (!image) throw new ModelError(`VM ${vm.name} has no process`);
    const shared: GuestShared = {
      vm,
      workload,
      kernel,
      guest: bootTables(vm, tables, 0, kernel),
      paths: new KernelPaths(vm.program, kernel.cpi),
      progress: new Progress(options),
      mhz,
    };
    super(shared, block);
    this.vm = vm;
    this.guest = shared.guest;
    this.#regions = image.regions;
    this.#program = image.programs[0]!;
    this.#loaded = loadImage(this.guest, this.#regions, null);
    this.#spaces.set(0, this.#loaded);
  }

  get space(): AddressSpace {
    return this.#loaded;
  }

  get roots(): number[] {
    return [...this.#spaces.values()].map(({ root }) => root);
  }

  grantReferences(references: number): void {
    if (references > 0 && isReferenceLimited(this.#program)) this.#program.limit(references);
  }

  protected executed(): void {}

  protected wakeDue(): void {}

  protected refill(cpu: GuestCpu): GuestStop {
    const count = this.#program.fill(this.firstItem, BLOCK_ITEMS);
    if (count > 0) {
      this.filled(cpu.core, count);
      return GuestStop.Time;
    }
    const turn = isReferenceLimited(this.#program) && !this.#program.finished;
    return turn ? GuestStop.Turn : GuestStop.Done;
  }

  protected pageFault(_cpu: GuestCpu, vpn: number): void {
    throw new ModelError(`VM ${this.vm.name}: page ${vpn.toString(16)} is not granted`);
  }

  protected operation(cpu: GuestCpu, op: number, a: number, b: number): void {
    if (op === Op.SwitchTo) this.#moveTo(cpu, a);
    else if (op === Op.Invalidate) cpu.dropTranslations(a, b);
    else throw new ModelError(`VM ${this.vm.name}: operation ${op} takes a kernel`);
  }

  #moveTo(cpu: GuestCpu, number: number): void {
    const space = this.#spaces.get(number) ?? loadImage(this.guest, this.#regions, null);
    this.#spaces.set(number, space);
    if (space === this.#loaded) return;
    this.#loaded = space;
    this.vm.counters.guest_process_switches++;
    cpu.loadTagged(space.root, number);
  }
}
