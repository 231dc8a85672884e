import * as z from 'zod';
import { duration } from '../base/units.ts';
import { measureNames } from '../stats/measures.ts';

/**
 * The `sweep:` and `find:` parts of a scenario: experiments on it. A run ignores them. What the
 * axes say is checked by the sweep, which applies each value like `--set`.
 */

/** `2%` in YAML, 0.02 in code. */
const percent = () =>
  z
    .union([z.string(), z.number()], { error: 'expected a share such as 2%' })
    .meta({
      unit: 'per cent, or a fraction of the mean',
      takes: 'a share such as 2% or 0.02, more than 0 and less than 1',
      fits: {
        oneOf: [
          { type: 'string', pattern: '^\\s*(0*\\d{0,2}(\\.\\d*)?\\s*%|0*\\.\\d+)\\s*$' },
          { type: 'number', exclusiveMinimum: 0, exclusiveMaximum: 1 },
        ],
      },
    })
    .transform((text, context) => {
      const trimmed = String(text).trim();
      const match = trimmed.length > 40 ? null : /^(\d+\.?\d*|\.\d+)\s*%$/.exec(trimmed);
      const value = match ? Number(match[1]) / 100 : Number(text);
      if (value > 0 && value < 1) return value;
      context.addIssue({
        code: 'custom',
        message: `not a share: got ${trimmed.slice(0, 40)}, write for example 2%`,
      });
      return z.NEVER;
    });

const axisValues = () =>
  z
    .union([z.array(z.unknown()).min(1).max(10_000), z.record(z.string(), z.unknown())])
    .meta({ takes: 'a list of at least one value, or a map from label to value' })
    .describe('the values: a list, or a map from label to value');

const axes = () => z.record(z.string(), axisValues());

/** A name that no program changes when it reads a table: R would make dots of blanks and dashes. */
const LABEL = /^[A-Za-z][A-Za-z0-9_.]*$/;
const LABEL_FORM = 'a label is one word of letters, digits, _ and dots that begins with a letter';

const scalar = () => z.union([z.string(), z.number(), z.boolean()]);

export const sweepSchema = z
  .strictObject({
    axes: axes()
      .prefault({})
      .describe(
        'by path: the values it takes, for example vms.web.count: [1, 2, 4]; all combinations',
      ),
    zip: z
      .array(axes())
      .prefault([])
      .describe('groups of axes that advance together: first values, second values, …'),
    where: z
      .union([z.string(), z.array(z.string())])
      .optional()
      .describe(
        'which combinations to keep, for example vms.web.count < 8 or host.processor == ' +
          'opteron-1354',
      ),
    labels: z
      .record(z.string(), z.string().regex(LABEL, LABEL_FORM).meta({ takes: LABEL_FORM }))
      .prefault({})
      .describe('names of columns, by path'),
    replications: z
      .int()
      .min(1)
      .max(10_000)
      .meta({ unit: 'runs' })
      .prefault(5)
      .describe('runs of each point, by seed'),
    precision: percent()
      .optional()
      .describe(
        'replicate until half the interval is below this share of the mean, for example 2%',
      ),
    maxReplications: z
      .int()
      .min(1)
      .max(10_000)
      .meta({ unit: 'runs' })
      .prefault(50)
      .describe('where `precision` gives up'),
    baseline: z
      .record(z.string(), scalar())
      .optional()
      .describe('points with these values are what the others are compared with'),
    metrics: z
      .array(z.enum(measureNames))
      .min(1)
      .optional()
      .describe('what summary.csv holds; slowdown and overhead need a native run of every VM'),
  })
  .describe('an experiment: many points of this scenario');

const bound = () =>
  z.union([z.int(), z.string().max(60)]).meta({
    unit: 'that of the axis',
    takes: 'a whole number, or a value with its unit such as 512MiB',
  });

export const findSchema = z
  .strictObject({
    axis: z.string().describe('path of the number to look for, for example vms.web.count'),
    from: bound().prefault(1).describe('where to start'),
    to: bound().describe('where to end'),
    step: z
      .number()
      .positive()
      .meta({ unit: 'the unit of `from`' })
      .prefault(1)
      .describe('distance of the values, in the unit of `from`'),
    objective: z
      .string()
      .max(200)
      .describe('what must hold, for example p99 latency < 50ms, slowdown < 1.25 for every VM'),
    want: z
      .enum(['largest', 'smallest'])
      .prefault('largest')
      .describe('which of the values that meet the objective'),
    replications: z
      .int()
      .min(2)
      .max(1000)
      .meta({ unit: 'runs' })
      .prefault(3)
      .describe('runs before the first decision'),
    maxReplications: z
      .int()
      .min(2)
      .max(1000)
      .meta({ unit: 'runs' })
      .prefault(24)
      .describe('runs of a value before windows are made longer, or it is given up'),
    maxDuration: duration()
      .prefault('1s')
      .describe(
        'windows are made longer until the objective is decided, with their warm-up up to ' +
          'this; a longer `duration` stays',
      ),
    across: axes().prefault({}).describe('ask again for each combination of these values'),
  })
  .describe('a question: up to which value of one axis the scenario meets an objective');

/** An experiment as it was written, with its defaults. */
export type SweepInput = z.output<typeof sweepSchema>;
export type FindInput = z.output<typeof findSchema>;
