import type { Cycles } from '../../base/ids.ts';
import { LogReceiver } from './log-receiver.ts';
import type { Message, Sequenced } from './messages.ts';
import { Side, type SideDeps } from './side.ts';

/** The side of a pair that takes what the other streams to it, and goes on when that is lost. */
export abstract class ReceivingSide<E extends Sequenced> extends Side<E> {
  protected readonly log: LogReceiver<E>;

  constructor(deps: SideDeps<E>, now: Cycles) {
    super(deps, now);
    this.log = new LogReceiver<E>({
      log: deps.log,
      work: deps.work,
      report: (at) => this.tell(at),
      onEntries: (at) => this.onEntries(at),
    });
  }

  get bufferedBytes(): number {
    return this.log.bufferedBytes;
  }

  /** Last entry in the buffer: all up to here is acknowledged, or will be. */
  get taken(): number {
    return this.log.taken;
  }

  /** How far it has come, in executed time of the primary. */
  protected abstract readonly progress: Cycles;
  /** There is more in the buffer. */
  protected abstract onEntries(now: Cycles): void;
  /** The guest stops for good. */
  protected abstract onStopped(now: Cycles): void;
  /** The guest may go live: whoever calls this has completed what was to be done before. */
  protected abstract onLive(now: Cycles): void;

  protected onMessage(message: Message<E>, now: Cycles): void {
    if (message.kind === 'log') this.log.receive(message.entries, now);
  }

  /** From here on the primary gets no acknowledgement: it might use it after having lost. */
  protected onDeciding(): void {
    this.log.close();
  }

  protected onHalted(now: Cycles): void {
    this.log.close();
    this.onStopped(now);
  }

  /** Takes the devices over: outputs on, addresses announced. */
  protected goLive(now: Cycles): void {
    const { timers, times } = this.deps;
    timers.at(now + times.goLive, (at) => {
      if (this.state !== 'going-live') return;
      this.enter('alone', at);
      this.onLive(at);
    });
  }

  protected tell(now: Cycles): void {
    if (this.state !== 'protected') return;
    const { arrived, taken } = this.log;
    const { progress } = this;
    const message = { kind: 'progress', arrived, acknowledged: taken, replayed: progress } as const;
    this.say(message, this.deps.log.ackBytes, now);
  }
}
