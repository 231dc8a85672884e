import { parse } from 'yaml';
import { eventKinds } from '../cluster/events/index.ts';
import { epochPolicies } from '../cluster/fault-tolerance/checkpoint/index.ts';
import { protections } from '../cluster/fault-tolerance/index.ts';
import { migrationPolicies } from '../cluster/migration/index.ts';
import { faultIn } from '../files/faults.ts';
import { workloads } from '../guest/workloads/index.ts';
import { mmuModes } from '../hypervisor/mmu/index.ts';
import { schedulers } from '../hypervisor/schedulers/index.ts';
import { tagPolicies } from '../hypervisor/tags/index.ts';
import { didYouMean } from '../scenario/findings.ts';
import { mechanismNames, mechanisms } from '../scenario/free.ts';
import { type PresetFolder, presets } from '../scenario/presets.ts';
import { leafNames } from '../stats/leaves.ts';
import { wordsOf } from '../stats/metrics.ts';
import { entries } from '../tables/dictionary.ts';
import { print, style } from './terminal.ts';

interface Entry {
  readonly name: string;
  readonly summary: string;
  readonly unit?: string;
}

const preset = (folder: PresetFolder) => (): Entry[] =>
  Object.entries(presets[folder]).map(([name, text]) => {
    const { description } = parse(text) as { description?: string };
    return { name, summary: description ?? firstComment(text) };
  });

interface Policies {
  readonly definitions: readonly {
    readonly name: string;
    readonly summary: string;
    readonly lists?: Readonly<Record<string, readonly Entry[]>> | undefined;
  }[];
}

const policies =
  ({ definitions }: Policies) =>
  (): Entry[] =>
    definitions.map(({ name, summary }) => ({ name, summary }));

/** What parameters of these policies choose from, as lists of their own: `shadow-profiles`. */
const choices = ({ definitions }: Policies): Record<string, () => readonly Entry[]> =>
  Object.fromEntries(
    definitions.flatMap(({ name, lists = {} }) =>
      Object.entries(lists).map(([param, found]) => [`${name}-${param}s`, () => found]),
    ),
  );

/** What can be listed; the order is that of a scenario. */
const lists: Readonly<Record<string, () => readonly Entry[]>> = {
  processors: preset('processors'),
  hypervisors: preset('hypervisors'),
  kernels: preset('kernels'),
  mmu: policies(mmuModes),
  ...choices(mmuModes),
  tags: policies(tagPolicies),
  ...choices(tagPolicies),
  schedulers: policies(schedulers),
  ...choices(schedulers),
  protections: policies(protections),
  'epoch-policies': policies(epochPolicies),
  events: policies(eventKinds),
  'migration-policies': policies(migrationPolicies),
  workloads: () => [...policies(workloads)(), ...preset('workloads')()],
  ...choices(workloads),
  // Also the columns that are no metrics: whatever stands in the header of a table is explained
  // here.
  metrics: () =>
    entries.map(({ name, unit, words, definition }) => ({
      name,
      unit,
      summary: words === wordsOf(name) ? definition : `${words}: ${definition}`,
    })),
  mechanisms: () => mechanismNames.map((name) => ({ name, summary: mechanisms[name].help })),
  leaves: () => leafNames.map(({ leaf, detail }) => ({ name: leaf, summary: detail })),
};
const presetLists = ['processors', 'hypervisors', 'kernels', 'workloads'];
/** What `list` can be asked for. */
export const listNames: readonly string[] = ['presets', ...Object.keys(lists)];

export async function list(what: string | undefined, options: { json?: boolean }): Promise<void> {
  const names =
    what === 'presets'
      ? presetLists
      : what === undefined
        ? Object.keys(lists).slice(0, -3)
        : [what];
  for (const name of names) {
    if (Object.hasOwn(lists, name)) continue;
    throw faultIn(
      'list',
      `there is no list of "${name}"`,
      didYouMean(name, listNames) ?? `there are: ${listNames.join(', ')}`,
    );
  }
  const found = Object.fromEntries(names.map((name) => [name, lists[name]!()]));
  if (options.json) {
    const asked = what === undefined || what === 'presets' ? found : found[names[0]!];
    print(`${JSON.stringify(asked, null, 2)}\n`);
    return;
  }
  if (what === undefined) {
    print(
      'What a scenario can name. What results are made of: list metrics, mechanisms, leaves.\n\n',
    );
  }
  print(
    Object.entries(found)
      .map(([name, entries]) => `${style('bold', name)}\n${table(entries)}`)
      .join('\n'),
  );
}

function table(entries: readonly Entry[]): string {
  const width = Math.max(...entries.map(({ name }) => name.length));
  const units = Math.max(...entries.map(({ unit }) => unit?.length ?? -2)) + 2;
  return entries
    .map(({ name, unit = '', summary }) =>
      `  ${name.padEnd(width)}  ${unit.padEnd(units)}${summary}`.trimEnd().concat('\n'),
    )
    .join('');
}

/** The first sentence of the comment that a preset begins with. */
function firstComment(text: string): string {
  const lines = text.split('\n');
  const end = lines.findIndex((line) => !line.startsWith('#'));
  const comment = lines.slice(0, end).map((line) => line.slice(1).trim());
  return /^.*?\.(?= |$)/.exec(comment.join(' '))?.[0] ?? comment.join(' ');
}
