import { showBytes } from '../base/units.ts';
import { referenceOf } from '../scenario/hosts.ts';
import type { Scenario } from '../scenario/resolve.ts';
import type { RunResult } from '../stats/result.ts';
import { type Move, movesOf, outcomeWords } from './moves.ts';
import { eventWords, isProtected, type PairEvent, type PairFacts, pairFacts } from './pairs.ts';
import { counted, plain } from './quantities.ts';
import type { Section } from './summary-vms.ts';
import { percent, wrapped } from './table.ts';

/** What a summary says of protected pairs and of live migrations: a sentence for each. */

const WIDTH = 96;

export function pairLines(scenario: Scenario, result: RunResult): Section | undefined {
  const rows = result.faultTolerance;
  if (!rows || rows.length === 0) return undefined;
  const { mhz } = result;
  const reference = referenceOf(scenario);
  const happenings = scenario.events.map(({ at, choice }) => ({
    at: reference.passed(at),
    choice,
  }));
  const end =
    scenario.duration === 'work' ? rows.at(-1)!.cycle : reference.passed(scenario.duration);
  const gaps = new Map(result.vms.map(({ vm, metrics }) => [vm, metrics.answer_gap_max_ns]));
  const sentences = pairFacts(rows, eventsOf(happenings), end).map((pair) => {
    const said = pairSentence(pair, linkOf(scenario, pair.pair), mhz, gaps.get(pair.pair));
    const loss = unnoticed(pair, scenario, happenings);
    return loss
      ? `${said} At ${time(loss.at, mhz)} ${loss.host} lost power, which the other host had ` +
          'not noticed by the end.'
      : said;
  });
  return { title: 'Fault tolerance', head: [], rows: hanging(sentences) };
}

export function moveLines({ migrations, mhz }: RunResult): Section | undefined {
  if (!migrations || migrations.length === 0) return undefined;
  const sentences = movesOf(migrations).map((move) => moveSentence(move, mhz));
  return { title: 'Live migration', head: [], rows: hanging(sentences) };
}

/** Further lines of a sentence are set in. */
const hanging = (sentences: readonly string[]) =>
  sentences.map((sentence) => wrapped(sentence, WIDTH - 2).join('\n  '));

/** What the scenario lets happen to hosts and links. */
function eventsOf(events: Scenario['events']): PairEvent[] {
  return events
    .flatMap(({ at, choice }) => {
      const what = eventWords(choice);
      return what === undefined ? [] : [{ at, what }];
    })
    .toSorted((a, b) => a.at - b.at);
}

/** The last loss of a host of a pair, where nothing has come of it: the run was too short. */
function unnoticed({ pair, stretches }: PairFacts, scenario: Scenario, events: Scenario['events']) {
  const { faultTolerance, host } = groupOf(scenario, pair) ?? {};
  const losses = events.flatMap(({ at, choice }) => {
    const { host: lost, kind } = choice as { kind: string; host?: string };
    const ours = lost !== undefined && (lost === host || lost === faultTolerance?.secondary);
    return kind === 'fail' && ours ? [{ at, host: lost }] : [];
  });
  const last = losses.at(-1);
  const { from, state } = stretches.at(-1) ?? { from: 0, state: 'off' };
  return last && isProtected(state) && from <= last.at ? last : undefined;
}

/** The group of a pair, by the name of its VM. */
const groupOf = ({ vms }: Scenario, pair: string) =>
  vms.find(({ name }) => pair.slice(0, pair.lastIndexOf('-')) === name);

/** The link of a pair. */
function linkOf(scenario: Scenario, pair: string) {
  const link = groupOf(scenario, pair)?.faultTolerance?.link;
  return scenario.links.find(({ name }) => name === link);
}

const time = (cycles: number, mhz: number) => `${plain(cycles / mhz / 1000)} ms`;

/** `shop-0 was protected 53 % of the run. Its secondary was 2.3 ms behind (most: 5.2 ms), …` */
export function pairSentence(
  facts: PairFacts,
  link: { readonly name: string; readonly bandwidth: number } | undefined,
  mhz: number,
  gapNs: number | undefined,
): string {
  const { covered, logBytes, looks, maxLag, meanHold, meanLag, pair, released } = facts;
  const whole = looks.reduce((sum, { from, to }) => sum + to - from, 0);
  const said = [
    covered >= 0.9995 * whole
      ? `${pair} was protected from beginning to end`
      : `${pair} was protected ${percent(covered / (whole || 1))} % of the run`,
  ];
  if (covered > 0) {
    const rate = (8 * logBytes * mhz) / covered;
    const ofLink = link
      ? `, ${percent((rate * 1e6) / link.bandwidth)} % of the link ${link.name}`
      : '';
    said.push(
      `its secondary was ${time(meanLag, mhz)} behind (${time(maxLag, mhz)} at most)`,
      `the log took ${plain(rate)} Mbit/s${ofLink}`,
    );
  }
  if (released > 0) said.push(`its outputs waited ${time(meanHold, mhz)} each`);
  const { checkpoints } = facts;
  if (checkpoints) {
    const { all, meanPages, meanPause } = checkpoints;
    said.push(
      `${counted(all.length, 'checkpoints')} of ${plain(meanPages)} pages, with ` +
        `${time(meanPause, mhz)} of standstill each`,
    );
  }
  if (facts.throttled >= 0.0005) {
    said.push(`control of the lag took ${percent(facts.throttled)} % of its pCPU`);
  }
  return [
    `${said.join('; ')}.`,
    ...facts.takeovers.map((takeover) => ` ${takeoverSentence(takeover, mhz)}`),
    ...(facts.inState.has('lost') ? [' In the end nobody was left.'] : []),
    ...(gapNs !== undefined && facts.takeovers.length > 0
      ? [` Its clients waited up to ${plain(gapNs / 1e6)} ms for the next answer.`]
      : []),
  ].join('');
}

export function takeoverSentence(
  { loss, goLive, live }: PairFacts['takeovers'][number],
  mhz: number,
): string {
  const at = (cycles: number) => time(cycles, mhz);
  const first = loss
    ? `At ${at(loss.at)} ${loss.what}; ${at(goLive - loss.at)} later the secondary took over`
    : `At ${at(goLive)} the secondary took over`;
  return live === undefined
    ? `${first}, and had not gone live at the end.`
    : `${first}, and ${at(live - goLive)} after that it was live.`;
}

export function moveSentence({ whole, rounds }: Move, mhz: number): string {
  const { bytes, cycles, downtimeCycles, from, policy, to, vm, why } = whole;
  const faults =
    whole.remoteFaults > 0
      ? `, ${counted(whole.remoteFaults, 'pages')} on demand ` +
        `(${time(whole.remoteWaitCycles, mhz)} of waiting)`
      : '';
  const still = downtimeCycles > 0 ? `, stood still for ${time(downtimeCycles, mhz)}` : '';
  const stun = whole.stunned > 0 ? `, held up to ${percent(whole.stunned)} % of the time` : '';
  const reason = why ? ` (${why})` : '';
  return [
    `${vm} from ${from} to ${to} by ${policy}: ${outcomeWords(whole)}${reason}. `,
    `${time(cycles, mhz)} in ${counted(rounds.length, 'rounds')}, ${showBytes(bytes)} ` +
      `sent${still}${stun}${faults}.`,
  ].join('');
}
