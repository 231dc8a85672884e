import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { makeDirectory } from '../files/directories.ts';
import { faultIn, faultOf, reasonOf } from '../files/faults.ts';
import { writeFileAtomic, writePiecesAtomic } from '../files/output.ts';
import { type Recipe, readRecord, recipe as recipeSchema } from '../files/records.ts';
import { openTree, settingsOf } from '../files/scenario-file.ts';
import { ScenarioTree } from '../scenario/load.ts';
import { type AnySetting, asSets } from '../scenario/settings.ts';
import { type Axis, valueText } from './axes.ts';
import { Campaign, codeVersion } from './campaign.ts';
import type { Failure, Outcome } from './execute.ts';
import { makePlan } from './plan.ts';
import { dictionaryCsv, differencesCsv, pointsCsv, summaryCsv } from './tables.ts';

/** The directory of a campaign: what it is asked to do, its units, its tables. */

const RECIPE = 'campaign.json';
const TABLES = ['points.csv', 'summary.csv', 'differences.csv', 'dictionary.csv'] as const;
/** What a campaign writes to its directory. */
export const CAMPAIGN_FILES = {
  files: [RECIPE, ...TABLES, 'manifest.json'],
  folders: ['units'],
} as const;

export interface OpenCampaignOptions {
  readonly set: readonly AnySetting[];
  readonly seed?: string | undefined;
}

export interface OpenCampaign {
  readonly campaign: Campaign;
  readonly recipe: Recipe;
}

/**
 * Reads a scenario with a sweep. Throws ConfigError with the problems of all its points. `out`:
 * from the name.
 */
export async function openCampaign(
  file: string,
  options: OpenCampaignOptions,
  out: (name: string) => string,
): Promise<OpenCampaign & { readonly directory: string }> {
  const { tree, texts } = openTree(file, options);
  const plan = makePlan(tree);
  const directory = out(plan.base.name);
  const recipe = {
    version: codeVersion(),
    file,
    texts: Object.fromEntries(texts),
    set: asSets(settingsOf(options)),
    cwd: process.cwd(),
  };
  return { campaign: await Campaign.open(plan, directory), recipe, directory };
}

/** Writes the recipe. Tables that are there are of another state of the campaign: they go. */
export function beginCampaign(directory: string, recipe: Recipe): void {
  try {
    makeDirectory(directory);
    for (const table of TABLES) rmSync(join(directory, table), { force: true });
  } catch (error) {
    throw new Error(`cannot write to ${directory}: ${reasonOf(error)}`, { cause: error });
  }
  writeFileAtomic(join(directory, RECIPE), `${JSON.stringify(recipe, null, 2)}\n`);
}

/** Opens a planned campaign. Throws ConfigError when there is none, or one of another version. */
export async function reopenCampaign(directory: string): Promise<OpenCampaign> {
  const path = join(directory, RECIPE);
  if (!existsSync(path)) {
    const hint = '`worldswitch sweep plan FILE --out DIR` makes one';
    throw faultIn(directory, `there is no campaign in ${directory}: no ${RECIPE}`, hint);
  }
  const recipe = readRecord(path, recipeSchema, 'a recipe of a campaign');
  if (recipe.version !== codeVersion()) {
    throw faultOf(
      path,
      `planned by version ${recipe.version}, this is ${codeVersion()}`,
      'plan it again; a campaign is run by one version',
    );
  }
  try {
    process.chdir(recipe.cwd);
  } catch (error) {
    throw faultIn(path, `planned in ${recipe.cwd}, and that is not here: ${reasonOf(error)}`);
  }
  const tree = new ScenarioTree(recipe.texts[recipe.file]!, {
    file: recipe.file,
    set: recipe.set,
    readFile: (name) => {
      if (Object.hasOwn(recipe.texts, name)) return recipe.texts[name]!;
      throw faultOf(path, `it is damaged: the text of ${name} is missing`);
    },
  });
  return { campaign: await Campaign.open(makePlan(tree), directory), recipe };
}

export interface Merge {
  readonly seconds: number;
  readonly jobs: number;
  readonly outcome: Outcome;
}

/** Writes the tables from what is stored, then the manifest. What `pause` throws ends it. */
export async function mergeCampaign(
  directory: string,
  { campaign, recipe }: OpenCampaign,
  pause: () => Promise<void>,
  run?: Merge,
): Promise<void> {
  const { plan } = campaign;
  const write = (name: string, pieces: Iterable<string>) =>
    writePiecesAtomic(join(directory, name), pieces, pause);
  await write('points.csv', pointsCsv(plan, campaign));
  await write('summary.csv', summaryCsv(plan, campaign));
  if (plan.baseline) await write('differences.csv', differencesCsv(plan, campaign));
  await write('dictionary.csv', dictionaryCsv(plan));
  const manifest = {
    tool: 'worldswitch',
    version: recipe.version,
    scenario: plan.base.name,
    seed: plan.base.seed,
    file: recipe.file,
    set: recipe.set,
    points: plan.points,
    replications: plan.replications,
    precision: plan.precision,
    axes: plan.space.axes.map(axisOf),
    baseline:
      plan.baseline &&
      Object.fromEntries(
        [...plan.baseline].map(([axis, label]) => [plan.space.axes[axis]!.path, label]),
      ),
    lastRun: run && {
      finishedAt: new Date().toISOString(),
      wallSeconds: Number(run.seconds.toFixed(3)),
      jobs: run.jobs,
      ran: run.outcome.ran,
      reused: run.outcome.reused,
      failed: run.outcome.failures.map((failure) => nameOf(campaign, failure)),
    },
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
  };
  writeFileAtomic(join(directory, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`);
}

function axisOf({ path, column, values }: Axis) {
  const labels = values.map(({ label }) => label);
  const written = values.map(({ placed }) => valueText(placed.value));
  const same = labels.every((label, i) => label === written[i]);
  return { path, column, values: labels, ...(same ? {} : { written }) };
}

const nameOf = (campaign: Campaign, { point, replication }: Failure) =>
  campaign.unit(point, replication);
