import { spawn } from 'node:child_process';
import { basename, dirname, join, resolve } from 'node:path';
import { visible } from '../base/visible.ts';
import { checkOutput } from '../files/check-output.ts';
import { makeDirectory } from '../files/directories.ts';
import { faultIn } from '../files/faults.ts';
import { writeFileAtomic } from '../files/output.ts';
import { readResults } from '../files/results.ts';
import type { Page } from '../report/html/page.ts';
import { print } from './terminal.ts';

export interface ReportOptions {
  readonly out?: string;
  readonly format: 'html' | 'svg';
  readonly objective?: string;
  readonly open?: boolean;
  readonly quiet?: boolean;
}

/** `worldswitch report DIR` */
export async function report(directory: string, options: ReportOptions): Promise<void> {
  const files = readResults(directory);
  if (options.objective !== undefined && files.kind === 'run') {
    throw faultIn('--objective', 'an objective needs a sweep, and this is one run');
  }
  const out = resolve(
    options.out ?? (options.format === 'svg' ? directory : join(directory, 'report.html')),
  );
  if (options.format === 'svg') checkOutput(out);
  else checkOutput(dirname(out), '--out', { files: [basename(out)] });
  const { makeReport } = await import('../report/html/report.ts');
  const page = await makeReport(files, options.objective);
  const written =
    options.format === 'svg' ? await writeFigures(page, out) : [await writePage(page, out)];
  if (!options.quiet) print(`${written.map(visible).join('\n')}\n`);
  if (options.open) open(written[0]!);
}

/** `run --report`, `sweep --report`: the page beside the tables that were just written. */
export async function reportBeside(directory: string, objective?: string): Promise<void> {
  const { makeReport } = await import('../report/html/report.ts');
  const page = await makeReport(readResults(directory), objective);
  await writePage(page, join(directory, 'report.html'));
}

async function writePage(page: Page, path: string): Promise<string> {
  const { pageHtml } = await import('../report/html/page.ts');
  writeFileAtomic(path, pageHtml(page));
  return path;
}

async function writeFigures({ sections }: Page, directory: string): Promise<string[]> {
  const { standaloneSvg } = await import('../report/html/charts.ts');
  makeDirectory(directory);
  return sections
    .flatMap(({ figures = [] }) => figures)
    .map((figure) => {
      const path = join(directory, `${figure.id}.svg`);
      writeFileAtomic(path, standaloneSvg(figure));
      return path;
    });
}

/** With whatever the desktop opens it; where there is none, nothing happens. */
function open(path: string): void {
  const [command, ...args] = { darwin: ['open'], win32: ['cmd', '/c', 'start', ''] }[
    process.platform as string
  ] ?? ['xdg-open'];
  spawn(command!, [...args, path], { detached: true, stdio: 'ignore' })
    .on('error', () => {})
    .unref();
}
