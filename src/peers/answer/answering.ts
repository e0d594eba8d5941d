import { once } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import { messageOf } from '../../errors.ts';
import { contentLengthOf } from '../../semantics/content-length.ts';
import { parseContentRange } from '../../semantics/content-range.ts';
import { endToEnd } from '../../semantics/hop-by-hop.ts';
import { PeerError } from '../failure.ts';
import type { KeptDigests } from '../integrity/kept-digests.ts';
import { sliceBytes } from '../integrity/manifest.ts';
import type { Described, Manifests } from '../integrity/manifests.ts';
import { keyBytes, mayGivePeers } from '../shareable.ts';
import type { FramedStream } from '../wire/framed-stream.ts';
import { dataBytesMax, dataFrameHead, encodeFrame, withId, writeOffset } from '../wire/frames.ts';
import { encodeStatus, type StatusMessage } from '../wire/messages.ts';
import { BodySender } from './body-sender.ts';
import type { ResponseOutcome } from './responder.ts';
import type { PeerAnswer, PeerRequest, PeerSource } from './source.ts';
import type { UploadBudget } from './upload-budget.ts';

interface AnsweringOptions {
  readonly id: number;
  readonly source: PeerSource;
  readonly budget: UploadBudget;
  readonly digests: KeptDigests;
  readonly manifests: Manifests;
  readonly bulk: () => Promise<FramedStream>;
  /** On the control stream. */
  readonly send: (...frames: readonly Buffer[]) => void;
  /** Whether nothing waits to be sent on the control stream. */
  readonly isClear: () => boolean;
  /** False when it cannot be sent: fields that the other side would not take. */
  readonly sendStatus: (status: StatusMessage) => boolean;
  readonly onBytes: (bytes: number) => void;
  /** What is waited for first. Never rejects. */
  readonly after: Promise<unknown> | undefined;
}

/** A body up to here that is at hand goes with its status, in one write: each message takes longer than its bytes. */
const smallBytesMax = sliceBytes;
/** An answer that is not there by then is announced. */
const pendingAfterMs = 10;
/** How often the peer is told that we wait too. */
const waitingEveryMs = 150;
const reasonLengthMax = 200;
/** Why nobody works for an answer any more that has ended. Made once: an error of its own costs a stack trace each time. */
const over = new PeerError('aborted', 'the answer has ended');

/** One answer to a peer: its status at once, its head when it is there, its body as it comes. */
export class Answering {
  readonly #request: PeerRequest;
  readonly #options: AnsweringOptions;
  readonly #controller = new AbortController();
  readonly #sender: BodySender;
  #announced = false;

  constructor(request: PeerRequest, options: AnsweringOptions) {
    this.#request = request;
    this.#options = options;
    this.#sender = new BodySender({ ...options, signal: this.#controller.signal });
  }

  addCredit(bytes: number): void {
    this.#sender.addCredit(bytes);
  }

  stop(error: PeerError): void {
    this.#controller.abort(error);
    this.#sender.stopped();
  }

