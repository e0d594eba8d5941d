import type { Socket } from 'node:net';
import { viewerGone } from '../../errors.ts';
import { isKnownRelease } from '../../libc.ts';

/** Until it is completed, the write needs its bytes. */
interface Dispatched {
  oncomplete: (status: number) => void;
  buffer: unknown;
  /** Set if it was completed before anybody could ask to be told. */
  readonly writeStatus?: number | null;
}

/** The part of a socket's handle that is used here. A number is the outcome, 0 for success: nothing is left to do. */
interface Handle {
  writeBuffer(request: null, bytes: Buffer): number | Dispatched;
  writev(request: null, chunks: readonly Buffer[], allBuffers: true): number | Dispatched;
}

/**
 * Writes to a socket past its stream, which takes as long for a small answer as all the rest of a hit. Only for when
 * nothing waits in the stream; what the stream gets meanwhile comes behind, once `hold` was called before it. The handle
 * is private to node: where it is not as expected there are no direct writes.
 */
export class DirectWrites {
  readonly #socket: Socket;
  readonly #onTaken: () => void;
  readonly #encrypted: boolean;
  #pending = false;
  #holding = false;
  #done: PromiseWithResolvers<void> | undefined;

  private constructor(socket: Socket, onTaken: () => void) {
    this.#socket = socket;
    this.#onTaken = onTaken;
    this.#encrypted = 'encrypted' in socket;
  }

  /** `onTaken`: the kernel has what it did not take at once. */
  static to(socket: Socket, onTaken: () => void): DirectWrites | undefined {
    if (!isKnownRelease || handleOf(socket) === undefined) return undefined;
    return new DirectWrites(socket, onTaken);
  }

  /** Whether something was written that the kernel has not taken. */
  get pending(): boolean {
    return this.#pending;
  }

  /** Resolves when the kernel has what was written, rejects when the viewer is gone; undefined: nothing waits. */
  get done(): Promise<void> | undefined {
    if (!this.#pending) return undefined;
    if (this.#done === undefined) {
      this.#done = Promise.withResolvers();
      this.#socket.once('close', this.#onClose);
    }
    return this.#done.promise;
  }

  /** Whether something can be written this way now. */
  get ready(): boolean {
    return this.#readyHandle() !== undefined;
  }

  /** Before something is given to the stream: TLS takes one write at a time, and a second one would end the process. */
  hold(): void {
    if (!this.#pending || !this.#encrypted || this.#holding) return;
    this.#holding = true;
    this.#socket.cork();
  }

  /** False: nothing can be written this way now. Destroys the socket where writing fails. */
  write(chunks: readonly Buffer[]): boolean {
    const socket = this.#socket;
    const handle = this.#readyHandle();
    if (handle === undefined) return false;
    const [only] = chunks;
    if (only === undefined) return true;
    const written = chunks.length === 1 ? handle.writeBuffer(null, only) : handle.writev(null, chunks, true);
    if (typeof written !== 'number') this.#await(written, chunks);
    else if (written !== 0) socket.destroy();
    return true;
  }

  #readyHandle(): Handle | undefined {
    const socket = this.#socket;
    // More behind it is for the stream, which says when it is full.
    return !this.#pending && socket.writableLength === 0 && socket.writable ? handleOf(socket) : undefined;
  }

  #await(dispatched: Dispatched, chunks: readonly Buffer[]): void {
    this.#pending = true;
    dispatched.buffer = chunks;
    const complete = (status: number): void => {
      this.#pending = false;
      if (status < 0) this.#socket.destroy();
      else this.#taken();
    };
    dispatched.oncomplete = complete;
    if (typeof dispatched.writeStatus === 'number') queueMicrotask(() => complete(dispatched.writeStatus ?? 0));
  }

  #taken(): void {
    if (this.#done !== undefined) {
      this.#socket.off('close', this.#onClose);
      this.#done.resolve();
      this.#done = undefined;
    }
    if (this.#holding) {
      this.#holding = false;
      this.#socket.uncork();
    }
    this.#onTaken();
  }

  readonly #onClose = (): void => {
    this.#done?.reject(viewerGone());
    this.#done = undefined;
  };
}

function handleOf(socket: Socket): Handle | undefined {
  const { _handle: handle } = socket as unknown as { readonly _handle?: Partial<Handle> | null };
  const usable = typeof handle?.writeBuffer === 'function' && typeof handle.writev === 'function';
  return usable ? (handle as Handle) : undefined;
}

/**
 * Grows while the viewer takes what was written: bytes given to the socket less those that still wait, as far as node
 * tells. On TLS it moves in larger steps.
 */
export function takenOf(socket: Socket): number {
  const { _handle: handle } = socket as unknown as {
    readonly _handle?: { readonly bytesWritten?: number; readonly writeQueueSize?: number } | null;
  };
  return (handle?.bytesWritten ?? 0) - (handle?.writeQueueSize ?? 0) - socket.writableLength;
}
