import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { visible } from '../base/visible.ts';
import { faultIn, reasonOf } from '../files/faults.ts';
import { schemaFile } from '../files/package-files.ts';
import { readRegularText } from '../files/read-file.ts';

/**
 * Writes a scenario to start from, and the schema for editors beside it; never over a file that
 * exists.
 */
export async function init(file: string): Promise<void> {
  const schema = schemaBeside(dirname(file));
  const text = template(scenarioName(file), schema.name);
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
  process.stderr.write(`wrote ${shown}${writeSchema(schema)}; next: worldswitch run ${shown}\n`);
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

interface Schema {
  /** Undefined: there is no name left for it. */
  readonly name: string | undefined;
  readonly path: string;
  /** It has to be written. */
  readonly missing: boolean;
}

/**
 * The schema stands beside the scenario and is named by a path that begins there: the reference
 * holds wherever the two are copied to, whatever is installed there. A file of that name that is no
 * schema of scenarios is somebody else's.
 */
function schemaBeside(directory: string): Schema {
  for (const name of ['scenario.schema.json', 'worldswitch.schema.json']) {
    const path = join(directory, name);
    if (!existsSync(path)) return { name, path, missing: true };
    if (isScenarioSchema(path)) return { name, path, missing: false };
  }
  return { name: undefined, path: '', missing: false };
}

/** Also that of another version. */
function isScenarioSchema(path: string): boolean {
  try {
    const { title } = JSON.parse(readRegularText(path, MAX_SCHEMA, 'a schema')) as {
      title?: unknown;
    };
    return title === 'worldswitch scenario';
  } catch {
    return false;
  }
}

const MAX_SCHEMA = 2 ** 24;

/** Says what was done. Without its schema a scenario is as good: only the editor knows less. */
function writeSchema({ path, missing }: Schema): string {
  if (!missing) return '';
  try {
    writeFileSync(path, readFileSync(schemaFile()), { flag: 'wx' });
    return ` and ${visible(path)}, its schema for editors`;
  } catch (error) {
    return ` without ${visible(path)}, its schema for editors (${reasonOf(error)})`;
  }
}

/** The first lines of a scenario, for editors. */
function schemaLines(name: string | undefined): string {
  if (name === undefined) return '';
  return `# yaml-language-server: $schema=./${name}
# For editors; keep it beside this file. \`worldswitch schema > ${name}\` writes it again.
`;
}

const template = (name: string, schema: string | undefined) => `\
${schemaLines(schema)}# A scenario of worldswitch: which VMs run on which host, under which \
hypervisor.
# \`worldswitch list\` shows what can be named here, \`worldswitch check\` every key with its \
default.
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
  # tags: { kind: none } # without tags the TLBs are flushed at each VM switch: worldswitch list \
tags
  # scheduler: { kind: credit } # instead of CFS, which KVM has: worldswitch list schedulers

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
