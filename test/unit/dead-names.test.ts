import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { costsSchema } from '../../src/hypervisor/costs.ts';
import { Runstate, softCounters } from '../../src/hypervisor/vm.ts';
import { hotCounters } from '../../src/machine/counters.ts';
import { processorSchema } from '../../src/machine/processor.ts';
import { Cause, causeNames, ExitReason, Leaf, snake } from '../../src/stats/leaves.ts';
import { metricDictionary } from '../../src/stats/metrics.ts';

/** What can be set has an effect, and what can be counted happens: somebody reads every name. */
const root = join(import.meta.dirname, '../../src');
const DECLARATIONS = ['machine/processor.ts', 'hypervisor/costs.ts', 'stats/leaves.ts'];
const withoutComments = (text: string) => text.replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '');
const sources = new Map(
  readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.generated.ts'))
    .map((name) => [name, withoutComments(readFileSync(join(root, name), 'utf8'))]),
);
/** The code of the files whose names fit. */
const codeOf = (fits: (name: string) => boolean) =>
  [...sources.keys()]
    .filter(fits)
    .map((name) => sources.get(name)!)
    .join('\n');
const code = codeOf((name) => !DECLARATIONS.includes(name));

/** Names of all keys of objects in a JSON Schema. */
function keysOf(schema: unknown): string[] {
  if (typeof schema !== 'object' || schema === null) return [];
  return Object.entries(schema).flatMap(([key, inner]) =>
    key === 'properties'
      ? Object.entries(inner as object).flatMap(([name, value]) => [name, ...keysOf(value)])
      : keysOf(inner),
  );
}
/** They say what a preset is called elsewhere. */
const LABELS = ['codename', 'family'];

/** Keys read as `x.key`, or taken out of an object by name: `{ key }`, `{ a, key }`, `'key'`. */
const isRead = (key: string) => new RegExp(`(\\.|[{,]\\s*|['"])${key}\\b`).test(code);

describe.each([
  ['processors', processorSchema],
  ['hypervisor profiles', costsSchema],
])('the keys of %s', (_, schema) => {
  it('are all read by something', () => {
    const keys = keysOf(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }));
    expect(keys.length).toBeGreaterThan(25);
    expect(keys.filter((key) => !isRead(key) && !LABELS.includes(key))).toEqual([]);
  });
});

describe.each([
  ['ExitReason', ExitReason],
  ['Cause', Cause],
])('the names of %s', (name, values) => {
  it('are all used by something', () => {
    expect(Object.keys(values).filter((key) => !code.includes(`${name}.${key}`))).toEqual([]);
  });
});

/** For guests with several vCPUs, which nothing makes yet: they spin, wait for each other, shoot down. */
const SEVERAL_VCPUS = 'guests with several vCPUs';
/** For whoever moves or mirrors a running guest: it asks vCPUs from outside. */
const REQUESTS = 'requests to vCPUs';

/** Names that nobody uses, and what they are kept for. */
const KEPT: Readonly<Record<string, string>> = {
  'Scheduler.yield': SEVERAL_VCPUS,
  'Runstate.Costopped': SEVERAL_VCPUS,
  'Leaf.ShootdownGuest': SEVERAL_VCPUS,
  'Leaf.ShootdownHypervisor': SEVERAL_VCPUS,
  'Mmu.writeProtect': REQUESTS,
  'Guest.stopAt': REQUESTS,
  'MmuDeps.requests': REQUESTS,
};
const kept = (prefix: string) =>
  Object.keys(KEPT)
    .filter((name) => name.startsWith(`${prefix}.`))
    .map((name) => name.slice(prefix.length + 1));

describe.each([
  ['Leaf', Leaf],
  ['Runstate', Runstate],
])('the names of %s', (name, values) => {
  it('are all used by something, but for those that are kept for a reason', () => {
    const used = (key: string) => new RegExp(`\\b${name}\\.${key}\\b`).test(code);
    expect(Object.keys(values).filter((key) => !used(key))).toEqual(kept(name));
  });
});

