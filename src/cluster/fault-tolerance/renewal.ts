import type { Choice } from '../../base/registry.ts';
import { protections } from './index.ts';
import type { ProtectionChoice } from './protection.ts';

/**
 * Whether a VM that has lost its secondary gets a new one by itself. As the product did it, unless
 * the scenario says otherwise, or says with an event when (`asked`).
 */
export function renewsItself(choice: ProtectionChoice, workload: Choice, asked: boolean): boolean {
  const { renewable } = protections.of(choice.kind);
  if (!renewable || !isCopyable(workload)) return false;
  return (choice['renew'] as boolean | undefined) ?? !asked;
}

/** A guest that replays a trace cannot be copied while it runs: the trace is read only once. */
export const isCopyable = ({ kind }: Choice): boolean => kind !== 'trace';
