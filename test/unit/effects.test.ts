import { describe, expect, test } from 'vitest';
import { ConfigError } from '../../src/base/errors.ts';
import { loadScenario, ScenarioTree } from '../../src/scenario/load.ts';
import { scenarioYaml } from '../../src/scenario/resolve.ts';
import { checkPoints, makePlan } from '../../src/sweep/plan.ts';

/** Keys that can have no effect are refused where their author wrote them, and only there. */

const REGION = '{ name: heap, kind: anon, size: 64KiB, share: 1 }';

interface Parts {
  readonly top?: string;
  readonly host?: string;
  readonly hypervisor?: string;
  readonly vm?: string;
  readonly workload?: string;
}

function text({ top = '', host = '', hypervisor = '', vm = '', workload }: Parts): string {
  return `name: x
${top}
host: { processor: opteron-1354${host} }
hypervisor: { profile: kvm-2.6.33${hypervisor} }
vms:
  - name: vm
    memory: 128MiB
${vm}
    workload: { ${workload ?? `kind: synthetic, regions: [${REGION}]`} }
`;
}

const synthetic = (more: string, region = REGION) =>
  `kind: synthetic, regions: [${region}], ${more}`;

function problems(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  return 'none';
}

const checked = (parts: Parts, set: readonly string[] = []) =>
  problems(() => loadScenario(text(parts), { file: 'x.yaml', set }));

/** The same with another profile of the hypervisor. */
const loadScenarioOf = (profile: string, hypervisor: string) =>
  problems(() =>
    loadScenario(text({ hypervisor }).replace('kvm-2.6.33', profile), { file: 'x.yaml' }),
  );

const REQUESTS = 'arrivals: { kind: open, rate: 10/s }, instructions: 1000';
const TURNS = ', scheduler: { kind: round-robin';

