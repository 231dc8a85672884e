import type { Cycles } from '../../base/ids.ts';
import type { SideNote } from '../cluster.ts';
import { SendingSide } from './sending-side.ts';
import type { SideState } from './side.ts';

const words: Readonly<Record<SideState, string>> = {
  protected: '',
  deciding: ' deciding',
  'going-live': ' going live',
  alone: ' alone',
  halted: '',
};

interface NamedSide {
  readonly name: string;
  readonly state: SideState;
}

/** Notes what the sides of a pair are, host by host, whenever that changes. */
export class SideNotes {
  readonly notes: SideNote[] = [];
  readonly #last = new Map<string, string>();

  look(pair: { sides(): Iterable<NamedSide> }, now: Cycles): void {
    const present = new Map<string, string>();
    for (const side of pair.sides()) {
      const role = side instanceof SendingSide ? 'primary' : 'secondary';
      present.set(side.name, `${role}${words[side.state]}`);
    }
    for (const host of new Set([...this.#last.keys(), ...present.keys()])) {
      const state = present.get(host) ?? '';
      if (state === (this.#last.get(host) ?? '')) continue;
      this.#last.set(host, state);
      this.notes.push({ cycle: now, host, state });
    }
  }
}
