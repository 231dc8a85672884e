/** Published experiments that scenarios cannot say so far: case, what it is, why not. */
export const notExpressible: readonly (readonly [string, string, string])[] = [
  [
    'V15 beyond one process',
    'processes that populate memory at once contend for one hypervisor lock (Huang et al. 2023)',
    'a VM has one vCPU, and the hypervisor takes no locks',
  ],
  [
    'V10 beyond gcc and mcf',
    'the other 27 programs of SPEC CPU2006 (Wang et al. 2011)',
    'page faults and TLB misses, from which a program could be made, were published for gcc and mcf only',
  ],
  [
    'V11',
    'shadow tables dropped once a second (Wang et al. 2011)',
    'no hypervisor profile drops all its shadows at an interval',
  ],
  [
    'V32',
    'a rate limit on context switches (Xen 64908a0466)',
    'the rate limit is there, but how often the VMs of SPECvirt wake and for how long they run was not published',
  ],
  [
    'V12 under shadow paging with 2 MiB pages',
    'walk share with large pages in guest and host (Gandhi et al. 2016)',
    'shadow tables are built of 4 KiB entries, whatever the page size of the guest',
  ],
  [
    'V34, V35',
    'TLB shootdowns and spinlocks among the vCPUs of a guest (Li 2018, Cheng et al. 2016)',
    'a VM has one vCPU',
  ],
];