describe('a key without effect is refused', () => {
  // The scenario, the key, and a scenario that differs from it and in which the key has an effect.
  const cases: readonly [string, Parts, Parts][] = [
    [
      'ioLatency',
      { workload: synthetic('ioLatency: 1ms') },
      { workload: synthetic('ioLatency: 1ms, per1M: { blockingIo: 1 }') },
    ],
    [
      'ioBytes',
      { workload: synthetic(`ioBytes: 9000, requests: { ${REQUESTS} }`) },
      { workload: synthetic(`ioBytes: 9000, requests: { ${REQUESTS}, ioProbability: 0.1 }`) },
    ],
    [
      'ioBytes',
      { workload: 'kind: trace, file: a.pt, ioBytes: 9000, per1M: { syscalls: { other: 3 } }' },
      { workload: 'kind: trace, file: a.pt, ioBytes: 9000, per1M: { blockingIo: 3 }' },
    ],
    [
      'pages',
      { workload: synthetic('per1M: { mmap: { pages: 3 } }') },
      { workload: synthetic('per1M: { mmap: { pages: 3, calls: 1 } }') },
    ],
    [
      'munmap',
      { workload: synthetic('per1M: { munmap: 3 }') },
      { workload: synthetic('per1M: { munmap: 3, mmap: { calls: 1 } }') },
    ],
    [
      'limit',
      { workload: synthetic('per1M: { heapGrowth: { limit: 1MiB } }') },
      { workload: synthetic('per1M: { heapGrowth: { limit: 1MiB, calls: 2 } }') },
    ],
    [
      'kernel',
      { vm: '    kernel: linux-3.2', workload: 'kind: trace, file: a.pt' },
      { vm: '    kernel: linux-3.2', workload: 'kind: trace, file: a.pt, populate: false' },
    ],
    [
      'exec',
      { vm: '    os: { instructions: { exec: 1 } }', workload: 'kind: trace, file: a.pt' },
      {
        vm: '    os: { instructions: { exec: 1 } }',
        workload: 'kind: trace, file: a.pt, events: replay',
      },
    ],
    [
      'tickPorts',
      { vm: '    os: { cpi: 2, tickPorts: 3 }', workload: 'kind: trace, file: a.pt, hz: 100' },
      {
        vm: '    os: { cpi: 2, tickPorts: 3 }',
        workload: 'kind: trace, file: a.pt, hz: 100, kernel: true',
      },
    ],
    [
      'cpi',
      { vm: '    os: { cpi: 2 }', workload: 'kind: trace, file: a.pt' },
      { vm: '    os: { cpi: 2 }', workload: 'kind: trace, file: a.pt, hz: 100' },
    ],
    [
      'kernel',
      { vm: '    kernel: linux-6.1', workload: 'kind: trace, file: a.pt, populate: true' },
      { vm: '    kernel: linux-6.1', workload: 'kind: trace, file: a.pt, hz: 100' },
    ],
    [
      'hz',
      { vm: '    os: { hz: 300 }', workload: 'kind: idle, hz: 100' },
      { vm: '    os: { hz: 300 }', workload: 'kind: idle' },
    ],
    [
      'hz',
      { vm: '    os: { hz: 300 }', workload: 'kind: trace, file: a.pt, kernel: true' },
      { vm: '    os: { hz: 300 }', workload: 'kind: web-server' },
    ],
    [
      'tickless',
      { vm: '    os: { tickless: false }', workload: 'kind: idle, hz: 0' },
      { vm: '    os: { tickless: false }', workload: 'kind: idle, hz: 50' },
    ],
    [
      'network',
      { vm: '    network: emulated', workload: 'kind: tlb-thrash, pages: 10' },
      { vm: '    network: emulated', workload: 'kind: net-stream' },
    ],
    [
      'network',
      { vm: '    network: vhost', workload: synthetic('per1M: { blockingIo: 1 }') },
      { vm: '    network: vhost', workload: synthetic(`requests: { ${REQUESTS} }`) },
    ],
    [
      'disk',
      { vm: '    disk: emulated', workload: synthetic(`requests: { ${REQUESTS} }`) },
      {
        vm: '    disk: emulated',
        workload: synthetic(`requests: { ${REQUESTS}, ioProbability: 0.1 }`),
      },
    ],
    [
      'vcpus',
      {
        host: ', dom0: { vcpus: 2 }',
        hypervisor: ', devices: { disk: { worker: dom0 } }',
        workload: 'kind: idle',
      },
      {
        host: ', dom0: { vcpus: 2 }',
        hypervisor: ', devices: { disk: { worker: dom0 } }',
        workload: synthetic('per1M: { blockingIo: 1 }'),
      },
    ],
    [
      'stackLines',
      { hypervisor: ', footprint: { touches: false, stackLines: 3 }' },
      { hypervisor: ', footprint: { touches: true, stackLines: 3 }' },
    ],
    [
      'size',
      { hypervisor: ', footprint: { touches: false, kernel: { size: 32KiB } }' },
      { hypervisor: ', footprint: { kernel: { size: 32KiB } }' },
    ],
    [
      'phases',
      { workload: synthetic('phases: [{ name: p, instructions: 1000 }]') },
      {
        workload: synthetic(
          'phases: [{ name: p, instructions: 1000, shares: [{ region: heap, share: 1 }] }]',
        ),
      },
    ],
    [
      'quantum',
      { workload: synthetic('quantum: 5000') },
      { workload: synthetic('quantum: 5000, processes: 2') },
    ],
    [
      'quantum',
      { workload: synthetic('quantum: 6000') },
      { workload: synthetic('quantum: 6000, threads: 2') },
    ],
    [
      'cowPages',
      { workload: synthetic('jobs: { instructions: 1000, forks: false, cowPages: 5 }') },
      { workload: synthetic('jobs: { instructions: 1000, cowPages: 5 }') },
    ],
    [
      'parentCode',
      { workload: synthetic('jobs: { instructions: 1000, exec: false, parentCode: 1MiB }') },
      { workload: synthetic('jobs: { instructions: 1000, parentCode: 1MiB }') },
    ],
    [
      'lineSkew',
      {
        workload: synthetic(
          'phases: [{ name: p, instructions: 1000, shares: [{ region: heap, share: 1 }] }]',
          `${REGION}, { name: cold, kind: anon, size: 64KiB, share: 0, lineSkew: 3 }`,
        ),
      },
      {
        workload: synthetic(
          'phases: [{ name: p, instructions: 1000, shares: [{ region: cold, share: 1 }] }]',
          `${REGION}, { name: cold, kind: anon, size: 64KiB, share: 0, lineSkew: 3 }`,
        ),
      },
    ],
    [
      'lines',
      {
        workload: synthetic(
          'hz: 0',
          `${REGION}, { name: new, kind: anon, size: 64KiB, share: 1, lines: 3, pattern: { kind: stream, bytes: 8 } }`,
        ),
      },
      {
        workload: synthetic(
          'hz: 0',
          `${REGION}, { name: new, kind: anon, size: 64KiB, share: 1, lines: 3, pattern: { kind: sequential } }`,
        ),
      },
    ],
    [
      'hotLines',
      {
        workload: synthetic(
          'hz: 0',
          `${REGION}, { name: cold, kind: anon, size: 64KiB, share: 0, hotLines: 3 }`,
        ),
      },
      {
        workload: synthetic(
          'hz: 0',
          `${REGION}, { name: cold, kind: anon, size: 64KiB, share: 1, hotLines: 3 }`,
        ),
      },
    ],
    [
      'overlap',
      { host: ', caches: { data: off }', workload: synthetic('overlap: 0.1') },
      { workload: synthetic('overlap: 0.1') },
    ],
    [
      'work',
      { workload: synthetic('work: 3') },
      { top: 'duration: work', workload: synthetic('work: 3') },
    ],
    [
      'warmup',
      { top: 'duration: work\nwarmup: 5ms', workload: synthetic('work: 3') },
      { top: 'duration: 50ms\nwarmup: 5ms' },
    ],
    [
      'references',
      { hypervisor: `${TURNS}, references: 100 }` },
      { hypervisor: `${TURNS}, references: 100 }`, workload: 'kind: trace, file: a.pt' },
    ],
    [
      'timeslice',
      {
        hypervisor: `${TURNS}, references: 100, timeslice: 1ms }`,
        workload: 'kind: trace, file: a.pt',
      },
      { hypervisor: `${TURNS}, timeslice: 1ms }` },
    ],
    ['weight', { hypervisor: `${TURNS} }`, vm: '    weight: 512' }, { vm: '    weight: 512' }],
    [
      'cap',
      { hypervisor: `${TURNS} }`, vm: '    cap: 50' },
      { hypervisor: ', scheduler: { kind: credit }', vm: '    cap: 50' },
    ],
    ['cap', { vm: '    cap: 50' }, { hypervisor: ', scheduler: { kind: esx }', vm: '    cap: 50' }],
    [
      'stride',
      { workload: 'kind: mmap-loop, touched: 1, stride: 9' },
      { workload: 'kind: mmap-loop, touched: 2, stride: 9' },
    ],
  ];

  test.each(cases)('%s (%#)', (key, idle, effective) => {
    const said = checked(idle);
    expect(said).toMatch(/^x\.yaml:\d+:\d+: error: /);
    expect(said).toContain(`"${key}" has no effect here: `);
    expect(said.match(/has no effect/g)).toHaveLength(1);
    expect(checked(effective)).toBe('none');
  });

  test('at its place, also in --set', () => {
    expect(checked({ workload: synthetic('ioLatency: 1ms') })).toMatch(/^x\.yaml:9:107: /);
    const set = ['seed=3', 'vms.vm.workload.ioLatency=1ms'];
    expect(checked({}, set)).toMatch(/^--set:2:27: error: "ioLatency" has no effect here/);
  });
});