  /** Resolves to how it ended. Never rejects. */
  async run(): Promise<ResponseOutcome> {
    const pending = setTimeout(() => this.#announce(), pendingAfterMs);
    const waiting = setInterval(() => this.#tellWaiting(), waitingEveryMs);
    try {
      return await this.#answer();
    } catch (error) {
      const { aborted } = this.#controller.signal;
      if (!aborted) this.#fail(messageOf(error));
      if (error instanceof PeerError) return error.failure;
      return aborted ? 'aborted' : 'broken';
    } finally {
      clearTimeout(pending);
      clearInterval(waiting);
      this.#controller.abort(over);
    }
  }

  async #answer(): Promise<ResponseOutcome> {
    const answer = await this.#open();
    if (typeof answer === 'string') {
      this.#options.sendStatus({ answer });
      return answer;
    }
    const iterator = answer.body[Symbol.asyncIterator]();
    try {
      this.#controller.signal.throwIfAborted();
      return await this.#give(answer, iterator);
    } finally {
      void iterator.return?.()?.catch(() => {});
    }
  }

  /** What there is to give, or why nothing is given. */
  async #open(): Promise<PeerAnswer | 'miss' | 'denied'> {
    const { source, after } = this.#options;
    const { signal } = this.#controller;
    if (after !== undefined) await Promise.race([after, once(signal, 'abort')]);
    signal.throwIfAborted();
    try {
      return (await source.open(this.#request, signal)) ?? 'miss';
    } catch (error) {
      // What we could not get either is a miss: the peer has its own way to the origin.
      if (signal.aborted) throw error;
      return 'miss';
    }
  }

  async #give(answer: PeerAnswer, body: AsyncIterator<Buffer>): Promise<ResponseOutcome> {
    const { id, send, sendStatus, isClear, budget, bulk, manifests } = this.#options;
    if (!mayGivePeers(answer.fields) || answer.completeLength === keyBytes) {
      sendStatus({ answer: 'denied' });
      return 'denied';
    }
    const { status, completeLength = null } = answer;
    const outcome = this.#announced ? 'pending' : 'have';
    this.#announced = true;
    const described = this.#described(answer);
    // Of what this node fetched itself, be it that it is still arriving.
    const isSigned = answer.fetchedHere === true && answer.buffersAreKept === true && described !== undefined;
    const manifest = await this.#signedByOthers(answer, described);
    if (manifest !== undefined && manifest.length <= dataBytesMax) send(encodeFrame('manifest', withId(id, manifest)));
    const head = { answer: 'have', head: { status, fields: endToEnd(answer.fields).raw, completeLength } } as const;
    const small = smallBody(answer, described);
    if (small !== undefined && isClear() && !budget.isLimited) {
      const own = isSigned ? await manifests.sign(small.described, [small.bytes]) : undefined;
      this.#controller.signal.throwIfAborted();
      if (this.#sendSmall(head, small.bytes, own)) return outcome;
    }
    if (!sendStatus(head)) {
      sendStatus({ answer: 'miss' });
      return 'miss';
    }
    const first = described?.first ?? 0;
    const kept = answer.buffersAreKept === true;
    await this.#sender.send(body, { bulk: await bulk(), first, kept, signed: isSigned });
    // The last frames leave before anything is hashed: viewers wait for those, and for no manifest.
    await turn();
    await this.#sendEnd(isSigned ? await manifests.sign(described, this.#sender.sent) : undefined);
    return outcome;
  }

  /** Status and body together. False when the other side would not take the status. */
  #sendSmall(status: StatusMessage, bytes: Buffer, manifest: Buffer | undefined): boolean {
    const { id, digests, send, onBytes } = this.#options;
    const encoded = encodeStatus(status);
    if (encoded === undefined) return false;
    const data = dataFrameHead(id, 0, { digest: digests.of(bytes), length: bytes.length });
    const signed = manifest === undefined ? [] : [encodeFrame('manifest', withId(id, manifest))];
    const end = encodeFrame('end', withId(id, offset(bytes.length)));
    send(encodeFrame('status', withId(id, encoded)), data, bytes, ...signed, end);
    onBytes(bytes.length);
    return true;
  }

  /** Undefined where nothing could be said of the bytes by slices. */
  #described({ status, fields, completeLength }: PeerAnswer): Described | undefined {
    if (completeLength === undefined || (status !== 200 && status !== 206)) return undefined;
    const first = status === 206 ? parseContentRange(fields.get('content-range'))?.first : 0;
    return first === undefined ? undefined : { key: this.#request.key, fields, first, completeLength };
  }

  async #signedByOthers(answer: PeerAnswer, described: Described | undefined): Promise<Buffer | undefined> {
    const { fetchedHere, buffersAreKept, peek } = answer;
    if (fetchedHere !== false || buffersAreKept !== true || described === undefined || peek === undefined)
      return undefined;
    return this.#options.manifests.of(described, peek);
  }

  async #sendEnd(manifest: Buffer | undefined): Promise<void> {
    const { id } = this.#options;
    const bulk = await this.#options.bulk();
    const end = encodeFrame('end', withId(id, offset(this.#sender.position)));
    if (manifest === undefined || manifest.length > dataBytesMax) return bulk.write(() => [end]);
    return bulk.write(() => [encodeFrame('manifest', withId(id, manifest)), end]);
  }

  #announce(): void {
    if (this.#announced) return;
    this.#announced = true;
    this.#options.sendStatus({ answer: 'pending' });
  }

  #tellWaiting(): void {
    if (!this.#sender.idle) return;
    this.#options.send(encodeFrame('waiting', withId(this.#options.id, offset(this.#sender.position))));
  }

  #fail(reason: string): void {
    const payload = withId(this.#options.id, Buffer.from(reason.slice(0, reasonLengthMax)));
    void this.#options.bulk().then(
      (bulk) => bulk.send(encodeFrame('fail', payload)),
      () => {},
    );
  }
}

/** All of a body that is short, in memory that is never written to again, and within one slice; undefined: it is none of that. */
function smallBody({ fields, peek, buffersAreKept }: PeerAnswer, described: Described | undefined) {
  const length = contentLengthOf(fields) ?? 0;
  if (described === undefined || buffersAreKept !== true || length < 1 || length > smallBytesMax) return undefined;
  const [bytes, ...more] = peek?.() ?? [];
  const isInSlice = (described.first % sliceBytes) + length <= sliceBytes;
  return bytes?.length === length && more.length === 0 && isInSlice ? { bytes, described } : undefined;
}

function offset(value: number): Buffer {
  const encoded = Buffer.alloc(8);
  writeOffset(encoded, value, 0);
  return encoded;
}
