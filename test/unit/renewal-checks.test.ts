import { describe, expect, it } from 'vitest';
import { copiesOf } from '../../src/scenario/copies.ts';
import { load, type Overrides } from '../support/scenarios.ts';

/** What a scenario may say of new secondaries, and how many copies that takes. */
const host = { processor: 'opteron-1354', memory: '1GiB' };
const scenario = (events: readonly Overrides[], protection: Overrides = {}, more: Overrides = {}) =>
  load({
    host: undefined,
    hosts: { a: host, b: host, c: { ...host, memory: '64MiB' }, d: host },
    links: [
      { name: 'ab', between: ['a', 'b'], bandwidth: '1Gb/s', latency: '50us' },
      { name: 'ac', between: ['a', 'c'], bandwidth: '1Gb/s', latency: '50us' },
      { name: 'bd', between: ['b', 'd'], bandwidth: '1Gb/s', latency: '50us' },
    ],
    duration: '50ms',
    vms: [
      {
        ...{ name: 'db', host: 'a', memory: '256MiB', workload: { kind: 'oltp' }, ...more },
        faultTolerance: { kind: 'record-replay', secondary: 'b', link: 'ab', ...protection },
      },
    ],
    events,
  });
const FAIL = (name: string, at = '5ms') => ({ at, kind: 'fail', host: name });
const PROTECT = (more: Overrides = {}, at = '20ms') => ({
  at,
  kind: 'protect',
  vm: 'db-0',
  ...more,
});
const copies = (...said: Parameters<typeof scenario>) => {
  const built = scenario(...said);
  return copiesOf(built, { name: 'db-0' }, built.vms[0]!);
};

describe('a new secondary', () => {
  it.each<[what: string, said: Parameters<typeof scenario>, message: RegExp]>([
    ['of a VM that has one', [[PROTECT()]], /db-0 is protected at that time, on b/],
    [
      'on a host without room',
      [[FAIL('b'), PROTECT({ secondary: 'c', link: 'ac' })]],
      /no room on c/,
    ],
    ['over a link to elsewhere', [[FAIL('b'), PROTECT({ secondary: 'd' })]], /between a and b/],
    [
      'on a host that has failed',
      [[FAIL('b'), PROTECT({ secondary: 'b' })]],
      /b has failed before/,
    ],
    ['where the VM is', [[FAIL('b'), PROTECT({ secondary: 'a' })]], /where the VM itself is/],
    ['on a host that there is not', [[FAIL('b'), PROTECT({ secondary: 'x' })]], /no host "x"/],
    [
      'on a host that there is not, of a VM that may have one',
      [[{ at: '1ms', kind: 'cut', link: 'ab' }, PROTECT({ secondary: 'x' })]],
      /no host "x"/,
    ],
    [
      'over a link that leads elsewhere, of a VM that may have one',
      [[{ at: '1ms', kind: 'cut', link: 'ab' }, PROTECT({ secondary: 'd', link: 'ac' })]],
      /does not reach d/,
    ],
    [
      'by itself and by an event',
      [[FAIL('b'), PROTECT()], { renew: true }],
      /an event says when db-0 gets a new secondary/,
    ],
    [
      'of a trace',
      [[], { renew: true }, { workload: { kind: 'trace', file: 'x.trace' } }],
      /replays a trace cannot be copied/,
    ],
  ])('is refused: %s', (_, said, message) => {
    expect(() => scenario(...said)).toThrow(message);
  });

  it('takes a copy for each event that asks, or after which it may be wanted', () => {
    expect(copies([])).toBe(0);
    expect(copies([FAIL('b')])).toBe(1);
    expect(copies([FAIL('b')], { renew: false })).toBe(0);
    expect(copies([FAIL('b'), FAIL('c', '6ms')])).toBe(1);
    expect(copies([{ at: '1ms', kind: 'failover', vm: 'db-0' }])).toBe(1);
    expect(copies([{ at: '1ms', kind: 'failover', vm: 'db-0' }, PROTECT()])).toBe(1);
    expect(copies([{ at: '1ms', kind: 'failover', vm: 'db-0' }, PROTECT()], { renew: false })).toBe(
      1,
    );
  });

  it('is taken to be there by the next event, so that what follows from it is known', () => {
    // On b after the first, with a new one on d; the second loses both that VM and that copy.
    const events = [FAIL('a'), FAIL('b', '20ms')];
    const later = { at: '30ms', kind: 'failover', vm: 'db-0' };
    expect(() => scenario([...events, later])).toThrow(/db-0 has no secondary at that time/);
    const gone = [...events, FAIL('d', '30ms'), { ...later, at: '40ms' }];
    expect(() => scenario(gone)).toThrow(/db-0 is not there any more: it was on d/);
  });
});
