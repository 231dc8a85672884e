import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { TextDocument } from 'vscode-languageserver-textdocument';
import { getLanguageService } from 'yaml-language-server';
import { editorSchema } from '../../src/scenario/editor-schema.ts';
import { presets } from '../../src/scenario/presets.ts';

/** What an editor underlines: the real YAML language server, with the schema named in the first line. */
const service = getLanguageService({
  schemaRequestService: async (uri: string) =>
    uri.endsWith('/configs/scenario.schema.json')
      ? readFileSync('configs/scenario.schema.json', 'utf8')
      : Promise.reject(new Error(`no schema at ${uri}`)),
  workspaceContext: {
    resolveRelativePath: (path: string, resource: string) => new URL(path, resource).href,
  },
} as Parameters<typeof getLanguageService>[0]);
service.configure({ validate: true, yamlVersion: '1.2' });

/** The service remembers what it parsed by version. */
let version = 0;

async function complaints(text: string): Promise<string[]> {
  const written = `# yaml-language-server: $schema=./scenario.schema.json\n${text}`;
  const document = TextDocument.create('file:///repo/configs/x.yaml', 'yaml', ++version, written);
  const marks = await service.doValidation(document, false);
  return marks.map(({ message, range }) => `${range.start.line}: ${message}`);
}

const scenario = (over: {
  host?: string;
  hypervisor?: string;
  workload?: string;
  top?: string;
}) => `
name: example
host: { processor: opteron-1354${over.host ?? ''} }
hypervisor: { profile: kvm-2.6.33${over.hypervisor ?? ''} }
vms:
  - name: web
    workload: ${over.workload ?? '{ kind: web-server }'}
${over.top ?? ''}`;

const indent = (text: string, by: number) => text.replace(/^(?=.)/gm, ' '.repeat(by));

test('the shortest scenario is fine', async () => {
  expect(await complaints(scenario({}))).toEqual([]);
});

test('everything the loader fills in may be left out, and parts of it replaced', async () => {
  const texts = [
    scenario({ host: ', cpu: { svm: { asids: 2 } }' }),
    scenario({ host: ', cpu: { tlb: { l1d: { 4K: { entries: 8 } } } }' }),
    scenario({ hypervisor: ', scheduler: { timeslice: 5ms }' }),
    scenario({ hypervisor: ', mmu: { kind: nested, pageSize: 2MiB }, costs: { exitPath: 0 }' }),
    scenario({ workload: '{ kind: oltp, processes: 2 }' }),
    scenario({ workload: '{ kind: tlb-thrash }' }),
    `x-anchors: { any: &a { kind: idle } }${scenario({ workload: '*a' })}`,
    'extends: base.yaml\nname: other\nvms: [{ name: web, count: 4, workload: { processes: 3 } }]',
    'extends: [a.yaml, b.yaml]\n',
  ];
  for (const text of texts) expect(await complaints(text), text).toEqual([]);
});

test.each([
  ['an unknown key of the scenario', { top: 'durration: 1s' }, 'durration'],
  ['an unknown key of the host', { host: ', socket: 2' }, 'socket'],
  ['an unknown key deep in the processor', { host: ', cpu: { svm: { asid: 2 } }' }, 'asid'],
  ['an unknown cost', { hypervisor: ', costs: { exitpath: 1 }' }, 'exitpath'],
  ['a parameter of no scheduler', { hypervisor: ', scheduler: { timeslise: 5ms }' }, 'timeslise'],
  [
    'a parameter of another scheduler',
    { hypervisor: ', scheduler: { kind: credit, steal: true }' },
    'steal',
  ],
  ['a parameter of no workload', { workload: '{ kind: oltp, proceses: 2 }' }, 'proceses'],
  ['a number without its unit', { host: ', memory: 512' }, 'maximum of 0'],
  ['a unit of something else', { hypervisor: ', scheduler: { timeslice: 5GHz }' }, '30ms'],
  ['an unknown tag policy', { hypervisor: ', tags: { kind: xen-5 }' }, 'xen-4.1'],
])('%s is marked', async (_, over, named) => {
  const found = await complaints(scenario(over));
  expect(found).not.toEqual([]);
  expect(found.join('\n')).toContain(named);
});

test('what is missing is marked, unless another file may say it', async () => {
  const text =
    'name: example\nhost: { sockets: 1 }\nvms: [{ name: a, workload: { kind: synthetic } }]\n';
  const found = (await complaints(text)).join('\n');
  for (const key of ['hypervisor', 'processor', 'regions']) expect(found).toContain(`"${key}"`);
  expect(await complaints(`extends: base.yaml\n${text}`)).toEqual([]);
});

test.each(Object.entries(presets.processors))('processor preset %s passes', async (name, text) => {
  const content = text.replace(/^description: .*$/m, '');
  const host = `host:\n  processor: ${name}\n  cpu:\n${indent(content, 4)}`;
  expect(await complaints(`extends: base.yaml\n${host}`)).toEqual([]);
});

test.each(Object.entries(presets.hypervisors))(
  'hypervisor preset %s passes',
  async (name, text) => {
    const content = text.replace(/^description: .*$/m, '');
    const hypervisor = `hypervisor:\n  profile: ${name}\n${indent(content, 2)}`;
    expect(await complaints(`extends: base.yaml\n${hypervisor}`)).toEqual([]);
  },
);

test.each(Object.entries(presets.workloads))('workload preset %s passes', async (_, text) => {
  const workload = indent(text.replace(/^(name|description): .*$/gm, ''), 6);
  const vms = `vms:\n  - name: a\n    workload:\n${workload}`;
  expect(await complaints(`extends: base.yaml\n${vms}`)).toEqual([]);
});

const shipped = [
  ...readdirSync('configs'),
  ...readdirSync('configs/oracle').map((name) => `oracle/${name}`),
].filter((name) => name.endsWith('.yaml'));
test.each(shipped)('scenario %s passes', async (name) => {
  expect(await complaints(readFileSync(`configs/${name}`, 'utf8'))).toEqual([]);
});

test('an editor shows what a key means and which values it takes', () => {
  const { properties } = editorSchema();
  const host = properties!['host']!.properties!;
  expect(host['processor']).toMatchObject({ enum: Object.keys(presets.processors) });
  expect(host['memory']!.description).toContain('8GiB');
  expect(properties!['duration']).toMatchObject({ default: '200ms' });
});
