import * as z from 'zod';
import { isFormula } from '../base/text.ts';
import { bandwidth, duration, size } from '../base/units.ts';
import { eventKinds } from '../cluster/events/index.ts';
import { protections } from '../cluster/fault-tolerance/index.ts';
import { kernelSchema } from '../guest/kernel-schema.ts';
import { workloads } from '../guest/workloads/index.ts';
import { costsSchema } from '../hypervisor/costs.ts';
import { cardKind, devicesSchema, diskKind } from '../hypervisor/devices.ts';
import { footprintSchema } from '../hypervisor/footprint.ts';
import { mmuModes } from '../hypervisor/mmu/index.ts';
import { shadowProfileNames } from '../hypervisor/mmu/shadow-profiles.ts';
import { schedulers } from '../hypervisor/schedulers/index.ts';
import { vmParamsSchema } from '../hypervisor/schedulers/vm-params.ts';
import { tagPolicies } from '../hypervisor/tags/index.ts';
import { processorSchema } from '../machine/processor.ts';
import { diskSchema, dom0Schema, networkSchema, pin } from './device-schemas.ts';
import { findSchema, sweepSchema } from './experiments.ts';
import { mechanismNames } from './free.ts';
import { DEFAULT_KERNEL, type PresetTexts, presets } from './presets.ts';
import { samplingSchema } from './sampling-schema.ts';

/**
 * The schema of a scenario whose presets are filled in, assembled from the registries: a new policy
 * needs no change here. Descriptions and defaults show up in editors (editor-schema.ts) and in the
 * resolved scenario.
 */

const identifier = (noun: string) =>
  z.string().regex(/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/, {
    error: (issue) =>
      `a ${noun} is made of lower-case letters, digits and single dashes, and starts with a ` +
      `letter: got ${JSON.stringify(issue.input)}`,
  });
const WORD = 'lower-case letters, digits and single dashes, starting with a letter';

/** Links between hosts. */
const linksSchema = (name: () => z.ZodString, own: z.ZodString) =>
  z
    .array(
      z
        .strictObject({
          name: own.describe('name of the link'),
          between: z
            .array(name())
            .length(2)
            .meta({ takes: 'a list of two names of hosts' })
            .describe('names of the two hosts'),
          bandwidth: bandwidth()
            .pipe(z.number().positive())
            .meta({ range: 'of more than 0' })
            .prefault('1Gb/s')
            .describe('bits per second, each way'),
          latency: duration()
            .prefault('50us')
            .describe('from the last bit sent to the last bit received'),
        })
        .describe('a link'),
    )
    .max(64)
    .optional()
    .describe('links between hosts');

/** A seed stands in tables, where a spreadsheet must not take it for a formula. */
const seedText = () =>
  z
    .string()
    .min(1)
    .max(200)
    .refine((text) => !/^[=+@-]/.test(text) || Number.isFinite(Number(text)), {
      error: 'a seed that is no number cannot begin with =, +, - or @: it would be a formula',
    });

const SEED = 'a whole number, or one line of text that does not begin with =, +, -, @ or a blank';
/** For editors: what passes all checks of a seed that is a text. */
const SEED_TEXT =
  '^(?![=+@\\-\\s\uff1d\uff0b\uff0d\uff20])[^\\t\\n]{1,200}$|^[+-]?\\d+(\\.\\d+)?([eE][+-]?\\d+)?$';

const hostName = () =>
  identifier('host name')
    .max(40)
    .meta({ takes: `${WORD}; at most 40 characters` });

