import { size } from '../../base/units.ts';

/** The sizes of pages that a hypervisor can back guest memory with, as scenarios write them. */
export const backingPages = ['4KiB', '2MiB', '1GiB'] as const;

const PAGE_SIZES = [2 ** 12, 2 ** 21, 2 ** 30];

/** `4KiB`, `2MiB` or `1GiB` in YAML, bytes in code: what a hypervisor backs guest memory with. */
export const pageSize = () =>
  size()
    .refine((bytes) => PAGE_SIZES.includes(bytes), {
      error: 'the page size must be 4KiB, 2MiB or 1GiB',
    })
    .meta({ only: PAGE_SIZES });
