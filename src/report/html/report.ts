import type { RunFiles, SweepFiles } from '../../files/results.ts';
import { Pencil } from './charts.ts';
import type { Page } from './page.ts';
import { runReport } from './run-report.ts';
import { sweepReport } from './sweep-report.ts';

/** The report of a run or a sweep. */
export async function makeReport(files: RunFiles | SweepFiles, objective?: string): Promise<Page> {
  const pencil = await Pencil.load();
  return files.kind === 'run' ? runReport(files, pencil) : sweepReport(files, pencil, objective);
}
