import * as z from 'zod';
import { faultIn, faultOf, reasonOf } from './faults.ts';
import { readRegularText } from './read-file.ts';

/**
 * The JSON files that worldswitch keeps in result directories, read in one place: whatever else
 * stands in one of them is told in one line.
 */

const texts = z.record(z.string(), z.string());

/**
 * campaign.json: everything the plan of a sweep is made from, so that other processes make the
 * same.
 */
export const recipe = z
  .looseObject({
    version: z.string().min(1),
    /** The scenario, and what it extends, as they were read. */
    file: z.string().min(1),
    texts,
    set: z.array(z.string()),
    /** Where relative paths start. */
    cwd: z.string().min(1),
  })
  .refine(({ file, texts: all }) => Object.hasOwn(all, file), {
    path: ['texts'],
    error: 'the text of the scenario is missing',
  });
export type Recipe = z.output<typeof recipe>;

const axis = z.looseObject({
  path: z.string(),
  column: z.string(),
  values: z.array(z.string()).min(1),
});

/** manifest.json, as far as it is the same every time. */
const manifest = z.looseObject({
  tool: z.literal('worldswitch'),
  version: z.string().min(1),
  scenario: z.string().min(1),
  seed: z.string(),
});

export const runManifest = manifest.extend({
  /** Arguments of the command that made it. */
  command: z.array(z.string()).default([]),
  /** What the measured window was too short for. */
  notes: z.array(z.string()).default([]),
  sampling: z
    .object({
      windows: z.int().min(0),
      target: z.number(),
      detail: z.number(),
      groups: z.array(
        z.object({
          group: z.string(),
          halfWidth: z.number().optional(),
          instructions: z.number(),
        }),
      ),
    })
    .optional(),
});

export const sweepManifest = manifest.extend({
  /** The scenario file and what was set. */
  file: z.string(),
  set: z.array(z.string()),
  points: z.int().min(0),
  replications: z.int().min(1),
  precision: z.number().positive().optional(),
  axes: z.array(axis),
});

/** slurm/submission.json: the jobs of a campaign. */
export const submission = z.looseObject({
  array: z.string().regex(/^\d+$/),
  merge: z.string().regex(/^\d+$/),
  shards: z.int().min(1),
});
export type Submission = z.output<typeof submission>;

/** Larger files are not of worldswitch. */
const MAX_RECORD = 64 * 2 ** 20;

/** Reads one of them; `what` it is, with its article. Throws ConfigError. */
export function readRecord<T>(path: string, schema: z.ZodType<T>, what: string): T {
  let text: string;
  try {
    text = readRegularText(path, MAX_RECORD, 'such a file');
  } catch (error) {
    throw faultIn(path, `cannot read ${what}: ${reasonOf(error)}`);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw faultOf(path, `not JSON: it is damaged (${what})`);
  }
  const { success, data, error } = schema.safeParse(value);
  if (success) return data;
  const [{ path: at, message }] = error.issues as [z.core.$ZodIssue];
  const own = /^(Invalid|Too|Unrecognized)/.test(message) ? '' : `: ${message}`;
  const where = at.length > 0 ? ` at "${at.join('.')}"` : '';
  throw faultOf(path, `not ${what} that worldswitch has written: it is damaged${where}${own}`);
}
