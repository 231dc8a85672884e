import * as z from 'zod';

/** The parameter of every kind of workload whose addresses are made up. */
export const aslr = () =>
  z
    .boolean()
    .default(true)
    .describe(
      'heap, mappings and stack of each process begin at random places (address space layout ' +
        'randomization, Linux randomize_va_space); false: at the same ones in all processes of ' +
        'all VMs',
    );
