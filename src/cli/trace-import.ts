import { CONTENT_BYTES, foreignContent, shownBytes, textStart } from '../base/content.ts';
import { faultIn } from '../files/faults.ts';
import { openTraceInput, openTraceOutput } from '../files/trace-streams.ts';
import { TraceError } from '../guest/workloads/trace-reader.ts';
import { didYouMean } from '../scenario/findings.ts';
import { RunAborted } from '../scenario/run.ts';
import { againstLayout, judgeLayout } from '../trace/formats/champsim-layout.ts';
import type { TraceFormat, TraceImporter } from '../trace/formats/format.ts';
import {
  GUESS_BYTES,
  GUESS_MOST,
  guessFormat,
  isBinary,
  traceFormats,
} from '../trace/formats/index.ts';
import { PageTraceWriter } from '../trace/page-trace-writer.ts';
import { TraceRecorder } from '../trace/recorder.ts';
import { onInterrupt } from './interrupt.ts';
import { ProgressBar } from './progress.ts';

export interface ImportOptions {
  readonly from?: string;
  readonly program?: string;
  readonly userOnly?: boolean;
  readonly out?: string;
  readonly skip: number;
  readonly references: number;
  readonly quiet?: boolean;
}

export async function importTrace(file: string, options: ImportOptions): Promise<void> {
  const asked = options.from === undefined ? undefined : formatCalled(options.from);
  let importer: TraceImporter | undefined;
  const input = await openTraceInput(file, () => importer?.line ?? 0);
  const interrupt = onInterrupt();
  // Whoever writes into a pipe may be slow.
  interrupt.signal.addEventListener('abort', () => input.close(), { once: true });
  const bar = new ProgressBar(input.name, { quiet: options.quiet ?? false });
  const output = openTraceOutput(options.out);
  try {
    let head: Uint8Array = new Uint8Array(0);
    let recorder: TraceRecorder | undefined;
    const begin = (format: TraceFormat): void => {
      const writer = new PageTraceWriter(output.write, provenance(input.name, format, options));
      const { skip, references: count, userOnly = false, program } = options;
      recorder = new TraceRecorder(writer, { skip, count, userOnly });
      importer = format.create(input.name, recorder, { program });
      if (program !== undefined && !importer.programs) {
        throw faultIn('--program', `traces of ${format.name} do not tell programs apart`);
      }
      importer.push(head);
      head = new Uint8Array(0);
    };
    for await (const chunk of input.chunks) {
      if (importer) importer.push(chunk);
      else {
        head = Buffer.concat([head, chunk]);
        const format = formatOf(input.name, head, false, asked);
        if (format) begin(format);
      }
      if (recorder?.full) break;
      if (interrupt.signal.aborted) throw new RunAborted();
      await output.drained();
      const million = ((importer?.line ?? 0) / 1e6).toFixed(1);
      bar.update(input.size ? input.read() / input.size : 0, `${million} million lines`);
    }
    if (!importer) begin(formatOf(input.name, head, true, asked)!);
    if (recorder!.full) importer!.programs?.check();
    else importer!.finish();
    const { position, leftOut } = recorder!;
    bar.stop();
    const notes = [...importer!.notes];
    if (options.userOnly) {
      const what = leftOut === 1 ? 'access' : 'accesses';
      notes.push(`${leftOut} ${what} to kernel addresses left out (--user-only)`);
    }
    for (const note of notes) process.stderr.write(`${input.name}: ${note}\n`);
    if (position <= options.skip) {
      if (options.skip > 0) {
        throw faultIn('--skip', `${input.name} has only ${position} references`);
      }
      throw faultIn(input.name, 'no accesses are left to keep');
    }
    recorder!.finish();
    await output.finish();
  } catch (error) {
    await output.discard();
    throw interrupt.signal.aborted ? new RunAborted() : error;
  } finally {
    bar.stop();
    interrupt.dispose();
    input.close();
  }
}

function provenance(source: string, { name }: TraceFormat, options: ImportOptions) {
  const { skip, references, program, userOnly } = options;
  const more = [
    ...(program === undefined ? [] : [`--program ${program}`]),
    ...(userOnly ? ['--user-only'] : []),
  ];
  return {
    source,
    producer: ['worldswitch trace import --from', name, ...more].join(' '),
    ...(skip > 0 || references < Infinity ? { window: `skip ${skip} count ${references}` } : {}),
  };
}

function formatCalled(name: string): TraceFormat {
  const format = traceFormats.find((candidate) => candidate.name === name);
  if (format) return format;
  const names = traceFormats.map((candidate) => candidate.name);
  const guess = didYouMean(name, names);
  throw faultIn(
    '--from',
    `"${name}" is not a trace format`,
    `${guess ? `${guess}; ` : ''}allowed: ${names.join(', ')}`,
  );
}

/**
 * The format of what begins with `head`: the one that was asked for, or a guess. Undefined when
 * more has to be seen, never when `whole`. Throws TraceError for what is no trace that can be read.
 */
function formatOf(
  name: string,
  head: Uint8Array,
  whole: boolean,
  asked: TraceFormat | undefined,
): TraceFormat | undefined {
  if (!whole && head.length < CONTENT_BYTES) return undefined;
  const foreign = foreignContent(head);
  if (foreign) throw new TraceError(name, 1, foreign);
  const enough = whole || head.length >= GUESS_MOST;
  if (isBinary(head)) {
    if (!enough) return undefined;
    const against = asked && againstLayout(asked.name, head);
    if (against) throw new TraceError(name, 1, `not records of ${asked.name}: ${against}`);
  }
  if (asked) return asked;
  if (!enough && head.length < GUESS_BYTES) return undefined;
  const format = guessFormat(head, whole);
  if (format || !enough) return format;
  throw new TraceError(name, 1, unknown(head, whole));
}

/** Why the format of a file cannot be told. */
function unknown(head: Uint8Array, whole: boolean): string {
  const start = textStart(head);
  if (/^\s*# page trace /.test(String.fromCharCode(...head.subarray(start, start + 100)))) {
    return 'it is a page trace already: `worldswitch trace info` reads it';
  }
  if (head.length === start) return 'not a trace: it is empty';
  const names = traceFormats.map((candidate) => candidate.name).join(', ');
  const binary = isBinary(head) ? `, and as ChampSim: ${judgeLayout(head, whole).why}` : '';
  const shown = shownBytes(head, start, head.length);
  return `cannot tell the format: it begins with ${shown}${binary}; give --from ${names}`;
}
