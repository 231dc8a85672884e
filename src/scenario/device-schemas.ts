import * as z from 'zod';
import { bandwidth, duration, size } from '../base/units.ts';

/** Where a vCPU may run. */
export const pin = () =>
  z
    .array(z.int().min(0).max(4095))
    .min(1)
    .meta({ unit: 'numbers of pCPUs', usual: 'all pCPUs' })
    .optional()
    .describe('numbers of the pCPUs it may run on; all when left out');

/** What a host has for the devices of its VMs. */

/** A wire can be so slow, and no slower: a packet of an hour is a mistake. */
const speed = (least: string) =>
  bandwidth()
    .pipe(z.number().min(1e5, { error: `the least bandwidth is ${least}` }))
    .meta({ range: `of at least ${least}` });

export const networkSchema = () =>
  z
    .strictObject({
      bandwidth: speed('100kb/s')
        .prefault('1Gb/s')
        .describe('bits per second, each way, of the wire that all VMs of the host share'),
    })
    .describe('the wire to the clients: what is sent and received is queued');

export const diskSchema = () =>
  z
    .strictObject({
      bandwidth: speed('100kb/s')
        .meta({ usual: 'data take no time of their own' })
        .optional()
        .describe('speed at which a spindle moves data, for example 100MB/s'),
      serviceTime: duration()
        .pipe(z.number().max(1e13, { error: 'the longest service time is 10s' }))
        .meta({ range: 'of at most 10s' })
        .prefault('0s')
        .describe('time of a spindle for each request besides its data: 1/IOPS'),
      spindles: z
        .int()
        .min(1)
        .max(256)
        .meta({ unit: 'disks' })
        .prefault(1)
        .describe('disks of an array: so many requests are served at a time'),
      writeCache: size()
        .meta({ usual: 'none' })
        .optional()
        .describe('memory of the controller that keeps its contents: writes are over once there'),
    })
    .refine(({ bandwidth, serviceTime }) => bandwidth !== undefined || serviceTime > 0, {
      error: 'say what the disk can do: its bandwidth, its serviceTime, or both',
    })
    .describe('what the disk of all VMs can do: each spindle serves one request after the other');

export const dom0Schema = () =>
  z
    .strictObject({
      vcpus: z
        .int()
        .min(1)
        .max(64)
        .meta({ unit: 'vCPUs' })
        .prefault(1)
        .describe('virtual processors of Dom0; those of its VMs are served by turns'),
      weight: z
        .int()
        .min(1)
        .max(65535)
        .meta({ unit: 'relative to the VMs' })
        .prefault(256)
        .describe('share relative to the VMs'),
      pin: pin(),
    })
    .describe('Dom0, where the devices of VMs are its work (`hypervisor.devices`: `worker: dom0`)');
