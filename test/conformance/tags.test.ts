import { describe, expect, test } from 'vitest';
import type { Asid, PcpuId, VcpuId } from '../../src/base/ids.ts';
import { stream } from '../../src/base/random.ts';
import type { Choice } from '../../src/base/registry.ts';
import { tagPolicies } from '../../src/hypervisor/tags/index.ts';
import {
  type TagDeps,
  type TagGrant,
  type TagPolicy,
  TlbControl,
} from '../../src/hypervisor/tags/tag-policy.ts';

const kinds = tagPolicies.definitions.map((definition) => definition.name);
/** Those that hand out numbers. */
const numbered = tagPolicies.definitions
  .filter((definition) => 'asids' in definition.params.shape)
  .map((definition) => definition.name);
const deps: TagDeps = {
  pcpuCount: 3,
  vcpuCount: 6,
  asids: 64,
  flushByAsid: true,
  erratum170: false,
};
const create = (choice: Record<string, unknown>, over: Partial<TagDeps> = {}): TagPolicy =>
  tagPolicies.create(tagPolicies.schema.parse(choice) as Choice, { ...deps, ...over });

interface Entries {
  vcpu: number;
  /** State of the guest's tables that they were filled from. */
  version: number;
}

/**
 * A TLB reduced to what matters for tags: for each pCPU and ASID, whose translations it holds and how
 * old they are. Calls the policy as the hypervisor does, and throws if a vCPU could hit translations
 * that are another's or out of date.
 */
class TagModel {
  readonly grant: TagGrant = { asid: 0 as Asid, tlbControl: 0, fresh: false, exhausted: false };
  flushAlls = 0;
  exhaustions = 0;
  readonly #policy: TagPolicy;
  readonly #asids: number;
  readonly #live = new Map<string, Entries>();
  readonly #version = new Map<number, number>();
  readonly #pcpuOf = new Map<number, number>();
  readonly #lastOn = new Map<number, number>();
  readonly #ranUnder = new Map<string, number>();

  constructor(policy: TagPolicy, asids = deps.asids) {
    this.#policy = policy;
    this.#asids = asids;
  }

  /** A VMRUN; true if the vCPU finds translations that it left there. */
  run(pcpu: number, vcpu: number): boolean {
    const policy = this.#policy;
    const from = this.#pcpuOf.get(vcpu);
    if (from !== undefined && from !== pcpu) {
      policy.onMigrate(vcpu as VcpuId, from as PcpuId, pcpu as PcpuId);
      // Single pages that it invalidates from here on are not invalidated where it was.
      this.#bump(vcpu);
    }
    this.#pcpuOf.set(vcpu, pcpu);
    const last = this.#lastOn.get(pcpu);
    if (last !== undefined && last !== vcpu) {
      policy.onVcpuSwitch(pcpu as PcpuId, last as VcpuId, vcpu as VcpuId);
    }
    this.#lastOn.set(pcpu, vcpu);
    return this.#vmrun(pcpu, vcpu);
  }

  flush(vcpu: number): void {
    this.#policy.flushVcpu(vcpu as VcpuId);
    this.#bump(vcpu);
  }

  #bump(vcpu: number): void {
    this.#version.set(vcpu, (this.#version.get(vcpu) ?? 0) + 1);
  }

  #vmrun(pcpu: number, vcpu: number): boolean {
    const { grant } = this;
    this.#policy.beforeVmrun(pcpu as PcpuId, vcpu as VcpuId, grant);
    if (grant.asid < 1 || grant.asid >= this.#asids) throw new Error(`ASID ${grant.asid}`);
    const own = `${pcpu}/${grant.asid}`;
    if (grant.tlbControl === TlbControl.FlushAll) {
      this.flushAlls++;
      for (const key of [...this.#live.keys()]) {
        if (key.startsWith(`${pcpu}/`)) this.#live.delete(key);
      }
    } else if (grant.tlbControl === TlbControl.FlushAsid) {
      this.#live.delete(own);
    }
    if (grant.exhausted) this.exhaustions++;
    this.#checkFresh(pcpu, vcpu);
    const version = this.#version.get(vcpu) ?? 0;
    const found = this.#live.get(own);
    if (found && found.vcpu !== vcpu) throw new Error(`${vcpu} hits entries of ${found.vcpu}`);
    if (found && found.version !== version) throw new Error(`${vcpu} hits stale entries`);
    this.#live.set(own, { vcpu, version });
    return found !== undefined;
  }

  #checkFresh(pcpu: number, vcpu: number): void {
    const key = `${pcpu}/${vcpu}`;
    const before = this.#ranUnder.get(key) ?? this.grant.asid;
    if (this.grant.fresh !== (before !== this.grant.asid)) throw new Error('fresh is wrong');
    this.#ranUnder.set(key, this.grant.asid);
  }
}

