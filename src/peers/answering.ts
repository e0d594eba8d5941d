import { hash } from 'node:crypto';
import { creditBytes } from './exchange.ts';
import { PeerError, reasonOf } from './failure.ts';
import type { FramedStream } from './framed-stream.ts';
import { dataBytesMax, dataFrameHead, encodeFrame, withId, writeOffset } from './frames.ts';
import type { KeptDigests } from './kept-digests.ts';
import type { Described, Manifests } from './manifests.ts';
import type { StatusMessage } from './messages.ts';
import { contentRange } from './range.ts';
import type { ResponseOutcome } from './responder.ts';
import { keyBytes, mayGivePeers } from './shareable.ts';
import { SliceDigests } from './slices.ts';
import type { PeerAnswer, PeerRequest, PeerSource } from './source.ts';
import type { UploadBudget } from './upload-budget.ts';

export interface AnsweringOptions {
  readonly id: number;
  readonly source: PeerSource;
  readonly budget: UploadBudget;
  readonly digests: KeptDigests;
  readonly manifests: Manifests;
  readonly bulk: () => Promise<FramedStream>;
  readonly send: (frame: Buffer) => void;
  /** False when it cannot be sent: fields that the other side would not take. */
  readonly sendStatus: (status: StatusMessage) => boolean;
  readonly onBytes: (bytes: number) => void;
}

/** An answer that is not there by then is announced. */
const pendingAfterMs = 10;
/** How often the peer is told that we wait too. */
const waitingEveryMs = 150;
/** Fields of one connection (RFC 9110 section 7.6.1), which say nothing to the peer. */
const hopByHop = ['connection', 'keep-alive', 'transfer-encoding', 'te', 'trailer', 'upgrade', 'proxy-connection'];
const reasonLengthMax = 200;

/** One answer to a peer: its status at once, its head when it is there, its body as it comes. */
export class Answering {
  readonly #request: PeerRequest;
  readonly #options: AnsweringOptions;
  readonly #controller = new AbortController();
  #credit = creditBytes;
  #credited: PromiseWithResolvers<void> | undefined;
  #position = 0;
  /** Whether the source is what everybody waits for. */
  #idle = true;
  #announced = false;

  constructor(request: PeerRequest, options: AnsweringOptions) {
    this.#request = request;
    this.#options = options;
  }

  addCredit(bytes: number): void {
    if (bytes > creditBytes) throw new PeerError('broken', `credit for ${bytes} bytes at once`);
    this.#credit += bytes;
    this.#credited?.resolve();
  }

  stop(error: PeerError): void {
    this.#controller.abort(error);
    this.#credited?.resolve();
  }

