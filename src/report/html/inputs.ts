import { parse } from 'yaml';
import { shellWord } from '../../base/shell.ts';
import type { Manifest } from '../../files/results.ts';
import type { Section, Table } from './page.ts';

/** The part of a report that says what was put in and how to get it again. */

/** A scenario as paths and values, in the order in which it is written. */
export function flatten(value: unknown, path = ''): [string, string][] {
  if (value === null || typeof value !== 'object') return [[path, String(value)]];
  const entries = Array.isArray(value)
    ? value.map((item, i) => [`${path}[${i}]`, item] as const)
    : Object.entries(value).map(([key, item]) => [path ? `${path}.${key}` : key, item] as const);
  if (entries.length === 0) return [[path, Array.isArray(value) ? '[]' : '{}']];
  // A short list of plain values stays on one line.
  if (Array.isArray(value) && value.every((item) => typeof item !== 'object')) {
    return [[path, value.join(', ')]];
  }
  return entries.flatMap(([at, item]) => flatten(item, at));
}

/** The keys that people change, and those that say what the rest is. */
const MAIN =
  /^(?:name|description|seed|duration|warmup|host\.(?:processor|sockets|pcpus|memory)|hypervisor\.(?:profile|(?:mmu|tags|scheduler)\.(?:kind|profile|pageSize|flush|timeslice|version|quantum|allowance)))$/;

/** One line per group of VMs. */
function vmGroups(scenario: unknown): Table[] {
  const { vms } = scenario as { vms?: readonly Readonly<Record<string, unknown>>[] };
  if (!Array.isArray(vms)) return [];
  const keys = ['name', 'count', 'memory', 'weight', 'cap', 'pin', 'work'];
  const used = keys.filter((key) => vms.some((vm) => vm[key] !== undefined));
  const rows = vms.map((vm) => {
    const workload = flatten(vm['workload']);
    return [
      ...used.map((key) =>
        vm[key] === undefined
          ? ''
          : flatten(vm[key])
              .map(([, text]) => text)
              .join(', '),
      ),
      workload.find(([path]) => path === 'kind')?.[1] ?? '',
    ];
  });
  return [{ caption: 'VMs by group', head: [...used, 'workload'], rows, beside: true }];
}

export function inputsSection(
  manifest: Manifest,
  resolved: string | undefined,
  tables: readonly Table[] = [],
): Section {
  const scenario: unknown = resolved === undefined ? {} : parse(resolved);
  const rows = flatten(scenario);
  const head = ['key', 'value'];
  return {
    id: 'inputs',
    title: 'Inputs, and how to repeat it',
    text: [
      `worldswitch ${manifest.version}, scenario ${manifest.scenario}, seed ` +
        `${manifest.seed}. The same command, seed and version give the same bytes:`,
    ],
    code: commandOf(manifest),
    tables: [
      ...tables,
      ...(resolved !== undefined
        ? [
            {
              caption: 'What the scenario says, the main points',
              beside: true,
              head,
              rows: rows.filter(([path]) => MAIN.test(path)),
            },
            ...vmGroups(scenario),
            {
              caption:
                `The complete scenario, every preset and default filled in (${rows.length} ` +
                'keys)',
              head,
              rows,
              folded: true,
            },
          ]
        : []),
    ],
  };
}

export function commandOf({ command, file, set = [], seed }: Manifest): string {
  const words = command ?? [
    'sweep',
    file ?? 'scenario.yaml',
    ...set.flatMap((text) => ['--set', text]),
  ];
  const seeded = command && !command.some((word) => /^--seed\b/.test(word)) ? ['--seed', seed] : [];
  return ['worldswitch', ...words, ...seeded].map(shellWord).join(' ');
}