/** Runs a random mix of VMRUNs, vCPU switches, flushes and migrations, the same for every policy. */
function churn(model: TagModel, steps: number, seed: string): TagModel {
  const random = stream(seed, 'tags');
  const draw = (count: number) => Math.floor(random() * count);
  const running = [0, 1, 2];
  for (let step = 0; step < steps; step++) {
    const pcpu = draw(deps.pcpuCount);
    const what = random();
    if (what < 0.3) {
      const next = draw(deps.vcpuCount);
      if (!running.includes(next)) running[pcpu] = next;
    } else if (what < 0.5) {
      model.flush(draw(deps.vcpuCount));
    }
    model.run(pcpu, running[pcpu]);
  }
  return model;
}

describe.each(kinds)('%s', (kind) => {
  test('never lets a vCPU hit translations of another or stale ones', () => {
    for (const seed of ['a', 'b', 'c', 'd']) churn(new TagModel(create({ kind })), 5000, seed);
  });

  test('lets a vCPU that runs alone keep its translations until it is flushed', () => {
    const model = new TagModel(create({ kind }));
    expect(model.run(0, 0)).toBe(false);
    for (let i = 0; i < 100; i++) expect(model.run(0, 0)).toBe(true);
    model.flush(0);
    expect(model.run(0, 0)).toBe(false);
    expect(model.run(0, 0)).toBe(true);
  });

  test('takes a migrated vCPU to a cold TLB, there and back', () => {
    const model = new TagModel(create({ kind }));
    expect([model.run(0, 0), model.run(1, 0), model.run(0, 0)]).toEqual([false, false, false]);
  });

  test('leaves the tags of other pCPUs alone', () => {
    const model = new TagModel(create({ kind }));
    model.run(0, 0);
    for (let i = 0; i < 200; i++) {
      model.flush(1);
      model.run(1, 1);
      model.run(1, 2);
    }
    expect(model.run(0, 0)).toBe(true);
  });
});

describe.each(numbered)('%s and the number of ASIDs', (kind) => {
  test('keeps vCPUs apart when there are few', () => {
    for (const asids of [2, 3, 4, 7]) {
      churn(new TagModel(create({ kind, asids }), asids), 3000, `few/${asids}`);
    }
  });

  test('takes the number of the processor by default', () => {
    churn(new TagModel(create({ kind }, { asids: 5 }), 5), 1000, 'processor');
  });

  test('does not flush everything more often when there are more', () => {
    for (const seed of ['a', 'b', 'c']) {
      const counts = [2, 3, 4, 6, 8, 16, 32, 64, 128, 1024].map(
        (asids) => churn(new TagModel(create({ kind, asids }), asids), 3000, seed).flushAlls,
      );
      expect(counts).toEqual([...counts].sort((a, b) => b - a));
    }
  });

  test('refuses fewer than two', () => {
    expect(() => tagPolicies.schema.parse({ kind, asids: 1 })).toThrow();
  });
});

describe('none', () => {
  test('flushes when a pCPU takes up another vCPU, and only then', () => {
    const model = new TagModel(create({ kind: 'none' }));
    const found = [0, 0, 1, 1, 0].map((vcpu) => model.run(0, vcpu));
    expect(found).toEqual([false, true, false, true, false]);
    expect(model.flushAlls).toBe(3);
  });

  test('flushes at every VMRUN when told to', () => {
    const model = new TagModel(create({ kind: 'none', flush: 'every-vmrun' }));
    for (let i = 0; i < 10; i++) expect(model.run(0, 0)).toBe(false);
    expect(model.flushAlls).toBe(10);
  });

  test('keeps that promise under churn when it flushes at every VMRUN', () => {
    const model = new TagModel(create({ kind: 'none', flush: 'every-vmrun' }));
    expect(churn(model, 2000, 'every').flushAlls).toBe(2000);
  });
});

