import { presetNumbers } from '../../../src/cli/preset-numbers.ts';
import { presets } from '../../../src/scenario/presets.ts';
import type { Overrides } from '../../support/scenarios.ts';
import type { Arms } from './case.ts';
import { populateRatio } from './cases/kernel-work.ts';
import { largePageGain } from './cases/large-footprints.ts';
import { forkGain } from './cases/opterons.ts';
import { haswellAssumed } from './machines.ts';
import { armsOf } from './measure.ts';

/** How far one number of a case moves when an assumed price of its presets is halved or raised by half. */
export interface Sensitivity {
  readonly price: string;
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

export interface Subject {
  readonly id: string;
  readonly title: string;
  readonly profile: string;
  readonly processor: string;
  /** Assumed numbers that the case itself puts over those of the processor, by path. */
  readonly own?: Readonly<Record<string, number>>;
  readonly measure: (arms: Arms) => Promise<number>;
}

export const subjects: readonly Subject[] = [
  {
    id: 'V15',
    title: 'populate loop, shadow / nested time',
    profile: 'kvm-2.6.33',
    processor: 'opteron-6276',
    measure: populateRatio,
  },
  {
    id: 'V20',
    title: 'fork loop under ESX 3.5, shadow / nested time',
    profile: 'esx-3.5',
    processor: 'opteron-8384',
    measure: forkGain,
  },
  {
    id: 'V7',
    title: 'cg.D, nested, time with 4 KiB / 2 MiB pages',
    profile: 'kvm-2.6.33',
    processor: 'opteron-8384',
    own: haswellAssumed,
    measure: largePageGain,
  },
];

export interface SubjectResult {
  readonly subject: Subject;
  readonly base: number;
  /** How many prices were varied. */
  readonly varied: number;
  /** Those that move the result by more than a thousandth, greatest swing first. */
  readonly prices: readonly Sensitivity[];
}

/** Where the assumed numbers of a preset go in a scenario. */
function assumed(subject: Subject): { path: string[]; value: number; own?: boolean }[] {
  const under = ['host', 'cpu'];
  const of = (text: string, under: readonly string[]) =>
    presetNumbers(text)
      .filter(({ status, value }) => status === 'assumed' && /^[1-9]\d*$/.test(value))
      .filter(({ key }) => !(key in (subject.own ?? {})))
      .map(({ key, value }) => ({ path: [...under, ...key.split('.')], value: Number(value) }));
  return [
    ...of(presets.hypervisors[subject.profile]!, ['hypervisor']),
    ...of(presets.processors[subject.processor]!, under),
    ...Object.entries(subject.own ?? {}).map(([key, value]) => ({
      path: [...under, ...key.split('.')],
      value,
      own: true,
    })),
  ].filter(({ path }) => path.includes('costs') || path[0] === 'host');
}

const isMap = (value: unknown): value is Overrides => typeof value === 'object' && value !== null;

/** `scenario` with `value` at `path`, unless it says itself what is there and is not to be overruled (`own`). */
function withPrice(
  scenario: Overrides,
  path: readonly string[],
  value: number,
  own: boolean,
): Overrides {
  const [key, ...rest] = path;
  const inner = scenario[key!];
  if (rest.length === 0) {
    return own || inner === undefined ? { ...scenario, [key!]: value } : scenario;
  }
  return { ...scenario, [key!]: withPrice(isMap(inner) ? inner : {}, rest, value, own) };
}

/** `only` limits how many prices are varied. */
export async function measureSensitivity(
  subject: Subject,
  only = Infinity,
): Promise<SubjectResult> {
  const measure = (change: (scenario: Overrides) => Overrides) =>
    subject.measure(armsOf(1, change).arms);
  const base = await measure((scenario) => scenario);
  const prices: Sensitivity[] = [];
  for (const { path, value, own = false } of assumed(subject).slice(0, only)) {
    const at = (factor: number) =>
      measure((scenario) => withPrice(scenario, path, Math.round(value * factor), own));
    const price = path.slice(path[0] === 'host' ? 2 : 1).join('.');
    prices.push({ price, value, low: await at(0.5), high: await at(1.5) });
  }
  const swing = ({ low, high }: Sensitivity) =>
    Math.max(low, high, base) - Math.min(low, high, base);
  const varied = prices.length;
  const moving = prices.filter((price) => swing(price) > 0.001 * base);
  return { subject, base, varied, prices: moving.sort((a, b) => swing(b) - swing(a)) };
}
