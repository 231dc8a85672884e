import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { isMap, isScalar, isSeq, parseDocument, stringify } from 'yaml';
import { printed, shared } from '../../src/scenario/editor-print.ts';
import { editorSchema } from '../../src/scenario/editor-schema.ts';
import { misspellings } from '../../src/scenario/editor-words.ts';
import type { JsonSchema } from '../../src/scenario/json-schema.ts';
import { loadScenario } from '../../src/scenario/load.ts';
import { presets } from '../../src/scenario/presets.ts';
import { complaints, hoverAt, marksIn, offersAt, requests } from '../support/editor.ts';

/** What an editor says while a scenario is written, compared with what the command line says of the file. */

const scenario = (over: {
  host?: string;
  hypervisor?: string;
  workload?: string;
  vm?: string;
  top?: string;
}) => `
name: example
host: { processor: opteron-1354${over.host ?? ''} }
hypervisor: { profile: kvm-2.6.33${over.hypervisor ?? ''} }
vms:
  - name: web
    workload: ${over.workload ?? '{ kind: web-server }'}
${over.vm ? `    ${over.vm}` : ''}
${over.top ?? ''}`;

const indent = (text: string, by: number) => text.replace(/^(?=.)/gm, ' '.repeat(by));

/** What the command line says; undefined when it accepts the text. */
function refusal(text: string): string | undefined {
  try {
    loadScenario(text, { file: 'x.yaml' });
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

test('the shortest scenario is fine', async () => {
  expect(await complaints(scenario({}))).toEqual([]);
});

test('what the command line accepts is fine', async () => {
  const texts = [
    scenario({ host: ', cpu: { svm: { asids: 2 } }' }),
    scenario({ host: ', cpu: { tlb: { l1d: { 4K: { entries: 8 } } } }' }),
    scenario({ host: ', lookahead: 0, caches: { data: "on" }, memory: " +4.0 GiB "' }),
    scenario({ hypervisor: ', scheduler: { hz: 1000, version: 2.6.31 }' }),
    scenario({ hypervisor: ', scheduler: { kind: credit, timeslice: 5ms, ratelimit: 0 }' }),
    scenario({ hypervisor: ', mmu: { kind: nested, pageSize: 2048KiB }, costs: { exitPath: 0 }' }),
    scenario({ hypervisor: ', scheduler: { kind: round-robin, timeslice: .5e1ms }' }),
    scenario({ workload: '{ kind: oltp, processes: 2 }' }),
    scenario({ workload: '{ kind: tlb-thrash }' }),
    scenario({ vm: 'pin: [0, 1]', top: 'seed: "-5"\nsweep: { precision: "2%" }' }),
    `x-anchors: { any: &a { kind: idle } }${scenario({ workload: '*a' })}`,
    `x-mine: &b { memory: 96MiB, count: 2 }${scenario({ vm: '<<: *b' })}`,
  ];
  for (const text of texts) {
    expect(refusal(text), text).toBeUndefined();
    expect(await complaints(text), text).toEqual([]);
  }
});

test('a file may leave out what the one it extends says', async () => {
  const texts = [
    'extends: base.yaml\nname: other\nvms: [{ name: web, count: 4, workload: { processes: 3 } }]',
    'extends: base.yaml\nhypervisor: { scheduler: { boost: false } }',
    'extends: [a.yaml, b.yaml]\n',
  ];
  for (const text of texts) expect(await complaints(text), text).toEqual([]);
});

/** A slip, what is underlined, and how the one message begins. */
const slips: readonly (readonly [string, Parameters<typeof scenario>[0], string, string])[] = [
  ['number without unit', { vm: 'memory: 512' }, '512', 'memory: a size with a unit'],
  [
    'time without unit',
    { hypervisor: ', scheduler: { kind: credit, timeslice: 10 }' },
    '10',
    'timeslice: a duration with a unit, from 1ms to 1s, for example 30ms',
  ],
  [
    'number that is none of the few',
    { hypervisor: ', scheduler: { hz: 300 }' },
    '300',
    'hz: one of 100, 250, 1000',
  ],
  [
    'number in quotes',
    { hypervisor: ', scheduler: { kind: cfs, hz: "250" }' },
    '"250"',
    'hz: one of 100, 250, 1000',
  ],
  [
    'rate without unit',
    {
      workload: '{ kind: oltp, requests: { arrivals: { kind: open, rate: 5 }, instructions: 9 } }',
    },
    '5',
    'rate: a rate with a unit',
  ],
  [
    'nothing where it must be something',
    { vm: 'memory: 0' },
    '0',
    'memory: a size with a unit, of at least 16MiB',
  ],
  ['negative size', { host: ', memory: -4GiB' }, '-4GiB', 'memory: a size'],
  [
    'another unit',
    { top: 'warmup: 5GHz' },
    '5GHz',
    'warmup: a duration with a unit, for example 30ms (units: ps, ns, us, µs, ms, s, min)',
  ],
  ['word or quantity', { top: 'duration: wrok' }, 'wrok', 'duration: did you mean "work"?'],
  [
    'preset',
    { workload: '{ kind: webserver }' },
    'webserver',
    'kind: did you mean "web-server"? One of idle-desktop, java-server, kernel-compile, oltp, shell-script, terminal-server, web-server, synthetic, process-tree, trace,',
  ],
  [
    'preset in capitals',
    { workload: '{ kind: Web_Server }' },
    'Web_Server',
    'kind: did you mean "web-server"? One of idle-desktop,',
  ],
  [
    'kind',
    { workload: '{ kind: tlb-trash }' },
    'tlb-trash',
    'kind: did you mean "tlb-thrash"? One of',
  ],
  ['unknown kind', { workload: '{ kind: mysql }' }, 'mysql', 'kind: one of idle-desktop,'],
  ['kind of another type', { workload: '{ kind: 5 }' }, '5', 'kind: one of idle-desktop,'],
  [
    'kind without a map',
    { workload: 'web-server' },
    'web-server',
    'workload: a map with a kind, which is one of idle-desktop,',
  ],
  [
    'paging mode by another name',
    { hypervisor: ', mmu: { kind: rvi }' },
    'rvi',
    'kind: did you mean "nested"? One of native, shadow, nested',
  ],
  [
    'tag policy',
    { hypervisor: ', tags: { kind: xen41 }' },
    'xen41',
    'kind: did you mean "xen-4.1"? One of none, kvm, xen-3, xen-4.1, flush-by-asid',
  ],
  [
    'scheduler',
    { hypervisor: ', scheduler: { kind: fifo }' },
    'fifo',
    'kind: one of round-robin, credit',
  ],
  [
    'page size',
    { hypervisor: ', mmu: { kind: nested, pageSize: 3MiB }' },
    '3MiB',
    'pageSize: one of 4KiB, 2MiB, 1GiB',
  ],
  [
    'word',
    { hypervisor: ', backing: ontouch' },
    'ontouch',
    'backing: did you mean "on-touch"? One of on-touch, up-front',
  ],
  [
    'word that YAML takes for true',
    { host: ', caches: { data: true }' },
    'true',
    'data: one of on, off',
  ],
  ['words in a list', { top: 'free: [walks]' }, 'walks', 'free, each item: did you mean "walk"?'],
  [
    'metric of many',
    { top: 'sweep: { metrics: [latency_99_ns] }' },
    'latency_99_ns',
    'metrics, each item: did you mean "latency_p99_ns"?',
  ],
  [
    'misspelt key',
    { top: 'durration: 1s' },
    'durration',
    'unknown key in a scenario: did you mean "duration"?',
  ],
  ['singular', { host: ', socket: 2' }, 'socket', 'unknown key in host: did you mean "sockets"?'],
  [
    'key deep in the processor',
    { host: ', cpu: { svm: { asid: 2 } }' },
    'asid',
    'unknown key in host.cpu.svm: did you mean "asids"?',
  ],
  [
    'key in small letters',
    { hypervisor: ', costs: { exitpath: 1 }' },
    'exitpath',
    'unknown key in hypervisor.costs: did you mean "exitPath"?',
  ],
  [
    'key with separators',
    { hypervisor: ', costs: { exit_path: 1 }' },
    'exit_path',
    'unknown key in hypervisor.costs: did you mean "exitPath"?',
  ],
  [
    'key of a policy',
    { hypervisor: ', scheduler: { kind: credit, timeslise: 5ms }' },
    'timeslise',
    'unknown key in hypervisor.scheduler: did you mean "timeslice"?',
  ],
  [
    'key of another kind',
    { hypervisor: ', scheduler: { kind: credit, steal: true }' },
    'steal',
    'hypervisor.scheduler takes a map of these keys: kind, timeslice, tick, ratelimit, accounting, boost, boostPreempted',
  ],
  [
    'key of a kind the profile did not choose',
    { hypervisor: ', scheduler: { steal: true }' },
    'steal',
    'hypervisor.scheduler takes a map of these keys: kind, version, hz',
  ],
  [
    'key of a workload',
    { workload: '{ kind: oltp, proceses: 2 }' },
    'proceses',
    'unknown key in vms[].workload: did you mean "processes"?',
  ],
  [
    'key that is nowhere',
    { host: ', colour: red' },
    'colour',
    'host takes a map of these keys: processor, sockets, memory,',
  ],
  [
    'misspelt key that has to be there',
    { workload: '{ kind: trace, fil: a.pt }' },
    'fil',
    'unknown key in vms[].workload: did you mean "file"?',
  ],
  ['text for a number', { vm: 'weight: "3"' }, '"3"', 'weight: a whole number from 1 to 65535'],
  ['broken number', { vm: 'count: 1.5' }, '1.5', 'count: a whole number from 0 to 512'],
  ['too much', { vm: 'cap: 3000' }, '3000', 'cap: a whole number from 0 to 1600'],
  [
    'negative share',
    { workload: '{ kind: tlb-thrash, stores: -0.1 }' },
    '-0.1',
    'stores: a number from 0 to 1',
  ],
  [
    'share above one',
    { workload: '{ kind: oltp, overlap: 1.5 }' },
    '1.5',
    'overlap: a number from 0 to 1',
  ],
  [
    'share in per cent',
    { top: 'sweep: { precision: 2 }' },
    '2',
    'precision: a share such as 2% or 0.02',
  ],
  [
    'word for a truth value',
    { top: 'output: { evictions: yes }' },
    'yes',
    'evictions: true or false',
  ],
  [
    'number or word',
    { host: ', cpu: { tlb: { l1d: { 4K: { ways: 99 } } } }' },
    '99',
    'ways: "full", or a whole number from 1 to 64',
  ],
  [
    'list for a map',
    { host: ', caches: [data]' },
    '[data]',
    'host.caches takes a map of these keys: data',
  ],
  ['list for a record', { top: 'sweep: { axes: [1] }' }, '[1]', 'axes: a map, each value a list'],
  [
    'value for a list',
    { vm: 'pin: 3' },
    '3',
    'pin: a list, each item a whole number from 0 to 4095',
  ],
  ['item of a list', { vm: 'pin: [a]' }, 'a', 'pin, each item: a whole number from 0 to 4095'],
  ['empty list', { vm: 'pin: []' }, '[]', 'pin: a list of 1 or more items'],
  ['nothing', { top: 'warmup:' }, '', 'warmup: a duration with a unit'],
  [
    'missing key',
    { top: 'find: { axis: host.sockets, to: 9 }' },
    'find',
    'missing key "objective" in find',
  ],
  [
    'missing key of a kind',
    { workload: '{ kind: synthetic }' },
    'workload',
    'missing key "regions" in vms[].workload: a list',
  ],
  [
    'missing kind',
    { workload: '{ processes: 2 }' },
    'workload',
    'missing key "kind" in vms[].workload: one of idle-desktop,',
  ],
  [
    'missing key in a list that replaces one of a preset',
    { workload: '{ kind: oltp, regions: [{ name: a, kind: anon, size: 1MiB }] }' },
    '{',
    'missing key "share" in vms[].workload.regions[]: a number of at least 0',
  ],
  [
    'missing key of a map that a preset has not',
    { workload: '{ kind: java-server, requests: { instructions: 9 } }' },
    'requests',
    'missing key "arrivals" in vms[].workload.requests',
  ],
  [
    'label',
    { top: 'sweep: { labels: { vms.web.count: 9x } }' },
    '9x',
    'labels, each: a label is one word',
  ],
  ['name', { top: 'description: [a]' }, '[a]', 'description: text'],
  ['key twice', { vm: 'name: other' }, 'name: other', 'Map keys must be unique'],
  ['tab', { vm: '\tweight: 3' }, '\tweight: 3', 'Tabs are not allowed as indentation'],
];

test.each(slips)('slip: %s', async (_, over, text, message) => {
  const marks = await marksIn(scenario(over));
  expect(marks.map((mark) => mark.message)).toEqual([expect.stringContaining(message)]);
  expect(marks[0]).toMatchObject({ text });
  expect(marks[0]!.message.startsWith(message)).toBe(true);
  expect(refusal(scenario(over)), 'the command line').toBeDefined();
});

test('what is missing is marked, key by key', async () => {
  const text = 'host: { sockets: 1 }\nvms: [{ name: a, workload: { kind: trace } }]\n';
  const found = (await complaints(text)).map((complaint) => complaint.replace(/:[^:]*$/, ''));
  expect(found.toSorted()).toEqual([
    '1: missing key "hypervisor" in the scenario',
    '1: missing key "name" in the scenario',
    '1: missing key "processor" in host',
    '2: missing key "file" in vms[].workload',
  ]);
  expect(await complaints(`extends: base.yaml\n${text}`)).toEqual([]);
});

test('one value after another is changed: what the command line accepts is fine, anything else has one mark', async () => {
  const text = scenario({
    host: ', memory: 4GiB, caches: { data: on }, cpu: { svm: { asids: 9 } }',
    hypervisor: ', scheduler: { kind: round-robin, timeslice: 5ms }, costs: { halt: 3 }',
    workload: '{ kind: idle, period: 2ms, cpi: 1.5 }',
    vm: 'pin: [0]',
    top: 'seed: 3\nsweep: { axes: { vms.web.count: [1, 2] }, precision: 2% }',
  });
  const paths: (readonly (string | number)[])[] = [];
  const collect = (value: unknown, path: readonly (string | number)[]) => {
    if (path.length > 0) paths.push(path);
    if (typeof value !== 'object' || value === null) return;
    for (const [key, inner] of Object.entries(value)) {
      collect(inner, [...path, Array.isArray(value) ? Number(key) : key]);
    }
  };
  collect(parseDocument(text).toJS(), []);
  expect(paths.length).toBeGreaterThan(25);
  for (const path of paths) {
    for (const value of [-1, 'foo', []]) {
      const document = parseDocument(text);
      document.setIn(path, value);
      const marks = await complaints(String(document));
      const where = `${path.join('.')} = ${JSON.stringify(value)}`;
      if (refusal(String(document)) === undefined) expect(marks, where).toEqual([]);
      else expect(marks, where).toHaveLength(1);
    }
  }
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
  const workload = indent(text.replace(/^(name|description|kernel): .*$/gm, ''), 6);
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

/** Paths that were looked at already. */
const hovered = new Set<string>();

/** A scenario with everything the loader fills in, as results have it. */
const complete = (over: Parameters<typeof scenario>[0]) =>
  stringify(loadScenario(scenario(over), { file: 'x.yaml' }).input);

/** Every key of a text, with its offset. */
function keysIn(text: string): (readonly [path: string, offset: number])[] {
  const found: (readonly [string, number])[] = [];
  const visit = (node: unknown, path: string): void => {
    if (isSeq(node)) for (const item of node.items) visit(item, `${path}[]`);
    if (!isMap(node)) return;
    for (const { key, value } of node.items) {
      if (!isScalar(key)) continue;
      const name = path === '' ? String(key.value) : `${path}.${String(key.value)}`;
      found.push([name, key.range![0]]);
      visit(value, name);
    }
  };
  visit(parseDocument(text).contents, '');
  return found;
}

test.each([
  ['preset', {}],
  [
    'trace',
    {
      workload: '{ kind: trace, file: a.pt, per1M: { syscalls: { other: 3 } } }',
      hypervisor: ', scheduler: { kind: round-robin }',
    },
  ],
  [
    'experiments',
    {
      workload:
        '{ kind: oltp, requests: { arrivals: { kind: closed, clients: 2, think: 1ms }, instructions: 9 } }',
      vm: 'pin: [0]',
      host: ', lookahead: 1us',
      hypervisor: ', mmu: { kind: shadow, pageBudget: 99 }, tags: { kind: kvm, asids: 4 }',
      top: 'free: [walk]\nsweep: { axes: { vms.web.count: [1, 2] }, where: vms.web.count < 8, precision: 2% }\nfind: { axis: vms.web.count, to: 4, objective: p99 latency < 5ms }',
    },
  ],
])(
  'hover on every key of a complete scenario shows meaning, unit and default: %s',
  async (_, over) => {
    const text = complete(over);
    expect(await complaints(text)).toEqual([]);
    const keys = keysIn(text).filter(
      ([path]) => !/^sweep\.(axes|labels)\./.test(path) && !hovered.has(path),
    );
    for (const [path] of keys) hovered.add(path);
    for (const [path, offset] of keys) {
      const shown = await hoverAt(text, offset + 1);
      const [title, meaning, rest = ''] = shown.split('\n\n');
      expect(title!.replaceAll('\\', ''), path).toBe(`#### ${path}`);
      expect(meaning, path).toMatch(/^.{4,}$/);
      expect(rest, path).toMatch(/^- (Default: .|Required|Optional)/m);
      expect(shown.match(/####/g), path).toHaveLength(1);
      if (/Value: a(?! list| map|.*text)/.test(rest)) expect(rest, path).toMatch(/^- Unit: ./m);
    }
  },
);

test('hover names defaults, where they come from, and the words with what they mean', async () => {
  const text = scenario({ host: ', memory: 4GiB, cpu: { svm: { vmrunCycles: 3 } }' });
  const at = (key: string) => hoverAt(text, text.indexOf(key) + 1);
  expect(await at('memory')).toBe(
    '#### host.memory\n\nmemory of the host, for example 8GiB\n\n- Value: a size with a unit, of at least 64MiB, for example 512MiB\n- Unit: B, KiB, MiB, GiB, TiB, kB, MB, GB\n- Default: `8GiB`',
  );
  expect(await at('vmrunCycles')).toContain('- Unit: cycles\n- Default: from the processor preset');
  const unknown = scenario({ workload: '{ kind: webserver, processes: 2 }' });
  expect(await complaints(unknown)).toHaveLength(1);
  expect(await hoverAt(unknown, unknown.indexOf('processes') + 1)).toContain('processes that run');
  const kind = await at('kind');
  expect(kind.match(/Allowed Values/g)).toHaveLength(1);
  for (const word of ['idle-desktop', 'web-server', 'trace', 'tlb-thrash']) {
    expect(kind.match(new RegExp(`^\\* \`${word}\`: .{10,}$`, 'gm')), word).toHaveLength(1);
  }
});

test('completion offers presets and kinds, and keys, with what they mean', async () => {
  const start = scenario({}).replace(/ +workload: .*$/s, '');
  const kinds = await offersAt(`${start}    workload:\n      kind: |\n`);
  expect(kinds.map(({ label }) => label)).toEqual([
    ...Object.keys(presets.workloads),
    ...[
      'synthetic',
      'process-tree',
      'trace',
      'page-fault-loop',
      'fork-loop',
      'context-switch-ring',
    ],
    ...['mmap-loop', 'tlb-thrash', 'idle', 'net-stream'],
  ]);
  for (const { label, text } of kinds) expect(text, label).toMatch(/.{10}/);
  const places = [
    ['', 'vms'],
    [`${start}    |`, 'memory'],
    [`${start}    workload:\n      kind: oltp\n      |\n`, 'processes'],
    [`${start}    workload:\n      |\n`, 'kind'],
    ['host:\n  |\n', 'sockets'],
    ['hypervisor:\n  profile: xen-4.1\n  scheduler:\n    |\n', 'ratelimit'],
    ['hypervisor:\n  profile: |\n', 'xen-4.1'],
    ['hypervisor:\n  mmu:\n    kind: |\n', 'shadow'],
  ] as const;
  for (const [text, expected] of places) {
    const offers = await offersAt(text === '' ? '|' : text);
    expect(
      offers.map(({ label }) => label),
      text,
    ).toContain(expected);
    expect(
      offers.filter((offer) => offer.text === ''),
      text,
    ).toEqual([]);
    expect(new Set(offers.map(({ label }) => label)).size, text).toBe(offers.length);
  }
});

/** All properties of a schema, but for rules that only say which keys have to be there. */
function* propertiesOf(value: unknown, path = ''): Generator<readonly [string, JsonSchema]> {
  if (typeof value !== 'object' || value === null) return;
  for (const [keyword, inner] of Object.entries(value)) {
    if (keyword !== 'properties') yield* propertiesOf(inner, path);
    else if (!path.endsWith('/if')) {
      for (const [key, schema] of Object.entries(inner as Record<string, JsonSchema>)) {
        if (schema['doNotSuggest'] !== true && typeof schema === 'object') {
          yield [`${path}.${key}`, schema];
        }
        yield* propertiesOf(schema, `${path}.${key}`);
      }
    }
  }
}

test('every key has a title and a description, and every plain number a unit', () => {
  const { if: _, ...schema } = editorSchema();
  const found = [...propertiesOf(schema)].filter(
    ([, { const: word, pattern }]) => !word && !pattern,
  );
  expect(found.length).toBeGreaterThan(400);
  const lacking = (is: (schema: JsonSchema) => boolean) =>
    found.filter(([, schema]) => !is(schema)).map(([path]) => path);
  expect(lacking(({ title }) => typeof title === 'string')).toEqual([]);
  expect(lacking(({ description = '' }) => description.length > 3)).toEqual([]);
  const isPlain = ({ type }: JsonSchema) => type === 'integer' || type === 'number';
  const hasUnit = ({ markdownDescription }: JsonSchema) =>
    /^- Unit: ./m.test(String(markdownDescription));
  expect(lacking((schema) => !isPlain(schema) || hasUnit(schema))).toEqual([]);
});

test('the file says the same as the schema, and what it is called is no address', () => {
  const schema = editorSchema();
  const file = JSON.parse(readFileSync('configs/scenario.schema.json', 'utf8')) as JsonSchema;
  expect(file['$schema']).toBe('http://json-schema.org/draft-07/schema#');
  expect(file['$id']).toMatch(/^urn:[a-z]+:[a-z]+$/);
  expect(JSON.parse(printed(shared(schema)))).toEqual(file);
  const definitions = file['definitions'] as Record<string, JsonSchema>;
  const whole = (value: unknown): unknown => {
    if (typeof value !== 'object' || value === null) return value;
    if (Array.isArray(value)) return value.map(whole);
    const { $ref } = value as JsonSchema;
    if (typeof $ref === 'string') return whole(definitions[$ref.replace('#/definitions/', '')]);
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, whole(inner)]));
  };
  const { definitions: _, ...rest } = file;
  expect(whole(rest)).toEqual(JSON.parse(JSON.stringify(schema)));
});

test('the language server asks for no schema but the one in the first line', async () => {
  await complaints(scenario({}));
  expect(new Set(requests)).toEqual(new Set(['file:///repo/configs/scenario.schema.json']));
});

test.each([
  ['web-server', 'webserver', 'Web-Server', 'web_server', 'web server', 'wbe-server', 'web-sever'],
  ['exitPath', 'exitpath', 'ExitPath', 'exit_path', 'exit-path', 'exittPath', 'exitPaht'],
  ['opteron-1354', 'Opteron-1354', 'opteron1354', 'opteron 1354', 'optron-1354', 'opteron-1345'],
  ['vms', 'vm', 'VMs', 'vmss', 'mvs'],
  ['xen-4.1', 'xen-4-1', 'xen41', 'Xen-4.1', 'xem-4.1'],
  ['zipf', 'zipff', 'zif', 'ziff', 'Zipf'],
])('%s is recognized', (word, ...slips) => {
  const pattern = new RegExp(`^(${misspellings(word)})$`, 'u');
  expect([word, ...slips].filter((slip) => !pattern.test(slip))).toEqual([]);
  const others = ['kind', 'credit', 'pin', 'duration', 'oltp', 'hypervisor', 'context-switch-ring'];
  expect(others.filter((other) => pattern.test(other))).toEqual([]);
});
