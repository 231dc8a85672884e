import type { CheckContext } from './check-context.ts';
import type { Path } from './located.ts';

/** What cannot be had where visits are skipped. */
export function checkSampling({ scenario, sound, fault }: CheckContext): void {
  const { checks, duration, events = [], output, sampling, vms } = scenario;
  if (sampling?.kind !== 'learned' || !sound(['sampling'])) return;
  const refuse = (path: Path, message: string, suggestion?: string) => {
    if (sound(path)) fault(path, `${message} where the run is sampled`, suggestion);
  };
  if (checks.translations) {
    refuse(['checks', 'translations'], 'translations cannot be checked', 'sample, or check');
  }
  if (output.evictions) {
    refuse(['output', 'evictions'], 'evictions cannot be counted', 'sample, or count them');
  }
  if (events.length > 0) {
    refuse(
      ['events'],
      'nothing can happen to hosts and VMs at given times',
      'what a migration copies, and what a loss takes, depends on every visit',
    );
  }
  for (const [i, { count, faultTolerance }] of vms.entries()) {
    if (count === 0 || faultTolerance === undefined) continue;
    refuse(
      ['vms', i, 'faultTolerance'],
      'a second copy cannot follow',
      'it executes what the first one does, visit by visit',
    );
  }
  const { detail, warm } = sampling;
  if (duration !== 'work' && warm + 4 * detail >= duration) {
    fault(
      ['sampling', 'detail'],
      `four windows of ${detail / 1e9}ms after ${warm / 1e9}ms do not fit into ${duration / 1e9}ms`,
      'write shorter ones, a longer duration, or sampling: { kind: off }',
    );
  }
}
