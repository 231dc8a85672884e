/** What a pCPU is called: `pCPU 3`, and where there are several hosts `a: pCPU 3`. */
export const coreName = (host: string | undefined, pcpu: string | number): string =>
  `${host ? `${host}: ` : ''}pCPU ${pcpu}`;
