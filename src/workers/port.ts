import type { Transferable } from 'node:worker_threads';

/** One end of the way between two threads; a MessagePort is one. Messages arrive in order. */
export interface Port<Sent> {
  postMessage(message: Sent, transfer?: readonly Transferable[]): void;
}
