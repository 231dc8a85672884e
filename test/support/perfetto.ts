import protobuf from 'protobufjs';

/** A Perfetto trace, decoded by protobuf.js from the wire and put together as the trace processor would. */
export interface Slice {
  readonly name: string;
  /** Nanoseconds. */
  readonly begin: number;
  readonly end: number;
  readonly cycles: number;
  /** 0 = outermost. */
  readonly depth: number;
}

export interface Track {
  readonly name: string;
  readonly group: string;
  readonly unit: string;
  readonly slices: Slice[];
  readonly instants: { readonly name: string; readonly at: number }[];
  readonly values: { readonly at: number; readonly value: number }[];
}

export interface PerfettoFile {
  readonly packets: number;
  readonly tracks: readonly Track[];
}

interface Packet {
  timestamp: number;
  trustedPacketSequenceId: number;
  sequenceFlags: number;
  trackEvent?: {
    type: number;
    trackUuid: number;
    nameIid: number;
    name: string;
    counterValue: number;
    debugAnnotations: { nameIid: number; name: string; uintValue: number }[];
  };
  internedData?: {
    eventNames: { iid: number; name: string }[];
    debugAnnotationNames: { iid: number; name: string }[];
  };
  trackDescriptor?: {
    uuid: number;
    name: string;
    parentUuid: number;
    counter?: { unitName: string };
  };
}

const SLICE_BEGIN = 1;
const SLICE_END = 2;
const INSTANT = 3;
const COUNTER = 4;
const STATE_CLEARED = 1;

const Trace = protobuf.loadSync('test/support/perfetto.proto').lookupType('Trace');

/** Throws where a packet breaks a rule of the format. */
export function decodePerfetto(bytes: Uint8Array): PerfettoFile {
  const { packet } = Trace.toObject(Trace.decode(bytes), {
    longs: Number,
    enums: Number,
    defaults: true,
    arrays: true,
  }) as { packet: Packet[] };
  const tracks = new Map<
    number,
    Track & { open: { name: string; begin: number; cycles?: number }[] }
  >();
  const later: { timestamp: number; event: NonNullable<Packet['trackEvent']> }[] = [];
  const names = new Map<number, string>();
  const arguments_ = new Map<number, string>();
  let last = 0;
  let cleared = false;
  const check = (right: boolean, what: string): void => {
    if (!right) throw new Error(what);
  };
  for (const { timestamp, trackEvent: event, ...rest } of packet) {
    const sequence = rest.trustedPacketSequenceId;
    check(sequence === 1 || sequence === 2, 'a packet without its sequence');
    if (sequence === 2) {
      later.push({ timestamp, event: event! });
      continue;
    }
    if ((rest.sequenceFlags & STATE_CLEARED) !== 0) cleared = true;
    for (const { iid, name } of rest.internedData?.eventNames ?? []) names.set(iid, name);
    for (const { iid, name } of rest.internedData?.debugAnnotationNames ?? []) {
      arguments_.set(iid, name);
    }
    if (rest.trackDescriptor) {
      const { uuid, name, parentUuid, counter } = rest.trackDescriptor;
      check(!tracks.has(uuid), `track ${uuid} is described twice`);
      const group = tracks.get(parentUuid)?.name ?? '';
      tracks.set(uuid, {
        name,
        group,
        unit: counter?.unitName ?? '',
        slices: [],
        instants: [],
        values: [],
        open: [],
      });
    }
    if (!event) continue;
    check(cleared, 'an event before the names it refers to');
    check(timestamp >= last, `packets out of order at ${timestamp}`);
    last = timestamp;
    const track = tracks.get(event.trackUuid);
    if (!track) throw new Error(`an event on track ${event.trackUuid}, which nothing describes`);
    const nameOf = (): string => {
      const name = names.get(event.nameIid);
      if (name === undefined) throw new Error(`no name ${event.nameIid}`);
      return name;
    };
    if (event.type === SLICE_BEGIN) track.open.push({ name: nameOf(), begin: timestamp });
    else if (event.type === SLICE_END) {
      const begun = track.open.pop();
      if (!begun) throw new Error(`a slice of ${track.name} ends that did not begin`);
      const annotation = event.debugAnnotations[0]!;
      check(arguments_.get(annotation.nameIid) === 'cycles', 'a slice without its cycles');
      const depth = track.open.length;
      track.slices.push({ ...begun, end: timestamp, cycles: annotation.uintValue, depth });
    } else if (event.type === INSTANT) track.instants.push({ name: nameOf(), at: timestamp });
    else if (event.type === COUNTER) {
      track.values.push({ at: timestamp, value: event.counterValue });
    } else throw new Error(`unknown type ${event.type}`);
  }
  // What came late belongs where its stamps say; the names stand in the packets.
  for (const { timestamp, event } of later.toSorted((a, b) => a.timestamp - b.timestamp)) {
    const track = tracks.get(event.trackUuid);
    if (!track) throw new Error(`an event on track ${event.trackUuid}, which nothing describes`);
    const { name } = event;
    if (event.type === SLICE_BEGIN) {
      const [annotation] = event.debugAnnotations;
      check(annotation?.name === 'cycles', 'a span without its cycles');
      track.open.push({ name, begin: timestamp, cycles: annotation!.uintValue });
    } else if (event.type === SLICE_END) {
      const begun = track.open.pop();
      if (!begun) throw new Error(`a span of ${track.name} ends that did not begin`);
      const { cycles = 0 } = begun;
      track.slices.push({ ...begun, end: timestamp, cycles, depth: track.open.length });
    } else if (event.type === INSTANT) track.instants.push({ name, at: timestamp });
    else track.values.push({ at: timestamp, value: event.counterValue });
  }
  for (const { name, open } of tracks.values()) {
    check(open.length === 0, `${open.length} slices of ${name} never end`);
  }
  return { packets: packet.length, tracks: [...tracks.values()] };
}

export function trackOf(file: PerfettoFile, group: string, name: string): Track {
  const track = file.tracks.find((track) => track.group === group && track.name === name);
  if (!track) throw new Error(`no track ${name} in ${group}`);
  return track;
}
