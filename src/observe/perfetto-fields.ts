/** Field numbers of Perfetto's trace packets. Source: perfetto, protos/perfetto/trace/. */
export const Trace = { packet: 1 } as const;
export const TracePacket = {
  timestamp: 8,
  sequence: 10,
  trackEvent: 11,
  internedData: 12,
  sequenceFlags: 13,
  trackDescriptor: 60,
} as const;
export const TrackDescriptor = {
  uuid: 1,
  name: 2,
  parent: 5,
  counter: 8,
  childOrdering: 11,
  rank: 12,
} as const;
export const CounterDescriptor = { unitName: 6 } as const;
export const TrackEvent = {
  annotation: 4,
  type: 9,
  nameIid: 10,
  track: 11,
  counterValue: 30,
  name: 23,
} as const;
export const Annotation = { nameIid: 1, uint: 3, name: 10 } as const;
export const InternedData = { eventNames: 2, annotationNames: 3 } as const;
export const Interned = { iid: 1, name: 2 } as const;
export const Type = { begin: 1, end: 2, instant: 3, counter: 4 } as const;
