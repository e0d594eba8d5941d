import { Fields } from '../../fields.ts';
import { contentLengthOf } from '../../semantics/content-length.ts';
import { blake3 } from '../blake3.ts';
import { PeerError } from '../failure.ts';
import type { Member } from '../members/member.ts';
import type { FrameMemory } from '../wire/frame-memory.ts';
import { creditBytes, encodeFrame } from '../wire/frames.ts';
import type { HeadMessage, StatusMessage, StatusName } from '../wire/messages.ts';
import { ProgressFloor } from './progress.ts';

/** Credit is given back in steps of this size. */
const creditStepBytes = 512 * 1024;
const checkEveryMs = 100;
/** A check later than this is no check of the peer. */
const stalledMsMax = 50;
/** Longest silence between a peer's signs of life while it fetches the head. */
const silenceMsMax = 700;
/** Longest wait for a head, and for the next byte, whatever the peer says. */
const headMsMax = 20_000;
const byteMsMax = 10_000;

interface PeerExchangeOptions {
  readonly member: Member;
  readonly send: (frame: Buffer) => void;
  readonly onEnded: () => void;
  /** Where the memory of data frames comes from, and goes back to. */
  readonly memory: Pick<FrameMemory, 'giveBack'>;
  /** Nobody is expected to be faster: the peer's word that it waits too is enough. */
  readonly patient: boolean;
}

/** One request to a peer, from our side: its status, its head and its body. */
export class PeerExchange implements AsyncIterable<Buffer> {
  /** What the peer said first. Rejects with PeerError. */
  readonly status: Promise<StatusName>;
  /** Undefined when the peer has nothing for us. Rejects with PeerError. */
  readonly head: Promise<HeadMessage | undefined>;
  /** What it said last. */
  answer: StatusName | undefined;
  /** BLAKE3 of the buffer that the body gave last. */
  digest: Buffer | undefined;
  /** A signed manifest, if one came. */
  manifest: Buffer | undefined;
  /** The same, where it came before the head: the body is to be checked with it. */
  shown: Buffer | undefined;
  readonly #id: number;
  readonly #options: PeerExchangeOptions;
  readonly #statusGate = Promise.withResolvers<StatusName>();
  readonly #headGate = Promise.withResolvers<HeadMessage | undefined>();
  readonly #queue: { readonly bytes: Buffer; readonly digest: Buffer }[] = [];
  readonly #startedMs = performance.now();
  readonly #timer: NodeJS.Timeout;
  #heardMs = performance.now();
  #checkedMs = performance.now();
  #progress: ProgressFloor | undefined;
  #bodyStartMs = 0;
  #queuedBytes = 0;
  #uncreditedBytes = 0;
  #position = 0;
  #complete = false;
  #headed = false;
  #error: PeerError | undefined;
  #over = false;
  #moved: PromiseWithResolvers<void> | undefined;

  constructor(id: number, options: PeerExchangeOptions) {
    this.#id = id;
    this.#options = options;
    this.status = this.#statusGate.promise;
    this.head = this.#headGate.promise;
    this.status.catch(() => {});
    this.head.catch(() => {});
    this.#timer = setInterval(() => this.#check(performance.now()), checkEveryMs);
  }

