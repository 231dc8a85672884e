/** Kinds of visits, as the machine knows them (machine/run.ts). */
export const Op = { Fetch: 0, Load: 1, Store: 2 } as const;
