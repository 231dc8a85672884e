import type { HypervisorCosts } from './costs.ts';
import type { Footprint } from './footprint.ts';
import { type HostImage, LARGE, SMALL, TEXT } from './host-image.ts';

/** Whose code a step of a handler is. */
const OWNER = {
  exitPath: 'hypervisor',
  decode: 'hypervisor',
  emulateWrite: 'hypervisor',
  faultPath: 'hypervisor',
  shadowPageAlloc: 'hypervisor',
  shadowLookup: 'hypervisor',
  shadowFill: 'hypervisor',
  syncEntry: 'hypervisor',
  zapEntry: 'hypervisor',
  rmapEntry: 'hypervisor',
  injectEvent: 'hypervisor',
  nestedFill: 'hypervisor',
  apicAccess: 'hypervisor',
  hostFault: 'kernel',
  timer: 'kernel',
  halt: 'kernel',
  wake: 'kernel',
  deviceKernel: 'kernel',
  hostInterrupt: 'kernel',
  vcpuSwitch: 'kernel',
  deviceUser: 'user',
} as const satisfies Partial<Record<keyof HypervisorCosts, keyof typeof TEXT>>;

/** A step of a handler, by the name of its price. */
export type Step = keyof typeof OWNER;

/** All steps, in an order of their own. */
export const stepNames = Object.keys(OWNER) as readonly Step[];

/** Lines in a row of a function before the path goes on somewhere else: 512 bytes. */
const RUN = 8;
/** Runs that nearly every step makes do with. */
const MOST_RUNS = 64;

/** The code of one step: runs of lines. */
export interface StepText {
  /** Page and size as the host maps it. */
  readonly pages: Int32Array;
  readonly size: number;
  readonly frames: Int32Array;
  readonly lines: Int32Array;
  /** Lines of each run. */
  readonly lengths: Int32Array;
}

/**
 * The code of all steps. Functions of 512 bytes lie scattered over the text that they belong to,
 * each at a place of its own as long as there are enough.
 */
export function layText(
  image: HostImage,
  costs: HypervisorCosts,
  footprint: Footprint,
): Readonly<Record<Step, StepText>> {
  const framesOf = (owner: keyof typeof TEXT): number[] =>
    Array.from({ length: Math.ceil(footprint[owner].size / 4096) }, () => image.take(0));
  const frames = {
    hypervisor: framesOf('hypervisor'),
    kernel: framesOf('kernel'),
    user: framesOf('user'),
  };
  const layStep = (step: Step, number: number): StepText => {
    const owner = OWNER[step];
    const { size: bytes, page } = footprint[owner];
    const size = page > 4096 ? LARGE : SMALL;
    const lines = Math.ceil(costs[step] / footprint.instructionsPerLine);
    const runs = Math.ceil(lines / RUN);
    const places = Math.floor(bytes / (64 * RUN));
    const stride = strideFor(places);
    const text: StepText = {
      pages: new Int32Array(runs),
      size,
      frames: new Int32Array(runs),
      lines: new Int32Array(runs),
      lengths: new Int32Array(runs),
    };
    for (let run = 0; run < runs; run++) {
      // Where a step lies does not depend on how long the others are.
      const place = ((number * MOST_RUNS + run) * stride) % places;
      const at = Math.floor(place / 8);
      image.map(TEXT[owner] + at, size);
      text.pages[run] = TEXT[owner] + at;
      text.frames[run] = frames[owner][at]!;
      text.lines[run] = (place % 8) * RUN;
      text.lengths[run] = Math.min(RUN, lines - run * RUN);
    }
    return text;
  };
  const steps = Object.keys(OWNER) as Step[];
  return Object.fromEntries(steps.map((step, i) => [step, layStep(step, i)])) as Record<
    Step,
    StepText
  >;
}

/** A step through all places that visits each once and leaves neighbours far apart. */
function strideFor(places: number): number {
  let stride = Math.max(1, Math.floor(places * 0.618));
  const common = (a: number, b: number): number => (b === 0 ? a : common(b, a % b));
  while (common(stride, places) !== 1) stride++;
  return stride;
}

/** Bytes of code that a profile has. */
export const textBytes = ({ hypervisor, kernel, user }: Footprint): number =>
  hypervisor.size + kernel.size + user.size;
