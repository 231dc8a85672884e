import { beforeAll, describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/base/errors.ts';
import { loadScenario } from '../../src/scenario/load.ts';
import { runScenario } from '../../src/scenario/run.ts';
import type { RunResult } from '../../src/stats/result.ts';
import { runTables } from '../../src/tables/csv.ts';

/** Scenarios of several hosts: what is refused, and what the rows of results say. */

const BASE = `name: hosts
duration: 4ms
warmup: 1ms
hosts:
  a: { processor: opteron-1354, memory: 256MiB, pcpus: 2 }
  b: { processor: opteron-1354, memory: 256MiB, pcpus: 1 }
  old: { processor: opteron-2218, cpu: { clock: 2.2GHz }, memory: 256MiB }
links:
  - { name: log, between: [a, b], bandwidth: 1Gb/s, latency: 50us }
  - { name: slow, between: [a, old], bandwidth: 100Mb/s }
hypervisor: { profile: esx-4 }
vms:
  - { name: web, count: 2, host: a, memory: 64MiB, workload: { kind: tlb-thrash, pages: 3000 } }
  - { name: db, host: b, memory: 128MiB, mmu: { kind: shadow }, workload: { kind: tlb-thrash, pages: 64 } }
`;

/** What is said of the scenario with these lines after it, and these values set. */
function faults(more: string, ...set: string[]): string[] {
  try {
    loadScenario(BASE + more, { file: 'hosts.yaml', set });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.diagnostics.map(({ place, message, suggestion }) =>
      [`${place.line}:${place.column} ${message}`, ...(suggestion ? [suggestion] : [])].join(' — '),
    );
  }
  return [];
}

const protectedVm = (rest: string, own = '') =>
  `  - { name: ft, host: a, memory: 64MiB, workload: { kind: idle }, ${own}faultTolerance: { kind: record-replay, ${rest} } }\n`;
/** The same by checkpoints. */
const checkpointed = (rest: string, own = 'workload: { kind: idle }') =>
  `  - { name: ft, host: a, memory: 64MiB, ${own}, faultTolerance: { kind: checkpoint, ${rest} } }\n`;
const events = (...list: string[]) => `events:\n${list.map((one) => `  - { ${one} }\n`).join('')}`;

describe('refuses, with the place', () => {
  it.each<[what: string, more: string, expected: RegExp]>([
    ['a secondary on an unknown host', protectedVm('secondary: c, link: log'), /no host "c"/],
    [
      'a secondary where the VM is',
      protectedVm('secondary: a, link: log'),
      /where the VM itself is/,
    ],
    [
      'an unknown link',
      protectedVm('secondary: b, link: lag'),
      /no link "lag" — did you mean "log"/,
    ],
    [
      'a link elsewhere',
      protectedVm('secondary: b, link: slow'),
      /between a and old, not between a and b — use log/,
    ],
    ['no link', protectedVm('secondary: b'), /missing key "link"/],
    [
      'a processor that cannot replay',
      protectedVm('secondary: old, link: slow'),
      /opteron-2218 cannot count/,
    ],
    [
      'nested paging',
      protectedVm('secondary: b, link: log', 'mmu: { kind: nested }, '),
      /cannot have nested paging: .*cannot be replayed/,
    ],
    ['several vCPUs', protectedVm('secondary: b, link: log', 'vcpus: 2, '), /vCPU/],
    [
      'moving to where it is',
      events('at: 2ms, kind: migrate, vm: web-0, to: a, link: log'),
      /^16:\d+ web-0 is on a already/,
    ],
    [
      'moving the group',
      events('at: 2ms, kind: migrate, vm: web, to: b, link: log'),
      /no VM "web" — did you mean "web-/,
    ],
    [
      'moving to a processor without nested paging',
      events('at: 2ms, kind: migrate, vm: web-0, to: old, link: slow'),
      /web-0 has nested paging/,
    ],
    [
      'moving to a host that is full by then',
      events(
        'at: 1ms, kind: migrate, vm: web-0, to: b, link: log',
        'at: 2ms, kind: migrate, vm: web-1, to: b, link: log',
      ),
      /^17:\d+ web-1 of 64 MiB has no room on b: .*192 MiB are taken/,
    ],
    ...(
      [
        [
          'to where the link does not lead',
          'old',
          'log',
          /log is between a and b, and does not reach old/,
        ],
        [
          'to where the link does not lead',
          'b',
          'slow',
          /slow is between a and old, and does not reach b/,
        ],
        ['over a link that is not there', 'b', 'lgo', /no link "lgo" — did you mean "log/],
      ] as const
    ).map(([what, to, link, message]): [string, string, RegExp] => [
      `moving ${what} when a cut may have kept it where it was: ${link}`,
      events(
        'at: 1ms, kind: migrate, vm: web-0, to: b, link: log',
        'at: 2ms, kind: cut, link: log',
        `at: 3ms, kind: migrate, vm: web-0, to: ${to}, link: ${link}`,
      ),
      message,
    ]),
    [
      'moving what has gone, also when it stands first',
      events('at: 2ms, kind: migrate, vm: web-0, to: b, link: log', 'at: 1ms, kind: fail, host: a'),
      /^16:\d+ web-0 is not there any more: it was on a/,
    ],
    [
      'failing twice',
      events('at: 1ms, kind: fail, host: a', 'at: 2ms, kind: fail, host: a'),
      /a has failed before, at 1ms/,
    ],
    [
      'failing all',
      events(
        'at: 1ms, kind: fail, host: a',
        'at: 1ms, kind: fail, host: old',
        'at: 1ms, kind: fail, host: b',
      ),
      /^18:\d+ b is the last host/,
    ],
    ['an event after the end', events('at: 9ms, kind: cut, link: log'), /the run is over at 4ms/],
    [
      'cutting what is cut',
      events('at: 1ms, kind: cut, link: log', 'at: 2ms, kind: cut, link: log'),
      /cut already/,
    ],
    ['restoring what is not', events('at: 1ms, kind: restore, link: log'), /not cut/],
    ['a failover without a secondary', events('at: 1ms, kind: failover, vm: db-0'), /no secondary/],
    [
      'protecting without a word of how',
      events('at: 1ms, kind: protect, vm: db-0'),
      /no faultTolerance/,
    ],
    [
      'a new secondary for a VM with checkpoints',
      checkpointed('secondary: b, link: log') +
        events('at: 1ms, kind: fail, host: b', 'at: 2ms, kind: protect, vm: ft-0'),
      /protected by checkpoint cannot get a new secondary/,
    ],
    [
      'shadow paging under the rule of vSphere 6',
      checkpointed(
        'secondary: b, link: log, policy: { kind: vsphere-6 }',
        'workload: { kind: idle }, mmu: { kind: shadow }',
      ),
      /cannot have shadow paging: FT of vSphere 6 needs hardware MMU.*kind: nested/,
    ],
    [
      'checkpoints to a processor without nested paging',
      checkpointed('secondary: old, link: slow'),
      /^\d+:\d+ ft-0 has nested paging, and old has an .*which has none/,
    ],
    [
      'checkpoints of a VM that replays a trace',
      checkpointed('secondary: b, link: log', 'workload: { kind: trace, file: x.trace }'),
      /replays a trace cannot be protected by checkpoint.*record-replay/,
    ],
    [
      'an epoch policy that is unknown',
      checkpointed('secondary: b, link: log, policy: { kind: remu }'),
      /did you mean "remus"/,
    ],
  ])('%s', (_, more, expected) => {
    expect(faults(more)).toContainEqual(expect.stringMatching(expected));
  });

  it.each<[set: string, expected: RegExp]>([
    ['vms.web.host=c', /no host "c".*the hosts are a, b, old/],
    ['host.memory=1GiB', /"host" and "hosts" cannot both be there/],
    ['hosts.B={ processor: opteron-1354 }', /a host name is made of lower-case letters/],
    ['hosts.a.procesor=1', /did you mean "processor"/],
    [
      'hosts.b.cpu={ clock: 2300123457Hz }',
      /the clock of b, 2.300123457 GHz, has too few edges in common with that of a: a run of them cannot last longer than 0.00\d+ s — use clocks that are multiples of 1 MHz/,
    ],
    ['hosts.old.cpu.clock=2200000001Hz', /the clock of old, .* with those of a, b: a run/],
    ['hosts.b.caches.data=off', /hosts of one scenario have the same/],
    ['hosts.b.memory=128MiB', /the VMs on b ask for 128 MiB together.*more hosts.b.memory/],
    ['links.log.between=[a, a]', /both ends are a/],
    ['links.log.between=[a]', /between/],
    ['links.log.bandwidth=1Gbit/s', /did you mean 1Gb\/s/],
    ['links.log.bandwidth=100mbps', /did you mean 100Mb\/s/],
    ['links.log.bandwidth=0', /more than 0/],
    ['vms.db.mmu={ kind: native }', /has no hypervisor/],
  ])('%s', (set, expected) => {
    expect(faults('', set)).toContainEqual(expect.stringMatching(expected));
  });

  it('a secondary whose clock is too far from the primary, and no other', () => {
    const more = protectedVm('secondary: b, link: log');
    const at = (clock: string) => faults(more, `hosts.b.cpu.clock=${clock}`);
    for (const clock of ['1.7GHz', '2.7GHz']) {
      expect(at(clock)).toEqual([expect.stringMatching(/a and b are 500 MHz apart.* 400 MHz/)]);
    }
    for (const clock of ['1.8GHz', '2.3GHz', '2.6GHz']) expect(at(clock)).toEqual([]);
  });

  it('a secondary without room', () => {
    const more = protectedVm('secondary: b, link: log');
    expect(faults(more, 'hosts.b.memory=192MiB')).toContainEqual(
      expect.stringMatching(/ft-0 of 64 MiB has no room on b: 186 MiB .*128 MiB are taken/),
    );
  });

  it('a VM that does not say where it is', () => {
    const text = BASE.replace('host: b, ', '');
    expect(() => loadScenario(text, { file: 'hosts.yaml' })).toThrow(
      /VM db does not say which host/,
    );
  });
});

describe('the results of two hosts', () => {
  let result: RunResult;
  beforeAll(async () => {
    const more = events('at: 2ms, kind: cut, link: log', 'at: 3ms, kind: restore, link: log');
    const set = ['checks.translations=true', 'output.timeseries=1ms', 'output.evictions=true'];
    result = await runScenario(loadScenario(BASE + more, { file: 'hosts.yaml', set }), {
      slices: 100,
    });
  });

  it('say in every row of every table which host it is of', () => {
    const names = ['a', 'b', 'old'];
    for (const [name, text] of runTables(result)) {
      if (name === 'dictionary.csv') continue;
      const [head, ...rows] = [...text].join('').trim().split('\n');
      expect(head!.split(',')[0], name).toBe('host');
      for (const row of rows) expect(names, `${name}: ${row}`).toContain(row.split(',')[0]);
    }
  });

  it('balance on every pCPU, whose numbers begin at 0 on every host', () => {
    const sums = new Map<string, number>();
    for (const { host, pcpu, cycles } of result.ledger) {
      sums.set(`${host} ${pcpu}`, (sums.get(`${host} ${pcpu}`) ?? 0) + cycles);
    }
    expect([...sums.keys()]).toEqual(['a 0', 'a 1', 'b 0', 'old 0', 'old 1']);
    expect([...sums.values()]).toEqual(new Array(5).fill(result.windowCycles));
    expect(result.pcpuCount).toBe(5);
  });

  it('have the paging that each VM asks for', () => {
    const of = (name: string) => result.vms.find(({ vm }) => vm === name)!;
    expect(of('web-0').metrics.nested_tlb_hits).toBeGreaterThan(0);
    expect(of('db-0').metrics.nested_tlb_hits).toBe(0);
    expect(of('db-0').metrics.shadow_pages_built).toBeGreaterThanOrEqual(0);
    expect(result.slices!.find(({ vm }) => vm === 'db-0')).toMatchObject({ host: 'b', pcpu: 0 });
  });
});
