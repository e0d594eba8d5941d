import { EddyError } from '../errors.ts';
import { aborted } from './failure.ts';

/** Bounds the requests under way at once; those over it wait in order, bounded in number and time. */
export class RequestBudget {
  readonly #name: string;
  readonly #limits: { requestsMax: number; queueMax: number; queueTimeoutMs: number };
  /** Who waits, longest first: to be called when its turn has come. */
  readonly #queue = new Set<() => void>();
  #running = 0;

  constructor(name: string, limits: { requestsMax: number; queueMax: number; queueTimeoutMs: number }) {
    this.#name = name;
    this.#limits = limits;
  }

  /**
   * Resolves to the function that gives the place back; calling it again does nothing.
   * @throws EddyError origin-busy, aborted
   */
  async acquire(signal: AbortSignal): Promise<() => void> {
    if (signal.aborted) throw aborted(signal);
    if (this.#running < this.#limits.requestsMax) this.#running++;
    else await this.#wait(signal);
    let released = false;
    return () => {
      if (!released) this.#release();
      released = true;
    };
  }

  #wait(signal: AbortSignal): Promise<void> {
    const { queueMax, queueTimeoutMs } = this.#limits;
    if (this.#queue.size >= queueMax) return Promise.reject(this.#busy(`${queueMax} wait already`));
    return new Promise((resolve, reject) => {
      const leave = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', onAbort);
        this.#queue.delete(grant);
      };
      const onAbort = () => {
        leave();
        reject(aborted(signal));
      };
      const grant = () => {
        leave();
        resolve();
      };
      const timer = setTimeout(() => {
        leave();
        reject(this.#busy(`none became free within ${queueTimeoutMs} ms`));
      }, queueTimeoutMs);
      signal.addEventListener('abort', onAbort);
      this.#queue.add(grant);
    });
  }

  /** Hands the place to the longest waiting, so that it cannot be taken in between. */
  #release(): void {
    const [next] = this.#queue;
    if (next === undefined) this.#running--;
    else next();
  }

  #busy(why: string): EddyError {
    const { requestsMax } = this.#limits;
    return new EddyError('origin-busy', `all ${requestsMax} requests of origin map ${this.#name} are taken, ${why}`, {
      side: 'upstream',
      retryable: true,
    });
  }
}
