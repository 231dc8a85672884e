import { writeFileSync } from 'node:fs';
import { basename, dirname, relative, resolve } from 'node:path';
import { visible } from '../base/visible.ts';
import { faultIn, reasonOf } from '../files/faults.ts';
import { schemaFile } from '../files/package-files.ts';

/** Writes a scenario to start from; never over a file that exists. */
export async function init(file: string): Promise<void> {
  const text = template(scenarioName(file), schemaReference(file));
  try {
    writeFileSync(file, text, { flag: 'wx' });
  } catch (error) {
    const exists = (error as NodeJS.ErrnoException).code === 'EEXIST';
    throw faultIn(
      file,
      exists
        ? 'this file exists already, and is left as it is'
        : `cannot write: ${reasonOf(error)}`,
      exists ? 'name another file: worldswitch init other.yaml' : undefined,
    );
  }
  const shown = visible(file);
  process.stderr.write(`wrote ${shown}; next: worldswitch run ${shown}\n`);
}

/** A scenario name as close to the name of the file as the rules for names allow. */
function scenarioName(file: string): string {
  const words = basename(file)
    .replace(/\.[^.]*$/, '')
    .toLowerCase()
    .match(/[a-z0-9]+/g);
  const name = (words ?? []).join('-').slice(0, 80).replace(/-$/, '');
  return /^[a-z]/.test(name) ? name : 'my-scenario';
}

/** Where an editor finds the schema, seen from the scenario when both are in one project. */
function schemaReference(file: string): string {
  const path = relative(dirname(resolve(file)), schemaFile());
  const up = path.match(/\.\.\//g)?.length ?? 0;
  return up > 3 ? schemaFile() : path;
}

const template = (name: string, schema: string) => `\
# yaml-language-server: $schema=${schema}
# A scenario of worldswitch: which VMs run on which host, under which hypervisor.
# \`worldswitch list\` shows what can be named here, \`worldswitch check\` every key with its default.
name: ${name}
seed: 1 # same scenario and seed, same results
duration: 200ms # simulated time in all; or \`work\`: until every VM has done its work
warmup: 20ms # not measured

host:
  processor: opteron-1354 # worldswitch list processors
  pcpus: 2 # use two of its four cores; leave out for all
  memory: 4GiB

hypervisor:
  profile: kvm-2.6.33 # costs and policies of a real hypervisor, any of which can be replaced below
  mmu: { kind: nested, pageSize: 4KiB } # or { kind: shadow }: worldswitch list mmu
  # tags: { kind: none } # without tags the TLBs are flushed at each VM switch: worldswitch list tags
  # scheduler: { kind: credit, timeslice: 10ms } # worldswitch list schedulers

vms: # groups of identical VMs, called web-0, web-1, build-0
  - name: web
    count: 2
    memory: 512MiB
    workload: { kind: web-server } # worldswitch list workloads
  - name: build
    weight: 128 # half the share of the others, 256
    memory: 512MiB
    workload: { kind: kernel-compile }

# The same with another value, without editing this file:
#   worldswitch run ${name}.yaml --set hypervisor.mmu.kind=shadow --out results/${name}-shadow
`;
