import type { RunResult } from '../../../src/stats/result.ts';
import { metric } from '../../support/scenarios.ts';
import type { Arms } from './case.ts';
import { compared, type Mode, runProgram } from './cases/rvi.ts';
import { number, table } from './format.ts';
import {
  allWalks,
  cyclesPerInstruction,
  hypervisorCycles,
  leafCycles,
  walkCycles,
} from './ledger.ts';

/** A program under shadow and nested paging and without a hypervisor, on one machine. */
export interface Program {
  readonly title: string;
  /** Hypervisor and processor. */
  readonly where: string;
  /** The gain by nested paging that was published, with its source. */
  readonly published: string;
  readonly nested: Mode;
  run(arms: Arms, mode: Mode): Promise<RunResult>;
}

export const sixPrograms: readonly Program[] = compared.map(
  ({ program, setting, title, where, nested, published }) => ({
    ...{ title, where, nested, published },
    run: (arms, mode) => runProgram(arms, program, setting, mode),
  }),
);

export interface ProgramResult {
  readonly program: Program;
  readonly native: RunResult;
  readonly shadow: RunResult;
  readonly nested: RunResult;
}

export async function measurePrograms(
  arms: Arms,
  programs: readonly Program[] = sixPrograms,
): Promise<ProgramResult[]> {
  const results: ProgramResult[] = [];
  for (const program of programs) {
    const native = await program.run(arms, 'native');
    const shadow = await program.run(arms, 'shadow');
    results.push({ program, native, shadow, nested: await program.run(arms, program.nested) });
  }
  return results;
}

/** Parts of a bill that differ between paging modes; each takes the ledger of the first VM. */
const PARTS: readonly (readonly [name: string, cycles: (result: RunResult) => number])[] = [
  ['hypervisor', hypervisorCycles],
  ['walks', walkCycles],
  ['L2 TLB', (result) => leafCycles(result, 'tlb.')],
  ['waiting for lines', (result) => leafCycles(result, 'data.')],
  ['guest kernel', (result) => leafCycles(result, 'guest.kernel')],
];

/** Counts that explain them. */
const COUNTS: readonly (readonly [name: string, count: (result: RunResult) => number])[] = [
  ['exits', (result) => metric(result, 'exits')],
  ['walks', allWalks],
  [
    'kernel instructions',
    (result) => metric(result, 'instructions') - metric(result, 'user_instructions'),
  ],
];

/** For 1000 instructions of the program. */
const perThousand = (result: RunResult, value: number) =>
  (1000 * value) / metric(result, 'user_instructions');

/** The section of the document. */
export function programsText(results: readonly ProgramResult[]): string {
  const gains = results.map(({ program, native, shadow, nested }) => {
    const [n, s, r] = [native, shadow, nested].map((result) => cyclesPerInstruction(result));
    return [
      program.title,
      `${program.where}, ${program.nested}`,
      program.published,
      ...[s! / r!, s! / n!, r! / n!].map((ratio) => number(ratio)),
    ];
  });
  const bills = results.flatMap(({ program, native, shadow, nested }) =>
    (
      [
        ['native', native],
        ['shadow', shadow],
        [program.nested, nested],
      ] as const
    ).map(([mode, result], i) => [
      i === 0 ? program.title : '',
      mode,
      number(1000 * cyclesPerInstruction(result)),
      ...PARTS.map(([, cycles]) => number(perThousand(result, cycles(result)))),
      ...COUNTS.map(([, count]) => number(perThousand(result, count(result)))),
    ]),
  );
  return [
    '## RVI against shadow paging, by program',
    'Each program in one VM with one vCPU, on the machine for which something was published. The gain is the time under shadow paging over that under nested paging, per instruction of the program; both are also compared with no hypervisor.',
    table(['Program', 'On', 'Published gain', 'Gain', 'Shadow / native', 'Nested / native'], gains),
    'Where it comes from: cycles, and what they were spent for, in 1000 instructions of the program.',
    table(
      [
        ...['Program', 'Paging', 'Cycles', ...PARTS.map(([name]) => name)],
        ...COUNTS.map(([name]) => `${name}, number`),
      ],
      bills,
    ),
    results.map(explained).join('\n'),
  ].join('\n\n');
}

/** One line: what shadow paging costs more and less than nested paging. */
function explained({ program, shadow, nested }: ProgramResult): string {
  const total = 1000 * (cyclesPerInstruction(shadow) - cyclesPerInstruction(nested));
  const parts = PARTS.map(([name, cycles]) => ({
    name,
    by: perThousand(shadow, cycles(shadow)) - perThousand(nested, cycles(nested)),
  }))
    .toSorted((a, b) => Math.abs(b.by) - Math.abs(a.by))
    .map(({ name, by }) => `${name} ${signed(by)}`);
  return `- *${program.title}*: shadow less nested paging, cycles per 1000 instructions, ${signed(total)}: ${parts.join(', ')}.`;
}

const signed = (value: number): string => `${value < 0 ? '−' : '+'}${number(Math.abs(value))}`;