describe('a key without effect is accepted', () => {
  test('when a preset says it', () => {
    const off = 'kind: web-server, requests: { ioProbability: 0 }';
    expect(checked({ workload: off })).toBe('none');
    expect(checked({ workload: `${off}, ioBytes: 100` })).toContain('"ioBytes" has no effect');
  });

  test('when it says what would be so anyway', () => {
    expect(checked({ workload: synthetic('ioLatency: 5ms, ioBytes: 4096') })).toBe('none');
    expect(checked({ hypervisor: `${TURNS}, references: 0 }` })).toBe('none');
  });

  test('when the preset of the kernel or the hypervisor says so', () => {
    const vm = '    kernel: linux-3.2\n    os: { hz: 250, instructions: { exec: 220000 } }';
    const said = checked({ vm, workload: 'kind: trace, file: a.pt' });
    expect(said).toContain('"kernel" has no effect here');
    expect(said).toContain('"exec" has no effect here');
    const { os } = loadScenario(text({}), { file: 'x.yaml' }).vms[0]!;
    const same = `    os: { hz: ${os.hz}, instructions: { exec: ${os.instructions.exec} } }`;
    expect(checked({ vm: same, workload: 'kind: trace, file: a.pt' })).toBe('none');
  });

  test('but not a key that the preset of a workload does not have', () => {
    const parts = { hypervisor: `${TURNS} }`, vm: '    weight: 512', workload: 'kind: web-server' };
    expect(checked(parts)).toContain('"weight" has no effect here');
  });

  test('beside the rate that is set to 0', () => {
    expect(checked({ workload: synthetic('per1M: { mmap: { calls: 0, pages: 3 } }') })).toBe(
      'none',
    );
    const heap = 'per1M: { heapGrowth: { calls: 0, limit: 1MiB } }';
    expect(checked({ workload: synthetic(heap) })).toBe('none');
    expect(checked({ workload: synthetic('processes: 1, quantum: 5000') })).toBe('none');
    expect(checked({ workload: synthetic('threads: 1, quantum: 5000') })).toBe('none');
    expect(checked({ workload: synthetic('per1M: { munmap: 1, mmap: { calls: 0 } }') })).toBe(
      'none',
    );
  });

  test('in a group of no VMs', () => {
    const spare = `    weight: 1\n    workload: { kind: idle }\n  - name: spare\n    count: 0`;
    expect(checked({ vm: spare, workload: synthetic('ioLatency: 1ms') })).toBe('none');
  });

  test('when there is no hypervisor to which it says something', () => {
    const native = ', mmu: { kind: native }, tags: { kind: none }, costs: { exitPath: 3 }';
    expect(checked({ hypervisor: native })).toBe('none');
  });

  test('when --set takes its effect away', () => {
    const written = { workload: synthetic('ioLatency: 1ms, per1M: { blockingIo: 1 }') };
    expect(checked(written, ['vms.vm.workload.per1M.blockingIo=0'])).toBe('none');
    expect(checked({ vm: '    weight: 512' }, ['hypervisor.scheduler.kind=round-robin'])).toBe(
      'none',
    );
  });
});

