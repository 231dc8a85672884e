/** In place of lanes.ts for pages: their hosts have no links, pairs and threads to tell of. */
export class Lanes {
  readonly lanes = undefined;
  readonly counters = undefined;
  sample(): void {}
  finish(): void {}
  thread(): void {}
}
