/** What a program may do with a page without a fault. */
export const Right = { None: 0, Load: 1, Store: 2 } as const;

export interface PageRights {
  /** Of `Right`. */
  rightsOf(page: number): number;
  /** Has `changed` called with pages whose rights may have changed but for a fault. */
  watch(changed: (start: number, end: number) => void): void;
}