describe('the complete scenario of a run', () => {
  test.each([
    [{ workload: 'kind: web-server, requests: { ioProbability: 0 }' }, []],
    [{ workload: 'kind: kernel-compile' }, []],
    [{ workload: 'kind: trace, file: a.pt' }, []],
    [{ workload: 'kind: trace, file: a.pt, hz: 100', vm: '    kernel: linux-2.6.18' }, []],
    [{ hypervisor: ', footprint: { stackLines: 7 }' }, ['hypervisor.footprint.touches=false']],
    [{ vm: '    disk: emulated', workload: 'kind: oltp' }, ['vms.vm.workload={ kind: idle }']],
    [{ vm: '    weight: 512' }, ['hypervisor.scheduler={ kind: round-robin, timeslice: 1ms }']],
    [
      { workload: synthetic('ioBytes: 99, ioLatency: 1ms, per1M: { blockingIo: 1 }') },
      ['vms.vm.workload.per1M.blockingIo=0'],
    ],
  ] satisfies [Parts, string[]][])('can be loaded again (%#)', (parts, set) => {
    const first = loadScenario(text(parts), { file: 'x.yaml', set });
    const again = loadScenario(scenarioYaml(first), { file: 'resolved.yaml' });
    expect(scenarioYaml(again)).toBe(scenarioYaml(first));
  });
});

