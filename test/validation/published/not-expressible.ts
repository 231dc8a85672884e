/** Published experiments that scenarios cannot say so far: case, what it is, why not. */
export const notExpressible: readonly (readonly [string, string, string])[] = [
  [
    'V15 beyond one process',
    'processes that populate memory at once contend for one hypervisor lock (Huang et al. 2023)',
    'a VM has one vCPU, and the hypervisor takes no locks',
  ],
  [
    'V31, second half',
    'a CPU hog boosted by mistake (Xen f02a5760c7)',
    'the credit scheduler boosts as it does since that fix; the mistake is not a parameter',
  ],
  [
    'V32',
    'a rate limit on context switches (Xen 64908a0466)',
    'the credit scheduler has no rate limit',
  ],
  [
    'V34, V35',
    'TLB shootdowns and spinlocks among the vCPUs of a guest (Li 2018, Cheng et al. 2016)',
    'a VM has one vCPU',
  ],
];