const vmSchema = (
  workloadPresets: readonly string[],
  kernels: readonly string[],
  scheduler: unknown,
) =>
  z
    .strictObject({
      name: identifier('VM name')
        .max(40)
        .meta({ takes: `${WORD}; at most 40 characters` })
        .describe('name of the VMs: they are called name-0, name-1, …'),
      host: hostName()
        .meta({ usual: 'the only host' })
        .optional()
        .describe('name of the host that it is on at the start, one of `hosts`'),
      count: z
        .int()
        .min(0)
        .max(512)
        .meta({ unit: 'VMs' })
        .prefault(1)
        .describe('how many VMs of this kind'),
      vcpus: z
        .int()
        .min(1)
        .max(64)
        .meta({ unit: 'vCPUs' })
        .prefault(1)
        .describe('virtual processors of each VM'),
      memory: size()
        .meta({ range: 'of at least 16MiB' })
        .prefault('512MiB')
        .describe('memory of each VM, for example 512MiB'),
      weight: z
        .int()
        .min(1)
        .max(65535)
        .meta({ unit: 'relative to the others' })
        .prefault(256)
        .describe('share relative to other VMs'),
      cap: z
        .int()
        .min(0)
        .max(1600)
        .meta({ unit: 'per cent of one pCPU' })
        .prefault(0)
        .describe('most processor time it may use, in per cent of one pCPU; 0 = no cap'),
      pin: pin(),
      faultTolerance: protections.schema
        .optional()
        .describe('a second copy on another host takes over when this one is lost'),
      mmu: mmuModes.schema
        .meta({ usual: 'that of the hypervisor' })
        .optional()
        .describe('how the memory of these VMs is virtualized, instead of `hypervisor.mmu`'),
      network: cardKind()
        .meta({ usual: 'that of the hypervisor' })
        .optional()
        .describe('network card of these VMs, instead of `hypervisor.devices.network.kind`'),
      disk: diskKind()
        .meta({ usual: 'that of the hypervisor' })
        .optional()
        .describe('disk of these VMs, instead of `hypervisor.devices.disk.kind`'),
      scheduler: vmParamsSchema(schedulers, scheduler),
      preset: z
        .enum(workloadPresets)
        .optional()
        .describe('name of the workload preset; follows from `workload: { kind: … }`'),
      kernel: z
        .enum(kernels)
        .meta({ usual: `that of the workload preset, else ${DEFAULT_KERNEL}` })
        .prefault(DEFAULT_KERNEL)
        .describe('guest kernel preset: what its paths take, and what it does'),
      os: kernelSchema.describe('keys that replace those of the kernel preset'),
      workload: workloads.schema.describe('what runs inside: a kind or a workload preset'),
    })
    .describe('a group of identical VMs');

const hostSchema = (processors: readonly string[]) =>
  z
    .strictObject({
      processor: z.enum(processors).describe('processor preset'),
      sockets: z
        .int()
        .min(1)
        .max(8)
        .meta({ unit: 'packages' })
        .prefault(1)
        .describe('processor packages'),
      memory: size()
        .meta({ range: 'of at least 64MiB' })
        .prefault('8GiB')
        .describe('memory of the host, for example 8GiB'),
      pcpus: z
        .int()
        .min(1)
        .max(512)
        .meta({ unit: 'pCPUs', usual: 'all of the machine' })
        .optional()
        .describe('use only the first so many pCPUs'),
      caches: z
        .strictObject({
          data: z
            .enum(['on', 'off'])
            .prefault('on')
            .describe('off: data lines cost nothing, only page-table lines use the caches'),
        })
        .prefault({})
        .describe('what the cache model covers'),
      network: networkSchema().meta({ usual: 'each message has 1Gb/s for itself' }).optional(),
      disk: diskSchema().meta({ usual: 'no request waits for another' }).optional(),
      dom0: dom0Schema().prefault({}),
      iommu: z
        .boolean()
        .prefault(false)
        .describe('the board has an IOMMU: VMs can have cards of the host for themselves'),
      lookahead: duration()
        .meta({ usual: 'exact order' })
        .optional()
        .describe('how far one pCPU may run ahead of another; exact when left out'),
      cpu: processorSchema.describe('keys that replace those of the processor preset'),
    })
    .describe('the machine');

/**
 * Whether a scenario has one host, under `host`, or some by name, under `hosts`. `any`: what may be
 * written at all, for editors.
 */
export type HostForm = 'host' | 'hosts' | 'any';

function hostKeys(form: HostForm, processors: readonly string[]) {
  const host = hostSchema(processors);
  const hosts = z
    .record(hostName(), host)
    .refine((map) => Object.keys(map).length > 0, { error: 'there is no host' })
    .refine((map) => Object.keys(map).length <= MAX_HOSTS, {
      error: `at most ${MAX_HOSTS} hosts`,
    })
    .describe('several machines by name, instead of `host`');
  const keys = { host: host.optional(), hosts: hosts.optional() };
  if (form === 'any') return keys;
  return (form === 'host' ? { host } : { hosts }) as unknown as typeof keys;
}