interface Member {
  readonly name: string;
  readonly method: boolean;
}

/** The members that an interface or class of a file shows. */
function membersOf(file: string, name: string): Member[] {
  const text = sources.get(file)!;
  const [, body] = new RegExp(`(?:interface|class) ${name}\\b[^{]*\\{([\\s\\S]*?)\\n\\}`).exec(
    text,
  )!;
  return [...body!.matchAll(/^ {2}(?:readonly )?(\w+)\??([(:])/gm)]
    .map(([, member, mark]) => ({ name: member!, method: mark === '(' }))
    .filter(({ name: member }) => member !== 'constructor');
}

const inFolder = (folder: string) => (name: string) => name.startsWith(`${folder}/`);
/** The files of the hypervisor that are no policies. */
const core = (name: string) => /^hypervisor\/[\w-]+\.ts$/.test(name);
const guest = (name: string) => /^guest\/[\w-]+\.ts$/.test(name);
const builder = inFolder('scenario');
const cluster = inFolder('cluster');
const importer = inFolder('trace');

/** Interfaces between layers, where each is declared, and who uses it. Whoever implements it does not count. */
describe.each<[string, string, readonly ((name: string) => boolean)[]]>([
  ['Scheduler', 'hypervisor/schedulers/scheduler.ts', [core]],
  ['SchedulerHost', 'hypervisor/schedulers/scheduler.ts', [inFolder('hypervisor/schedulers')]],
  ['PolicyTimer', 'hypervisor/schedulers/scheduler.ts', [inFolder('hypervisor/schedulers')]],
  ['Mmu', 'hypervisor/mmu/mmu.ts', [core, guest, cluster, builder]],
  ['MmuDeps', 'hypervisor/mmu/mmu.ts', [inFolder('hypervisor/mmu')]],
  ['TagPolicy', 'hypervisor/tags/tag-policy.ts', [core]],
  ['TagDeps', 'hypervisor/tags/tag-policy.ts', [inFolder('hypervisor/tags')]],
  ['VcpuRequests', 'hypervisor/vcpu-requests.ts', [core, cluster, inFolder('hypervisor/mmu')]],
  ['Guest', 'hypervisor/guest-port.ts', [core, builder]],
  ['GuestCpu', 'hypervisor/guest-port.ts', [guest]],
  ['RequestSource', 'hypervisor/guest-port.ts', [core]],
  ['Workload', 'guest/workloads/workload.ts', [guest, builder]],
  ['Program', 'guest/workloads/workload.ts', [guest, importer]],
])('the members of %s', (name, file, users) => {
  it('are all called or read, but for those that are kept for a reason', () => {
    const members = membersOf(file, name);
    expect(members.length).toBeGreaterThan(0);
    const text = codeOf((source) => source !== file && users.some((uses) => uses(source))).replace(
      /^import [\s\S]*?;$/gm,
      '',
    );
    const dead = members.filter(({ name: member, method }) => {
      const read = `\\.${member}\\b${method ? '(?:\\?\\.)?\\(' : ''}`;
      return !new RegExp(method ? read : `${read}|[{,]\\s*${member}\\b`).test(text);
    });
    expect(dead.map((member) => member.name).sort()).toEqual(kept(name).sort());
  });
});

describe('metrics', () => {
  it('that layers above the hardware count are all counted', () => {
    const counted = (name: string) => new RegExp(`\\.${name}\\b(\\+\\+| \\+?= )`).test(code);
    expect(softCounters.filter((name) => !counted(name))).toEqual([]);
  });

  it('are all made by something', () => {
    const made = new Set<string>([...softCounters, ...hotCounters]);
    for (const cause of causeNames) made.add(`walks_${snake(cause)}`);
    const text = codeOf((name) => name !== 'stats/metrics.ts');
    const dead = Object.keys(metricDictionary).filter(
      (name) => !made.has(name) && !new RegExp(`[.'\\s{]${name}\\b`).test(text),
    );
    expect(dead).toEqual([]);
  });
});
