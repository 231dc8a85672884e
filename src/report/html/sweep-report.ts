import type { SweepFiles } from '../../files/results.ts';
import type { Pencil } from './charts.ts';
import { inputsSection } from './inputs.ts';
import type { Page } from './page.ts';

/** The report of a sweep. */
export async function sweepReport(
  files: SweepFiles,
  _pencil: Pencil,
  _objective?: string,
): Promise<Page> {
  return {
    title: `${files.manifest.scenario}: a sweep`,
    lead: [],
    sections: [inputsSection(files.manifest, undefined)],
  };
}