  /** Resolves to how it ended. Never rejects. */
  async run(): Promise<ResponseOutcome> {
    const pending = setTimeout(() => this.#announce(), pendingAfterMs);
    const waiting = setInterval(() => this.#tellWaiting(), waitingEveryMs);
    try {
      return await this.#answer();
    } catch (error) {
      if (!this.#controller.signal.aborted) this.#fail(reasonOf(error));
      return error instanceof PeerError ? error.failure : this.#controller.signal.aborted ? 'aborted' : 'broken';
    } finally {
      clearTimeout(pending);
      clearInterval(waiting);
      this.#controller.abort();
    }
  }

  async #answer(): Promise<ResponseOutcome> {
    const { sendStatus, source } = this.#options;
    const { signal } = this.#controller;
    let answer: PeerAnswer | 'denied' | undefined;
    try {
      answer = await source.open(this.#request, signal);
    } catch (error) {
      // What we could not get either is a miss: the peer has its own way to the origin.
      if (signal.aborted) throw error;
    }
    if (answer === undefined || answer === 'denied') {
      sendStatus({ answer: answer ?? 'miss' });
      return answer ?? 'miss';
    }
    const iterator = answer.body[Symbol.asyncIterator]();
    try {
      signal.throwIfAborted();
      if (!mayGivePeers(answer.fields) || answer.completeLength === keyBytes) {
        sendStatus({ answer: 'denied' });
        return 'denied';
      }
      const { status, completeLength = null } = answer;
      const outcome = this.#announced ? 'pending' : 'have';
      this.#announced = true;
      const described = this.#described(answer);
      const manifest = answer.manifest ?? this.#signedByOthers(answer, described);
      if (manifest !== undefined && manifest.length <= dataBytesMax)
        this.#options.send(encodeFrame('manifest', withId(this.#options.id, manifest)));
      const fields = answer.fields.without(hopByHop).raw;
      if (!sendStatus({ answer: 'have', head: { status, fields, completeLength } })) {
        sendStatus({ answer: 'miss' });
        return 'miss';
      }
      const own = described !== undefined && answer.fetchedHere === true && answer.buffersAreKept === true;
      const slices = own ? new SliceDigests(described.first, { ...described, kept: this.#options.digests }) : undefined;
      await this.#sendBody(iterator, { kept: answer.buffersAreKept === true, slices });
      const signed = slices && described && this.#options.manifests.sign(described, slices);
      await this.#sendEnd(await (answer.signed?.() ?? signed));
      return outcome;
    } finally {
      void iterator.return?.()?.catch(() => {});
    }
  }

  /** Undefined where nothing could be said of the bytes by slices. */
  #described({ status, fields, completeLength }: PeerAnswer): Described | undefined {
    if (completeLength === undefined || (status !== 200 && status !== 206)) return undefined;
    const first = status === 206 ? contentRange(fields.get('content-range'))?.first : 0;
    return first === undefined ? undefined : { key: this.#request.key, fields, first, completeLength };
  }

  #signedByOthers({ fetchedHere, peek }: PeerAnswer, described: Described | undefined): Buffer | undefined {
    if (fetchedHere !== false || described === undefined || peek === undefined) return undefined;
    const { manifests, digests } = this.#options;
    return manifests.of(described, peek, digests);
  }

  async #sendBody(
    iterator: AsyncIterator<Buffer>,
    { kept, slices }: { kept: boolean; slices: SliceDigests | undefined },
  ): Promise<void> {
    const bulk = await this.#options.bulk();
    for (;;) {
      this.#idle = true;
      const { done, value } = await this.#unlessStopped(iterator.next());
      this.#idle = false;
      if (done) return;
      slices?.push(value);
      for (let at = 0; at < value.length; at += dataBytesMax)
        await this.#sendData(bulk, value.subarray(at, at + dataBytesMax), kept);
    }
  }

  async #sendData(bulk: FramedStream, bytes: Buffer, kept: boolean): Promise<void> {
    const { signal } = this.#controller;
    while (this.#credit < bytes.length) {
      this.#credited = Promise.withResolvers<void>();
      await this.#credited.promise;
      signal.throwIfAborted();
    }
    this.#credit -= bytes.length;
    await this.#options.budget.take(bytes.length, signal);
    const digest = kept ? this.#options.digests.of(bytes) : hash('sha256', bytes, 'buffer');
    const head = dataFrameHead(this.#options.id, this.#position, { digest, length: bytes.length });
    await bulk.write(() => (signal.aborted ? [] : [head, bytes]));
    signal.throwIfAborted();
    this.#position += bytes.length;
    this.#options.onBytes(bytes.length);
  }

  async #sendEnd(manifest: Buffer | undefined): Promise<void> {
    const { id } = this.#options;
    const bulk = await this.#options.bulk();
    const end = encodeFrame('end', withId(id, offset(this.#position)));
    if (manifest === undefined || manifest.length > dataBytesMax) return bulk.write(() => [end]);
    return bulk.write(() => [encodeFrame('manifest', withId(id, manifest)), end]);
  }

  /** The source may not heed the signal; nobody waits for it then. */
  #unlessStopped<T>(promise: Promise<T>): Promise<T> {
    const { signal } = this.#controller;
    const { promise: stopped, reject } = Promise.withResolvers<never>();
    const stop = () => reject(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
    return Promise.race([promise, stopped]).finally(() => signal.removeEventListener('abort', stop));
  }

  #announce(): void {
    if (this.#announced) return;
    this.#announced = true;
    this.#options.sendStatus({ answer: 'pending' });
  }

  #tellWaiting(): void {
    if (!this.#idle) return;
    this.#options.send(encodeFrame('waiting', withId(this.#options.id, offset(this.#position))));
  }

  #fail(reason: string): void {
    const payload = withId(this.#options.id, Buffer.from(reason.slice(0, reasonLengthMax)));
    void this.#options.bulk().then(
      (bulk) => bulk.send(encodeFrame('fail', payload)),
      () => {},
    );
  }
}

function offset(value: number): Buffer {
  const encoded = Buffer.alloc(8);
  writeOffset(encoded, value, 0);
  return encoded;
}
