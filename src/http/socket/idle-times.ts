import type { Socket } from 'node:net';

/** For how long connections have rested, as far as somebody looked. */
export class IdleTimes {
  readonly #seen = new WeakMap<Socket, { readonly bytes: number; readonly sinceMs: number }>();

  /** Milliseconds for which each look found it idle, with nothing read or written since the look before. */
  ofMs(socket: Socket, { idle, nowMs }: { idle: boolean; nowMs: number }): number {
    const bytes = socket.bytesRead + socket.bytesWritten;
    const seen = this.#seen.get(socket);
    if (idle && seen?.bytes === bytes) return nowMs - seen.sinceMs;
    this.#seen.set(socket, { bytes, sinceMs: nowMs });
    return 0;
  }
}
