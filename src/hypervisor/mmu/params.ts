import { z } from 'zod';
import { size } from '../../base/units.ts';

/** Page sizes a hypervisor can back guest memory with. */
export const pageSizeSchema = z
  .union([z.string(), z.number()])
  .pipe(size())
  .refine((bytes) => bytes === 4096 || bytes === 2 ** 21 || bytes === 2 ** 30, {
    error: 'page size must be 4KiB, 2MiB or 1GiB',
  });
