import type { Processor } from '../machine/processor.ts';
import type { HypervisorCosts } from './costs.ts';

/** What a policy may look at to say whether it can work there. */
export interface PolicyHost {
  /** Name of the processor's preset, for messages. */
  readonly processorName: string;
  readonly processor: Processor;
  /** Name of the hypervisor's preset. */
  readonly profile: string;
  readonly costs: HypervisorCosts;
}

/** Something that a policy needs and its host has not. */
export interface Lack {
  /** The parameter that asks for it; undefined = the policy itself does. */
  readonly param?: string;
  readonly message: string;
  /** What to write instead. */
  readonly suggestion?: string;
}