const MAX_HOSTS = 8;

/**
 * `presets` only supplies the names that may be used. `scheduler`: the kind that is chosen, whose
 * parameters VMs may have and are given; without it any may stand there.
 */
export function scenarioSchema(
  { processors, hypervisors, kernels, workloads: presetWorkloads }: PresetTexts = presets,
  scheduler?: string,
  form: HostForm = 'any',
) {
  const hypervisor = z
    .strictObject({
      profile: z
        .enum(Object.keys(hypervisors))
        .describe('hypervisor preset: costs and policies, all of which can be replaced here'),
      mmu: mmuModes.schema.describe('how guest memory is virtualized'),
      shadowProfile: z
        .enum(shadowProfileNames)
        .describe('how it follows writes to guest tables where memory is shadowed'),
      tags: tagPolicies.schema.describe('which ASID a vCPU runs under and what VMRUN flushes'),
      scheduler: schedulers.schema.describe('who runs next'),
      backing: z
        .enum(['on-touch', 'up-front'])
        .describe('when host memory is given to a VM: at the first touch, or before it starts'),
      costs: costsSchema.describe('path lengths of the hypervisor, in cycles'),
      footprint: footprintSchema,
      devices: devicesSchema,
    })
    .describe('the hypervisor and its policies');

  return z
    .strictObject({
      name: identifier('scenario name')
        .max(80)
        .meta({ takes: `${WORD}; at most 80 characters` })
        .describe('name of the scenario; results go to results/<name>/'),
      description: z.string().optional().describe('what the scenario is about'),
      seed: z
        .union([seedText(), z.int()])
        .prefault(1)
        .transform(String)
        .refine((seed) => !isFormula(seed) && !/\s/.test(seed[0]!) && !/[\t\n]/.test(seed), {
          message:
            'a seed is a number or one line of text that does not begin with =, +, -, @ or a blank',
        })
        .meta({
          takes: SEED,
          fits: {
            oneOf: [
              {
                type: 'integer',
                minimum: -Number.MAX_SAFE_INTEGER,
                maximum: Number.MAX_SAFE_INTEGER,
              },
              { type: 'string', pattern: SEED_TEXT },
            ],
          },
        })
        .describe('root of all random streams: same scenario and seed, same results'),
      duration: z
        .union([z.literal('work'), duration()])
        .prefault('200ms')
        .describe(
          'simulated time in all, warm-up included; `work`: until every VM has done its work',
        ),
      warmup: duration()
        .prefault('20ms')
        .describe('simulated time before the measured window starts'),
      ...hostKeys(form, Object.keys(processors)),
      hypervisor,
      links: linksSchema(
        hostName,
        identifier('link name')
          .max(40)
          .meta({ takes: `${WORD}; at most 40 characters` }),
      ),
      vms: z
        .array(vmSchema(Object.keys(presetWorkloads), Object.keys(kernels), scheduler))
        .min(1)
        .max(512)
        .describe('the VMs, by group'),
      events: z
        .array(eventKinds.schema)
        .max(1000)
        .optional()
        .describe('what happens to hosts, links and VMs at given times'),
      output: z
        .strictObject({
          timeseries: duration().prefault('10ms').describe('interval between samples'),
          evictions: z
            .boolean()
            .prefault(false)
            .describe('count which VM evicted whose translations and lines'),
        })
        .prefault({})
        .describe('what is written'),
      checks: z
        .strictObject({
          translations: z
            .boolean()
            .prefault(false)
            .describe('compare every translation with what the guest tables say (slow)'),
        })
        .prefault({})
        .describe('extra checks while running'),
      sampling: samplingSchema.optional(),
      free: z
        .array(z.enum(mechanismNames))
        .optional()
        .describe(
          'mechanisms whose cycles neither pass nor are charged, to measure what they cost',
        ),
      sweep: sweepSchema.optional(),
      find: findSchema.optional(),
    })
    .describe('a worldswitch scenario');
}

export type ParsedScenario = z.output<ReturnType<typeof scenarioSchema>>;
export type ParsedHost = NonNullable<ParsedScenario['host']>;
