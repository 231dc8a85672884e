/** How a page walk ended. */
export const Fault = {
  None: 0,
  /** The table that the hardware walks first (native, shadow, guest) does not allow the access. */
  Table: 1,
  /** The nested table lacks the guest frame in `faultFrame`, or does not allow the store to it. */
  Nested: 2,
} as const;
export type Fault = (typeof Fault)[keyof typeof Fault];
