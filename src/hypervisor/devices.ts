import * as z from 'zod';
import { MSS } from './packets.ts';

/**
 * What the virtual network card and disk of a profile can do, and what each step costs the host, in
 * cycles. The guest's driver sees the same device without a hypervisor, so that the work of its
 * kernel does not depend on the profile. A doorbell itself is priced in costs.ts (`deviceKernel`,
 * `deviceUser`), and so is an interrupt.
 */
const cycles = () => z.int().min(0).max(10_000_000).meta({ unit: 'cycles' });

export const devicesSchema = z
  .strictObject({
    network: z
      .strictObject({
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
        receivePackets: z
          .int()
          .min(1)
          .max(256)
          .meta({ unit: 'packets' })
          .describe('packets that one receive interrupt announces'),
        sendPiece: cycles().describe('host work for one piece sent; lands in `host`'),
        sendLine: cycles().describe('host work for 64 bytes sent; lands in `host`'),
        receivePacket: cycles().describe('host work for one packet received; lands in `host`'),
        receiveLine: cycles().describe('host work for 64 bytes received; lands in `host`'),
      })
      .describe('the virtual network card'),
    disk: z
      .strictObject({
        requestBytes: z
          .int()
          .min(512)
          .max(2 ** 22)
          .meta({ unit: 'bytes' })
          .describe('most bytes of one request: an I/O operation of more takes several'),
        requestLine: cycles().describe('host work for 64 bytes moved; lands in `host`'),
      })
      .describe('the virtual disk'),
  })
  .describe('the virtual devices: what they can do, and what they cost the host in cycles');

export type VirtualDevices = z.output<typeof devicesSchema>;
