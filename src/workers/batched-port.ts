import type { MessagePort, Transferable } from 'node:worker_threads';
import type { Port } from './port.ts';

/**
 * Messages of one turn of the event loop travel together: it is the waking of the other thread that costs, not what it
 * is told. The other end gets them with `receiveAll`.
 */
export class BatchedPort<Sent> implements Port<Sent> {
  readonly #port: MessagePort;
  #waiting: Sent[] = [];
  #transfer: Transferable[] = [];

  constructor(port: MessagePort) {
    this.#port = port;
  }

  postMessage(message: Sent, transfer: readonly Transferable[] = []): void {
    if (this.#waiting.length === 0) setImmediate(() => this.#flush());
    this.#waiting.push(message);
    this.#transfer.push(...transfer);
  }

  #flush(): void {
    const [messages, transfer] = [this.#waiting, this.#transfer];
    this.#waiting = [];
    this.#transfer = [];
    this.#port.postMessage(messages, transfer);
  }
}

/** Calls `receive` with each message that the BatchedPort at the other end sends, in order. */
export function receiveAll<Received>(port: MessagePort, receive: (message: Received) => void): void {
  port.on('message', (messages: readonly Received[]) => {
    for (const message of messages) receive(message);
  });
}
