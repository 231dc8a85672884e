import * as z from 'zod';
import { duration } from '../base/units.ts';
import { MSS } from './packets.ts';

/**
 * What the virtual network card and disk of a profile can do, and what each step costs the host, in
 * cycles. The guest's driver sees the same device without a hypervisor, so that the work of its
 * kernel does not depend on the profile. An access to a register is priced in costs.ts
 * (`deviceKernel`, `deviceUser`), and so is an interrupt.
 */
const cycles = () => z.int().min(0).max(10_000_000).meta({ unit: 'cycles' });

/** Who does the host's work for a device. */
export type Worker = 'vcpu' | 'thread' | 'dom0';
const worker = () =>
  z
    .enum(['vcpu', 'thread', 'dom0'])
    .describe(
      'who does the work of the host: the vCPU itself in its exits, a thread of the host for ' +
        'each VM (QEMU, vhost), or Dom0',
    );

/** What the guest's driver does to registers, and who answers. */
const registers = {
  registers: z
    .enum(['kernel', 'user', 'direct'])
    .describe(
      'who answers an access to a register: the hypervisor, a device model in user space as ' +
        'well, or the device without an exit',
    ),
  decoded: z
    .boolean()
    .describe('registers lie in memory: the hypervisor decodes the instruction of each access'),
  interruptAccesses: z
    .int()
    .min(0)
    .max(64)
    .meta({ unit: 'accesses' })
    .describe('registers that the driver reads or writes for each interrupt'),
};

const card = {
  sendBytes: z
    .int()
    .min(MSS)
    .max(45 * MSS)
    .multipleOf(MSS, { error: `sendBytes is a multiple of ${MSS}, the bytes of one packet` })
    .meta({ unit: `bytes, in steps of ${MSS}` })
    .describe(
      `most bytes the driver hands over in one piece: ${MSS} = a packet, more = cut up later (TSO)`,
    ),
  kickPieces: z
    .int()
    .min(1)
    .max(256)
    .meta({ unit: 'pieces' })
    .describe('pieces that one doorbell announces'),
  kickAccesses: z
    .int()
    .min(1)
    .max(64)
    .meta({ unit: 'accesses' })
    .describe('registers that the driver reads or writes for each doorbell, that included'),
  ...registers,
  receivePackets: z
    .int()
    .min(1)
    .max(256)
    .meta({ unit: 'packets' })
    .describe('packets that one receive interrupt announces at most'),
  receiveWait: duration()
    .pipe(z.number().max(1e10, { error: 'the longest wait is 10ms' }))
    .describe(
      'packets that come so long after the first one share its interrupt; 0us: however long ' +
        'it takes',
    ),
  ring: z
    .int()
    .min(1)
    .max(65536)
    .meta({ unit: 'packets' })
    .describe('packets that wait for the guest at most; others wait in the host'),
  sendPiece: cycles().describe('host work for one piece sent; lands in `host`'),
  sendLine: cycles().describe('host work for 64 bytes sent; lands in `host`'),
  receivePacket: cycles().describe('host work for one packet received; lands in `host`'),
  receiveLine: cycles().describe('host work for 64 bytes received; lands in `host`'),
  worker: worker(),
};

const disk = {
  requestBytes: z
    .int()
    .min(512)
    .max(2 ** 22)
    .meta({ unit: 'bytes' })
    .describe('most bytes of one request: an I/O operation of more takes several'),
  requestAccesses: z
    .int()
    .min(1)
    .max(64)
    .meta({ unit: 'accesses' })
    .describe('registers that the driver reads or writes for each request'),
  ...registers,
  request: cycles().describe('host work to start one request; lands in `host`'),
  answer: cycles().describe('host work for the answer to one request; lands in `host`'),
  requestLine: cycles().describe('host work for 64 bytes moved; lands in `host`'),
  worker: worker(),
};

export const CARDS = ['paravirtual', 'emulated', 'vhost', 'passthrough'] as const;
export const DISKS = ['paravirtual', 'emulated'] as const;
export type CardKind = (typeof CARDS)[number];
export type DiskKind = (typeof DISKS)[number];

export const cardKind = () => z.enum(CARDS);
export const diskKind = () => z.enum(DISKS);

const otherCard = (what: string) =>
  z.strictObject(card).meta({ usual: 'the product has none' }).optional().describe(what);

export const devicesSchema = z
  .strictObject({
    network: z
      .strictObject({
        kind: cardKind()
          .prefault('paravirtual')
          .describe('the network card of a VM that says nothing under `vms[].network`'),
        ...card,
        emulated: otherCard('an emulated card (e1000, rtl8139)'),
        vhost: otherCard('a paravirtual card that the kernel of the host serves (vhost-net)'),
        passthrough: otherCard('a card of the host that a VM has for itself, through the IOMMU'),
      })
      .describe('the virtual network card: as the paravirtual one, and as others'),
    disk: z
      .strictObject({
        kind: diskKind()
          .prefault('paravirtual')
          .describe('the disk of a VM that says nothing under `vms[].disk`'),
        ...disk,
        emulated: z
          .strictObject(disk)
          .meta({ usual: 'the product has none' })
          .optional()
          .describe('an emulated disk (IDE)'),
      })
      .describe('the virtual disk: as the paravirtual one, and as others'),
  })
  .describe('the virtual devices: what they can do, and what they cost the host in cycles');

export type VirtualDevices = z.output<typeof devicesSchema>;

/** A network card as a VM has it. */
export type Card = z.output<z.ZodObject<typeof card>> & { readonly kind: CardKind };
export type DiskDevice = z.output<z.ZodObject<typeof disk>>;

export type Device = 'network' | 'disk';

/** The devices of one VM. */
export interface VmDevices {
  readonly network: Card;
  readonly disk: DiskDevice;
}

/** The kinds of devices that a group of VMs asks for. */
export interface DeviceChoice {
  readonly network?: CardKind | undefined;
  readonly disk?: DiskKind | undefined;
}

/** Undefined: the profile has no card of that kind. */
export function cardOf({ network }: VirtualDevices, kind: CardKind): Card | undefined {
  const own = kind === 'paravirtual' ? network : network[kind];
  return own && { ...own, kind };
}

/** Undefined: the profile has no disk of that kind. */
export const diskOf = ({ disk: own }: VirtualDevices, kind: DiskKind): DiskDevice | undefined =>
  kind === 'paravirtual' ? own : own[kind];

/** What a VM has that asks for these kinds, all of which the profile has. */
export function devicesOf(devices: VirtualDevices, { disk, network }: DeviceChoice): VmDevices {
  const [card, own] = [network ?? devices.network.kind, disk ?? devices.disk.kind];
  return { network: cardOf(devices, card)!, disk: diskOf(devices, own)! };
}

/** Of a VM that nobody has given any: they cost nothing. */
export const bareDevices: VmDevices = {
  network: {
    ...{ kind: 'paravirtual', sendBytes: MSS, kickPieces: 1, kickAccesses: 1, ring: 256 },
    ...{ registers: 'kernel', decoded: false, interruptAccesses: 0, worker: 'vcpu' },
    ...{ receivePackets: 1, receiveWait: 0, sendPiece: 0, sendLine: 0 },
    ...{ receivePacket: 0, receiveLine: 0 },
  },
  disk: {
    ...{ requestBytes: 131_072, requestAccesses: 1, request: 0, answer: 0, requestLine: 0 },
    ...{ registers: 'kernel', decoded: false, interruptAccesses: 0, worker: 'vcpu' },
  },
};
