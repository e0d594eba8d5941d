import { blake3 } from '../blake3.ts';
import { PeerError } from '../failure.ts';
import type { KeptDigests } from '../integrity/kept-digests.ts';
import { signedBytesMax, sliceBytes } from '../integrity/manifest.ts';
import type { FramedStream } from '../wire/framed-stream.ts';
import { creditBytes, dataFrameHead } from '../wire/frames.ts';
import type { UploadBudget } from './upload-budget.ts';

interface BodySenderOptions {
  readonly id: number;
  readonly budget: UploadBudget;
  readonly digests: KeptDigests;
  readonly signal: AbortSignal;
  readonly onBytes: (bytes: number) => void;
}

/** The first frame of a body is one TLS record of 16 KiB, with all its headers: a viewer waits for it. */
const firstBytesMax = 16 * 1024 - 64;

/**
 * Sends one body as data frames: each with its digest, within the credit and the upload budget. A frame is a slice, where
 * all of it is there, so that it is hashed once for the peer and for the manifest. Of longer frames each is one segment of
 * the loopback device, and one that does not fit the receiver's window, 64 KiB at first, waits whole until an
 * acknowledgement is due: 40 ms.
 */
export class BodySender {
  /** Whether the source is what everybody waits for. */
  idle = true;
  position = 0;
  /** What was sent of a body that is to be signed: what lies side by side in memory as one buffer. */
  readonly sent: Buffer[] = [];
  readonly #options: BodySenderOptions;
  #credit = creditBytes;
  /** Who waits for credit, and for the source. */
  #wake: (() => void) | undefined;
  #giveUp: ((reason: unknown) => void) | undefined;

  constructor(options: BodySenderOptions) {
    this.#options = options;
  }

  addCredit(bytes: number): void {
    if (bytes > creditBytes) throw new PeerError('broken', `credit for ${bytes} bytes at once`);
    this.#credit += bytes;
    this.#wake?.();
  }

  /** Its signal was aborted: nobody waits for the source or for credit any more. */
  stopped(): void {
    this.#giveUp?.(this.#options.signal.reason);
    this.#wake?.();
  }

  /**
   * `first`: where the body begins in its representation. `kept`: whether the memory of its buffers is never written to
   * again. `signed`: and whether it is to be signed.
   */
  async send(
    iterator: AsyncIterator<Buffer>,
    { bulk, first, kept, signed }: { bulk: FramedStream; first: number; kept: boolean; signed: boolean },
  ): Promise<void> {
    for (;;) {
      this.#options.signal.throwIfAborted();
      this.idle = true;
      const { done, value } = await this.#next(iterator);
      this.idle = false;
      if (done) return;
      if (signed && this.position <= signedBytesMax) addTo(this.sent, value);
      for (let at = 0; at < value.length; ) {
        const sliceLeft = sliceBytes - ((first + this.position) % sliceBytes);
        const part = value.subarray(at, at + (this.position === 0 ? Math.min(firstBytesMax, sliceLeft) : sliceLeft));
        await this.#sendData(bulk, part, kept);
        at += part.length;
      }
    }
  }

  async #sendData(bulk: FramedStream, bytes: Buffer, kept: boolean): Promise<void> {
    const { signal, budget, digests, id } = this.#options;
    while (this.#credit < bytes.length) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
      signal.throwIfAborted();
    }
    this.#credit -= bytes.length;
    if (budget.isLimited) await budget.take(bytes.length, signal);
    const digest = kept ? digests.of(bytes) : blake3(bytes);
    const head = dataFrameHead(id, this.position, { digest, length: bytes.length });
    await bulk.write(() => (signal.aborted ? [] : [head, bytes]));
    signal.throwIfAborted();
    this.position += bytes.length;
    this.#options.onBytes(bytes.length);
  }

  /** The source may not heed the signal; nobody waits for it then. */
  #next(iterator: AsyncIterator<Buffer>): Promise<IteratorResult<Buffer>> {
    const { promise, resolve, reject } = Promise.withResolvers<IteratorResult<Buffer>>();
    // No function of our own: it would have to be named first (docs/glossary.md).
    this.#giveUp = reject;
    iterator.next().then(resolve, reject);
    return promise;
  }
}

function addTo(sent: Buffer[], bytes: Buffer): void {
  const before = sent.at(-1);
  if (before?.buffer !== bytes.buffer || before.byteOffset + before.length !== bytes.byteOffset) sent.push(bytes);
  else sent[sent.length - 1] = Buffer.from(before.buffer, before.byteOffset, before.length + bytes.length);
}
