import { describe, expect, it } from 'vitest';
import { loadScenario } from '../../src/core.ts';
import { run, simulate } from '../support/scenarios.ts';

/** Dom0 among the VMs of a scheduler. */

const crowded = (kind: string) => ({
  duration: '60ms',
  warmup: '10ms',
  host: { pcpus: 1, caches: { data: 'off' } },
  hypervisor: { profile: 'xen-4.1', scheduler: { kind } },
  vms: [
    {
      name: 'web',
      memory: '96MiB',
      ...(kind === 'sedf' ? { scheduler: { period: '10ms', slice: '2ms' } } : {}),
      workload: {
        kind: 'web-server',
        requests: { arrivals: { kind: 'open', rate: '500/s' }, ioProbability: 0 },
      },
    },
    { name: 'busy', count: 3, memory: '16MiB', workload: { kind: 'tlb-thrash', pages: 16 } },
  ],
});

describe('Dom0', () => {
  it('has three quarters of its pCPU under sedf, as Xen gives it, and can do its work', async () => {
    simulate(crowded('sedf'), ({ hosts }) => {
      const [dom0] = hosts[0]!.hypervisor.tasks.all;
      expect(dom0!.name).toBe('dom0/0');
      expect(dom0!.scheduling).toEqual({ period: 20e9, slice: 15e9, extratime: true });
    });
    const { vms } = await run(crowded('sedf'));
    expect(vms[0]!.metrics.latency_max_ns).toBeLessThan(15e6);
  });

  it('has the defaults of a VM under schedulers that know no Dom0', () => {
    simulate(crowded('rtds'), ({ hosts }) => {
      const [dom0] = hosts[0]!.hypervisor.tasks.all;
      expect(dom0!.scheduling).toEqual({ period: 10e9, budget: 4e9, extratime: true });
    });
  });

  it.each([
    ['sedf', 'it has a slice'],
    ['round-robin', 'round-robin'],
  ])('is given a weight in vain under %s, which is refused', (kind, why) => {
    const text = `
name: x
host: { processor: opteron-1354, memory: 4GiB, dom0: { weight: 512 } }
hypervisor: { profile: xen-4.1, scheduler: { kind: ${kind} } }
vms: [{ name: web, memory: 512MiB, workload: { kind: web-server } }]
`;
    expect(() => loadScenario(text, { file: 'x.yaml' })).toThrow(
      new RegExp(`"weight" has no effect here: .*${why}`),
    );
  });
});
