import { type LevelTrouble, reasonOf, troubleOf } from './database/level.ts';
import type { DiskSettings, DiskState } from './options.ts';

export interface DiskFailure {
  /** Reading alone fails, as far as known. */
  readonly from: 'read' | 'write';
  readonly trouble: LevelTrouble;
}

/** Whether the disk takes writes. After a failure it is tried again and again, until it does. */
export class Health {
  readonly #settings: DiskSettings;
  readonly #recover: (failure: DiskFailure) => Promise<void>;
  #state: DiskState = 'ok';
  #reason: string | undefined;
  #failure: DiskFailure | undefined;
  #timer: NodeJS.Timeout | undefined;
  #trying: Promise<void> | undefined;
  #closed = false;

  constructor(settings: DiskSettings, recover: (failure: DiskFailure) => Promise<void>) {
    this.#settings = settings;
    this.#recover = recover;
  }

  get state(): DiskState {
    return this.#state;
  }

  get reason(): string | undefined {
    return this.#reason;
  }

  fail(error: unknown, from: 'read' | 'write'): void {
    if (this.#closed) return;
    const trouble = troubleOf(error);
    // A failed write outranks a failed read: more is needed to recover from it.
    if (from === 'write' || this.#failure === undefined) this.#failure = { from, trouble };
    this.#set(trouble === 'full' ? 'full' : 'failed', reasonOf(error));
    this.#schedule();
  }

  /** Tries no more. Resolves once a try under way has ended, or its time is up. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#trying;
  }

  #schedule(): void {
    if (this.#timer !== undefined || this.#trying !== undefined || this.#closed) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#trying = this.#try().finally(() => {
        this.#trying = undefined;
        if (this.#state !== 'ok') this.#schedule();
      });
    }, this.#settings.retryIntervalMs).unref();
  }

  async #try(): Promise<void> {
    const failure = this.#failure ?? { from: 'write', trouble: 'failed' };
    try {
      this.#failure = undefined;
      await this.#recover(failure);
      this.#set('ok', undefined);
    } catch (error) {
      const trouble = troubleOf(error);
      this.#failure = { from: 'write', trouble };
      this.#set(trouble === 'full' ? 'full' : 'failed', reasonOf(error));
    }
  }

  #set(state: DiskState, reason: string | undefined): void {
    const changed = state !== this.#state;
    this.#state = state;
    this.#reason = reason;
    if (!changed) return;
    if (state === 'ok') this.#settings.log.info({}, 'the disk tier works again');
    else this.#settings.log.error({ state, reason }, 'the disk tier takes no writes');
    this.#settings.onHealth(state, reason);
  }
}
