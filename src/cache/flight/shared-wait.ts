import { viewerGone } from '../../errors.ts';

/** Waits for something shared without letting one waiter's leaving touch it. */
export async function unlessAborted<T>(shared: Promise<T>, signal: AbortSignal): Promise<T> {
  const left = Promise.withResolvers<never>();
  const leave = (): void => left.reject(viewerGone());
  if (signal.aborted) leave();
  signal.addEventListener('abort', leave);
  try {
    return await Promise.race([shared, left.promise]);
  } finally {
    signal.removeEventListener('abort', leave);
  }
}
