import { rounded } from '../base/rounded.ts';
import { type Bill, mechanismOf } from './bill.ts';
import type { ComparedLine } from './compare.ts';

/** The sentences that comparisons and bills begin with. */

/** Smaller shares of a difference are not worth a word. */
const NAMED = 0.05;

/**
 * `B takes 12.3 % fewer cycles than A for the same work: pte-write exits make 86 % of the
 * difference.`, or which loss eats a part of which gain. Numbers in brackets are cycles per 1000
 * user instructions.
 */
export function verdict(total: ComparedLine, lines: readonly ComparedLine[]): string {
  if (Math.abs(total.share) < 0.0005) {
    const to = total.difference === 0 ? '' : ', to 0.1 %';
    return `both take the same cycles for the same work${to}.`;
  }
  const fewer = total.difference < 0;
  const size = Math.abs(total.share * 100).toFixed(1);
  const said = `B takes ${size} % ${fewer ? 'fewer' : 'more'} cycles than A for the same work`;
  const sums = new Map<string, number>();
  for (const { leaf, detail, difference } of lines) {
    const mechanism = mechanismOf(`${leaf} ${detail}`.trim());
    sums.set(mechanism, (sums.get(mechanism) ?? 0) + difference);
  }
  const parts = [...sums]
    .map(([mechanism, difference]) => ({ mechanism, part: difference / total.difference }))
    .toSorted((a, b) => b.part - a.part);
  const [first, against] = [parts[0], parts.at(-1)];
  if (first && against && first.part > 1 && against.part < 0) {
    const [gain, eaten] = fewer ? ['gain', 'eaten'] : ['loss', 'made up'];
    const amount = ({ part }: { readonly part: number }) => signed(part * total.difference);
    return (
      `${said}: the ${gain} in ` +
      `${nameOf(first.mechanism, `${amount(first)} cycles per 1000 instructions`)} is partly ` +
      `${eaten} by ${nameOf(against.mechanism, amount(against))}.`
    );
  }
  const named = parts.filter(({ part }) => part >= NAMED).slice(0, 2);
  if (named.length === 0) return `${said}.`;
  const [one, other] = named.map(({ mechanism, part }) => [
    nameOf(mechanism),
    `${Math.round(part * 100)} %`,
  ]);
  const second = other ? `, ${other[0]} ${other[1]}` : '';
  return (
    `${said}: ${one![0]} ${isPlural(named[0]!.mechanism) ? 'make' : 'makes'} ${one![1]} of the ` +
    `difference${second}.`
  );
}

/** `web-0 takes 1.234 times the cycles of the same work alone and native: …` */
export function billVerdict({ vm, total, native, lines }: Bill): string {
  const times = (total / native).toFixed(3);
  const said = `${vm} takes ${times} times the cycles of the same work alone and native`;
  const [most] = lines.toSorted((a, b) => b.cycles - b.native - (a.cycles - a.native));
  const added = most ? most.cycles - most.native : 0;
  if (!most || added < NAMED * Math.abs(total - native)) return `${said}.`;
  const adds = isPlural(most.mechanism) ? 'add' : 'adds';
  return (
    `${said}: ${nameOf(most.mechanism)} ${adds} most, ${((added / native) * 100).toFixed(1)} % ` +
    'of the native cycles.'
  );
}

const isPlural = (mechanism: string) => !/^(?:wait|tlb|host)/.test(mechanism);

/** A mechanism in words; in brackets what the ledger calls it, where the words do not say so. */
export function nameOf(mechanism: string, amount?: string): string {
  const [words, inLedger] = wordsOf(mechanism);
  const more = [inLedger, amount].filter((one) => one !== undefined);
  return more.length > 0 ? `${words} (${more.join(', ')})` : words;
}

function wordsOf(mechanism: string): [words: string, inLedger?: string] {
  const [leaf, detail = ''] = mechanism.split(' ');
  switch (leaf) {
    case 'exit':
      return [`${detail} exits`.trim()];
    case 'wait':
      return [detail === 'ready' ? 'waiting for a pCPU' : `waiting, ${detail}`];
    case 'walk.nested':
      return ['nested page walks', mechanism];
    case 'walk.guest':
      return ['page walks', mechanism];
    case 'data.stall':
      return ['waits for data lines', mechanism];
    case 'guest.user':
      return ['its own instructions', mechanism];
    case 'guest.kernel':
      return ['instructions of its kernel', mechanism];
    case 'tlb.l2hit':
      return ['time in L2 TLB hits', mechanism];
    case 'switch':
      return ['vCPU switches'];
    case 'shootdown':
      return ['invalidations of other cores', mechanism];
    case 'ft':
      return ['fault tolerance'];
    default:
      return ['work of the host', mechanism];
  }
}

/** `+1,235`, `-28.1`: at most one digit after the point. */
export function signed(value: number): string {
  const digits = Math.abs(value) < 100 ? 1 : 0;
  const text = rounded(Math.abs(value), digits);
  return /[1-9]/.test(text) ? `${value < 0 ? '-' : '+'}${text}` : text;
}