describe('kvm', () => {
  test('keeps translations across a switch to another vCPU and back', () => {
    const model = new TagModel(create({ kind: 'kvm' }));
    model.run(0, 0);
    model.run(0, 1);
    expect([model.run(0, 0), model.run(0, 1)]).toEqual([true, true]);
    expect(model.flushAlls).toBe(1);
  });

  test('flushes everything once per 63 new tags on a processor with 64 ASIDs', () => {
    const model = new TagModel(create({ kind: 'kvm' }));
    for (let i = 0; i < 63 * 5; i++) {
      model.flush(0);
      model.run(0, 0);
    }
    // The first was not for want of numbers.
    expect([model.flushAlls, model.exhaustions]).toEqual([5, 4]);
  });

  test('gives every vCPU of the pCPU a new tag after numbers ran out', () => {
    const model = new TagModel(create({ kind: 'kvm', asids: 4 }), 4);
    for (const vcpu of [0, 1, 2]) model.run(0, vcpu);
    model.flush(2);
    model.run(0, 2);
    expect(model.grant).toMatchObject({ asid: 1, tlbControl: TlbControl.FlushAll, fresh: true });
    expect(model.run(0, 0)).toBe(false);
    expect(model.grant).toMatchObject({
      asid: 2,
      tlbControl: TlbControl.DoNothing,
      fresh: true,
      exhausted: true,
    });
  });

  test('blames the flush, not the numbers, for a tag that was given up', () => {
    const model = new TagModel(create({ kind: 'kvm' }));
    model.run(0, 0);
    model.flush(0);
    model.run(0, 0);
    expect(model.grant).toEqual({ asid: 2, tlbControl: 0, fresh: true, exhausted: false });
  });
});

describe('xen-3', () => {
  test('flushes the hardware at each switch', () => {
    const model = new TagModel(create({ kind: 'xen-3' }));
    for (const vcpu of [0, 1, 0, 1]) {
      expect(model.run(0, vcpu)).toBe(false);
      expect(model.grant).toMatchObject({ asid: 1, tlbControl: TlbControl.FlushAll });
      expect(model.grant.exhausted).toBe(false);
    }
  });

  test('does not flush the hardware for a CR3 write of the guest', () => {
    const model = new TagModel(create({ kind: 'xen-3' }));
    model.run(0, 0);
    model.flush(0);
    model.run(0, 0);
    expect(model.grant).toMatchObject({ asid: 2, tlbControl: TlbControl.DoNothing, fresh: true });
  });
});

describe('xen-4.1', () => {
  test('voids all tags at each switch and leaves the hardware alone', () => {
    const model = new TagModel(create({ kind: 'xen-4.1' }));
    const asids = [0, 1, 0, 1].map((vcpu) => {
      expect(model.run(0, vcpu)).toBe(false);
      return model.grant.asid;
    });
    expect(asids).toEqual([1, 2, 3, 4]);
    expect(model.flushAlls).toBe(1);
  });

  test('flushes the hardware when numbers run out', () => {
    const model = new TagModel(create({ kind: 'xen-4.1' }));
    for (let turn = 0; turn < 63 * 5; turn++) model.run(0, turn % 2);
    expect([model.flushAlls, model.exhaustions]).toEqual([5, 4]);
  });
});

describe('flush-by-asid', () => {
  test('keeps the tag of a vCPU that is flushed and drops its entries only', () => {
    const model = new TagModel(create({ kind: 'flush-by-asid' }));
    model.run(0, 0);
    model.run(0, 1);
    model.flush(0);
    expect(model.run(0, 0)).toBe(false);
    expect(model.grant).toEqual({ asid: 1, tlbControl: 3, fresh: false, exhausted: false });
    expect(model.run(0, 1)).toBe(true);
  });

  test('uses no numbers up by flushing', () => {
    const model = new TagModel(create({ kind: 'flush-by-asid' }));
    for (let i = 0; i < 1000; i++) {
      model.flush(0);
      model.run(0, 0);
    }
    expect([model.flushAlls, model.exhaustions]).toEqual([1, 0]);
  });

  test('is refused on a processor without the feature', () => {
    expect(() => create({ kind: 'flush-by-asid' }, { flushByAsid: false })).toThrow(
      'cannot flush a single ASID',
    );
  });
});

describe('on a processor with erratum 170', () => {
  test.each(['xen-3', 'xen-4.1'])('%s flushes everything at every VMRUN', (kind) => {
    const model = new TagModel(create({ kind }, { erratum170: true }));
    for (let i = 0; i < 10; i++) expect(model.run(0, 0)).toBe(false);
    expect(model.flushAlls).toBe(10);
  });

  test('kvm uses tags all the same', () => {
    const model = new TagModel(create({ kind: 'kvm' }, { erratum170: true }));
    model.run(0, 0);
    expect(model.run(0, 0)).toBe(true);
  });
});
