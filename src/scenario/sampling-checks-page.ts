import type { CheckContext } from './check-context.ts';

/** In place of sampling-checks.ts for pages. */
export function checkSampling({ scenario, sound, fault }: CheckContext): void {
  if (scenario.sampling?.kind !== 'learned' || !sound(['sampling'])) return;
  fault(
    ['sampling', 'kind'],
    'a page simulates everything in detail, to be small',
    'run the scenario with Node',
  );
}