describe('a value that cannot be meant so', () => {
  const phase = (shares: string) =>
    synthetic(`phases: [{ name: p, instructions: 9, shares: ${shares} }]`);
  test.each<[Parts, string]>([
    [{ vm: '    os: linux-3.2' }, 'got "linux-3.2" — did you mean kernel: linux-3.2?'],
    [
      { vm: '    network: e1000' },
      '"e1000" is not allowed for "network" — did you mean "emulated"?',
    ],
    [{ vm: '    disk: virtio' }, 'did you mean "paravirtual"?'],
    [{ vm: '    os: { faultAround: 3 }' }, 'faultAround is a power of two, 1, 2, 4, … 512: got 3'],
    [
      { hypervisor: ', footprint: { stackLine: 3 }' },
      'unknown key "stackLine" in hypervisor.footprint — did you mean "stackLines"?',
    ],
    [
      { hypervisor: ', footprint: { framePage: 8KiB }' },
      '4:60: error: a page of the host is 4KiB or 2MiB: got 8KiB',
    ],
    [{ hypervisor: ', footprint: { user: { size: 8MiB } }' }, 'from 4KiB to 4MiB: got 8MiB'],
    [{ hypervisor: ', devices: { disk: { emulated: { request: 3 } } }' }, 'none'],
    [{ host: ', cpu: { memory: { hopPermille: [] } }' }, 'must have at least 1 item'],
    [
      { host: ', cpu: { memory: { hopPermille: [1000, 1100, 1200] } }' },
      'must have at most 2 items',
    ],
    [
      { workload: phase('[{ region: heep, share: 1 }]') },
      ':152: error: phase p: there is no region heep — did you mean "heap"? there are heap',
    ],
    [{ workload: phase('[{ region: heap, share: 0 }]') }, ':141: error: phase p visits nothing'],
    [
      {
        workload: `kind: synthetic, regions: [{ name: a, kind: code, size: 4KiB, share: 1, stores: 1 }]`,
      },
      ':97: error: region a is code and cannot be stored to',
    ],
    [
      {
        workload: `kind: synthetic, regions: [{ name: a, kind: file, size: 2GiB, share: 1, pattern: { kind: stream, bytes: 8 } }]`,
      },
      ':73: error: region a: a stream has at most 1 GiB',
    ],
    [
      {
        workload:
          'kind: synthetic, regions: [{ name: a, kind: anon, size: 4KiB, share: 1, pattern: zipf }]',
      },
      'did you mean { kind: zipf }?',
    ],
  ])('%#', (parts, said) => {
    expect(checked(parts)).toContain(said);
  });

  test('all that is missing is named', () => {
    const card = ', devices: { network: { passthrough: { sendPiece: 3, ring: 9 } } }';
    expect(checked({ hypervisor: card.replace('passthrough', 'emulated') })).toBe('none');
    const old = loadScenarioOf('kvm-2.6.26', card);
    expect(old).toContain('missing key "sendBytes" in hypervisor.devices.network.passthrough');
    expect(old).toContain('missing as well: kickPieces, kickAccesses, registers');
  });
});

describe('in a sweep', () => {
  const points = (parts: Parts, sweep: string) =>
    problems(() => {
      const tree = new ScenarioTree(`${text(parts)}sweep:\n${sweep}`, { file: 's.yaml' });
      checkPoints(makePlan(tree), () => {});
    });

  test('a key stands at points that take its effect away', () => {
    const parts = { workload: synthetic('ioLatency: 1ms, per1M: { blockingIo: 1 }') };
    expect(points(parts, '  axes: { vms.vm.workload.per1M.blockingIo: [0, 1] }\n')).toBe('none');
    const weight = { vm: '    weight: 512' };
    expect(points(weight, '  axes: { hypervisor.scheduler.kind: [credit, round-robin] }\n')).toBe(
      'none',
    );
  });

  test('a key stands that only the points give an effect', () => {
    const parts = { workload: synthetic('per1M: { mmap: { pages: 3 } }') };
    expect(points(parts, '  axes: { vms.vm.workload.per1M.mmap.calls: [0, 3] }\n')).toBe('none');
  });

  test('an axis is refused at the points where it changes nothing', () => {
    const axes = 'hypervisor.scheduler.kind: [credit, round-robin], vms.vm.weight: [256, 512]';
    const said = points({}, `  axes: { ${axes} }\n`);
    expect(said).toContain('"weight" has no effect here: round-robin knows no weights');
    expect(said).toContain('hypervisor.scheduler.kind=round-robin');
    const where = '  where: hypervisor.scheduler.kind == credit or vms.vm.weight == 256\n';
    expect(points({}, `  axes: { ${axes} }\n${where}`)).toBe('none');
  });

  test('an axis that changes nothing at all is refused', () => {
    const said = points({}, '  axes: { vms.vm.workload.ioBytes: [1, 100000] }\n');
    expect(said).toContain('"ioBytes" has no effect here');
  });
});