  onStatus({ answer, head }: StatusMessage): void {
    this.#heardMs = performance.now();
    this.#statusGate.resolve(answer);
    this.answer = answer;
    if (answer === 'pending') return;
    if (answer !== 'have' || head === undefined) {
      this.#headGate.resolve(undefined);
      this.#finish();
      return;
    }
    this.shown = this.manifest;
    this.#startBody();
    this.#headed = true;
    const length = contentLengthOf(new Fields(head.fields));
    if (length !== undefined) this.#progress?.expect(length);
    this.#headGate.resolve(head);
    if (this.#complete) this.#finish();
  }

  /** The peer lives and waits for the origin; it has sent all it has, up to `position`. */
  onWaiting(position: number): void {
    this.#heardMs = performance.now();
    this.#progress?.waiting(position, this.#heardMs);
  }

  /** Throws when the peer breaks the protocol; wrong bytes fail only this exchange. */
  onData(position: number, digest: Buffer, bytes: Buffer): void {
    if (this.#error !== undefined) return;
    const { length } = bytes;
    if (this.#complete || position !== this.#position)
      throw new PeerError('broken', `data at ${position}, not ${this.#position}`);
    if (this.#queuedBytes + this.#uncreditedBytes + length > creditBytes + creditStepBytes)
      throw new PeerError('broken', 'more data than was allowed');
    if (!blake3(bytes).equals(digest)) return this.fail(new PeerError('corrupt', `wrong bytes at ${position}`));
    this.#startBody();
    this.#progress?.bytes(length, performance.now());
    this.#options.member.bytesIn += length;
    this.#position += length;
    this.#queuedBytes += length;
    this.#queue.push({ bytes, digest });
    this.#wake();
  }

  onEnd(position: number): void {
    if (this.#error !== undefined) return;
    if (position !== this.#position)
      return this.fail(new PeerError('broken', `ended at ${position}, not ${this.#position}`));
    this.#complete = true;
    this.#options.member.received(this.#position, performance.now() - this.#bodyStartMs);
    // A short body may overtake its head, which comes by another connection.
    if (this.#headed) this.#finish();
    this.#wake();
  }

  /** Breaks it off from either side. */
  fail(error: PeerError): void {
    if (this.#over) return;
    this.#error = error;
    this.#statusGate.reject(error);
    this.#headGate.reject(error);
    this.#cancel();
    this.#wake();
  }

  /** Ends it early without anybody's fault. */
  cancel(): void {
    this.fail(new PeerError('aborted', 'not wanted any more'));
  }

  /** The body, once. Throws PeerError. Buffers belong to the reader, until it says that it took them. */
  [Symbol.asyncIterator](): AsyncIterator<Buffer> {
    return {
      next: () => this.#next(),
      return: async () => {
        this.cancel();
        return { done: true, value: undefined };
      },
    };
  }

  /** The reader has copied a buffer that the body gave it: its memory may be used again. */
  taken(bytes: Buffer): void {
    this.#options.memory.giveBack(bytes);
  }

  async #next(): Promise<IteratorResult<Buffer>> {
    for (;;) {
      const frame = this.#queue.shift();
      if (frame !== undefined) {
        this.digest = frame.digest;
        this.#read(frame.bytes.length);
        return { done: false, value: frame.bytes };
      }
      if (this.#error !== undefined) throw this.#error;
      if (this.#complete) return { done: true, value: undefined };
      this.#moved ??= Promise.withResolvers<void>();
      await this.#moved.promise;
    }
  }

  #read(bytes: number): void {
    this.#queuedBytes -= bytes;
    this.#uncreditedBytes += bytes;
    if (this.#uncreditedBytes < creditStepBytes || this.#over) return;
    const payload = Buffer.alloc(8);
    payload.writeUInt32BE(this.#id);
    payload.writeUInt32BE(this.#uncreditedBytes, 4);
    this.#uncreditedBytes = 0;
    this.#options.send(encodeFrame('credit', payload));
  }

  #startBody(): void {
    if (this.#progress !== undefined) return;
    const nowMs = performance.now();
    this.#bodyStartMs = nowMs;
    const { patient, member } = this.#options;
    const { bytesPerSecond, slack } = member;
    this.#progress = new ProgressFloor({ nowMs, bytesPerSecond, silenceMsMax: byteMsMax, slack, patient });
  }

  #check(nowMs: number): void {
    const stalledMs = nowMs - this.#checkedMs - checkEveryMs;
    this.#checkedMs = nowMs;
    // It is we who were held up: what came meanwhile is still to be read.
    if (stalledMs > stalledMsMax) this.#excuse(stalledMs);
    if (this.#progress === undefined) {
      const silentMs = nowMs - this.#heardMs;
      const { slack, rttMs = 0 } = this.#options.member;
      const allowedMs = silenceMsMax * slack + 4 * rttMs;
      if (silentMs > allowedMs || nowMs - this.#startedMs > headMsMax)
        this.fail(new PeerError('timeout', `no answer for ${Math.round(silentMs)} ms`));
      return;
    }
    if (this.#queuedBytes > creditBytes - creditStepBytes) this.#progress.held(nowMs);
    else if (this.#progress.isLate(nowMs)) this.fail(new PeerError('timeout', `too slow at byte ${this.#position}`));
  }

  /** By no more than it was: on a machine that is always late a peer that says nothing must still be found out. */
  #excuse(stalledMs: number): void {
    this.#heardMs += stalledMs;
    this.#progress?.stalled(stalledMs);
  }

  #cancel(): void {
    const payload = Buffer.alloc(4);
    payload.writeUInt32BE(this.#id);
    this.#options.send(encodeFrame('cancel', payload));
    this.#finish();
  }

  #finish(): void {
    if (this.#over) return;
    this.#over = true;
    clearInterval(this.#timer);
    this.#options.onEnded();
  }

  #wake(): void {
    this.#moved?.resolve();
    this.#moved = undefined;
  }
}
