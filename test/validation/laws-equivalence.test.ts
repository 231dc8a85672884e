import { describe, expect, it } from 'vitest';
import { BUSY_WORKLOADS, modeName, PAGING_MODES } from '../support/scenarios.ts';
import { firstDifference, tell } from '../support/story.ts';

/**
 * Equivalence law (model §6): all paging modes translate every access of the same guest stream to the same
 * guest-physical page with the same permissions, or raise the same guest fault.
 */
describe.each(Object.entries(BUSY_WORKLOADS))('the guest of %s', (_name, workload) => {
  const native = tell(workload, { kind: 'native' });

  it('has something to tell', () => {
    expect(native.steps.length).toBeGreaterThan(100);
    expect(
      native.counters['guest_pte_writes']! + native.counters['guest_process_switches']!,
    ).toBeGreaterThan(15);
  });

  it.each(PAGING_MODES.slice(1).map((mode) => [modeName(mode), mode] as const))(
    'sees the same pages and faults under %s as on bare hardware',
    (_mode, mode) => {
      const story = tell(workload, mode);
      expect(firstDifference(story, native)).toBe(-1);
      expect(story.counters).toEqual(native.counters);
    },
  );
});
