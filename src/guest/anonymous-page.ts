import type { Region } from './workloads/workload.ts';

/** A region for a page nobody mapped: a program image or stack that predates a trace. */
export function anonymousPage(vpn: number): Region {
  return {
    name: `page-${vpn}`,
    start: vpn,
    pages: 1,
    kind: 'anon',
    writable: true,
    pageShift: 12,
    populated: false,
  };
}
