import type { Guest, GuestCpu, GuestStop } from '../hypervisor/guest-port.ts';

/** A guest with something around it that sees, or decides, what it executes and is told. */
export abstract class WatchedGuest implements Guest {
  protected readonly guest: Guest;

  constructor(guest: Guest) {
    this.guest = guest;
  }

  get root(): number {
    return this.guest.root;
  }

  get steps(): number {
    return this.guest.steps;
  }

  stopAt(steps: number): void {
    this.guest.stopAt(steps);
  }

  grantReferences(references: number): void {
    this.guest.grantReferences(references);
  }

  abstract run(cpu: GuestCpu): GuestStop;
  abstract interrupt(cpu: GuestCpu, vectors: number): void;
}
