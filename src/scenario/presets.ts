import type { Findings } from './findings.ts';
import {
  child,
  type Located,
  type LocatedMap,
  merge,
  textOf,
  withEntry,
  without,
} from './located.ts';
import { parseYaml } from './parse.ts';
import { embeddedPresets } from './presets.generated.ts';

/**
 * Presets: named processors, hypervisors, guest kernels and workloads
 * (configs/<folder>/<name>.yaml), shipped inside the program. Expanding a scenario replaces each
 * name by what the preset says, with the scenario's own keys on top.
 */
export type PresetFolder = 'processors' | 'hypervisors' | 'kernels' | 'workloads';
/** Name -> YAML text, by folder. */
export type PresetTexts = Readonly<Record<PresetFolder, Readonly<Record<string, string>>>>;

export const presets: PresetTexts = embeddedPresets;

/**
 * What a preset says about itself, and `kernel`: what the program of a workload preset usually runs
 * on. The rest is content.
 */
export const ABOUT = ['name', 'description', 'kernel'] as const;

/** The guest kernel of VMs that name none, and whose workload preset names none. */
export const DEFAULT_KERNEL = 'linux-2.6.33';

export class PresetReader {
  readonly #texts: PresetTexts;
  readonly #findings: Findings;
  readonly #read = new Map<string, LocatedMap | undefined>();

  constructor(texts: PresetTexts, findings: Findings) {
    this.#texts = texts;
    this.#findings = findings;
  }

  has(folder: PresetFolder, name: string | undefined): name is string {
    return name !== undefined && Object.hasOwn(this.#texts[folder], name);
  }

  read(folder: PresetFolder, name: string): LocatedMap | undefined {
    const file = `configs/${folder}/${name}.yaml`;
    if (!this.#read.has(file)) {
      const located = parseYaml(this.#texts[folder][name]!, file, this.#findings);
      this.#read.set(file, located?.form === 'map' ? located : undefined);
    }
    return this.#read.get(file);
  }

  /**
   * The preset called `name`, or any other as a stand-in, so that the rest can still be checked.
   */
  readOrStandIn(folder: PresetFolder, name: string | undefined): LocatedMap | undefined {
    const known = this.nameOrStandIn(folder, name);
    return known === undefined ? undefined : this.read(folder, known);
  }

  nameOrStandIn(folder: PresetFolder, name: string | undefined): string {
    return this.has(folder, name) ? name : Object.keys(this.#texts[folder])[0]!;
  }
}

/** The scenario with all presets filled in. Unknown names are left for the schema to report. */
export function expandPresets(root: LocatedMap, reader: PresetReader): LocatedMap {
  let expanded = root;
  const host = child(root, 'host');
  if (host) expanded = withEntry(expanded, 'host', fillHost(host, reader));
  const hosts = child(root, 'hosts');
  if (hosts?.form === 'map') {
    const filled = [...hosts.entries].map(
      ([name, { key, value }]) => [name, { key, value: fillHost(value, reader) }] as const,
    );
    expanded = withEntry(expanded, 'hosts', { ...hosts, entries: new Map(filled) });
  }
  const hypervisor = child(root, 'hypervisor');
  if (hypervisor?.form === 'map') {
    const preset = reader.readOrStandIn('hypervisors', textOf(hypervisor, 'profile'));
    if (preset) {
      expanded = withEntry(expanded, 'hypervisor', merge(without(preset, ...ABOUT), hypervisor));
    }
  }
  const vms = child(root, 'vms');
  if (vms?.form === 'list') {
    const mmu = child(child(expanded, 'hypervisor'), 'mmu');
    const items = vms.items.map((vm) => withMmu(fillVm(vm, reader), mmu));
    expanded = withEntry(expanded, 'vms', { ...vms, items });
  }
  return expanded;
}

function fillHost(host: Located, reader: PresetReader): Located {
  if (host.form !== 'map') return host;
  const preset = reader.readOrStandIn('processors', textOf(host, 'processor'));
  if (!preset) return host;
  const override = host.entries.get('cpu');
  const filled = without(preset, 'description');
  if (!override) return withEntry(host, 'cpu', { ...filled, place: host.place });
  return withEntry(host, 'cpu', merge(filled, override.value));
}

/** What a VM says of its paging replaces what the hypervisor says, key by key. */
function withMmu(vm: Located, base: Located | undefined): Located {
  const own = child(vm, 'mmu');
  if (vm.form !== 'map' || own?.form !== 'map') return vm;
  return withEntry(vm, 'mmu', merge(base, own));
}

function fillVm(vm: Located, reader: PresetReader): Located {
  const workload = child(vm, 'workload');
  if (vm.form !== 'map' || workload?.form !== 'map') return withKernel(vm, undefined, reader);
  const kind = textOf(workload, 'kind');
  const named = reader.has('workloads', kind) ? kind : textOf(vm, 'preset');
  const preset = reader.has('workloads', named) ? reader.read('workloads', named) : undefined;
  const own = withKernel(vm, child(preset, 'kernel'), reader);
  if (!preset || named !== kind || own.form !== 'map') return own;
  const filled = merge(without(preset, ...ABOUT), without(workload, 'kind'));
  return withEntry(withEntry(own, 'preset', child(workload, 'kind')!), 'workload', filled);
}

/** What the named guest kernel says, with the keys of `os` on top. `usual`: of the workload. */
function withKernel(vm: Located, usual: Located | undefined, reader: PresetReader): Located {
  if (vm.form !== 'map') return vm;
  const name = textOf(vm, 'kernel') ?? (usual?.form === 'scalar' ? String(usual.value) : undefined);
  const preset = reader.readOrStandIn('kernels', name ?? DEFAULT_KERNEL);
  if (!preset) return vm;
  const override = vm.entries.get('os');
  const filled = without(preset, ...ABOUT);
  const os = override ? merge(filled, override.value) : { ...filled, place: vm.place };
  const named = usual && !vm.entries.has('kernel') ? withEntry(vm, 'kernel', usual) : vm;
  return withEntry(named, 'os', os);
}
