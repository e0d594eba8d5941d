/** Something said to every member of the cell. */
export interface Announcement {
  readonly topic: string;
  readonly message: Buffer;
}

const topicPattern = /^[\w./-]{1,64}$/;
export const announcementBytesMax = 16 * 1024;

/** Length of the topic u16, topic, message. Throws RangeError when either is out of bounds. */
export function encodeAnnouncement(topic: string, message: Uint8Array): Buffer {
  if (!topicPattern.test(topic))
    throw new RangeError(`${JSON.stringify(topic)} is no topic: 1 to 64 of A-Z a-z 0-9 _ . / -`);
  if (message.length > announcementBytesMax)
    throw new RangeError(`an announcement of ${message.length} bytes: at most ${announcementBytesMax} are allowed`);
  const head = Buffer.alloc(2);
  head.writeUInt16BE(topic.length);
  return Buffer.concat([head, Buffer.from(topic), message]);
}

/** Undefined when it is none. The message is a view of `payload`. */
export function decodeAnnouncement(payload: Buffer): Announcement | undefined {
  if (payload.length < 2) return undefined;
  const length = payload.readUInt16BE();
  const topic = payload.toString('latin1', 2, 2 + length);
  const message = payload.subarray(2 + length);
  if (topic.length !== length || !topicPattern.test(topic) || message.length > announcementBytesMax) return undefined;
  return { topic, message };
}

const perSecond = 50;
const burst = 100;

/** Lets through fifty in a second, a hundred at once. */
export class AnnouncementRate {
  #left = burst;
  #filledMs: number;

  constructor(nowMs: number) {
    this.#filledMs = nowMs;
  }

  /** Whether one more is in order now. */
  take(nowMs: number): boolean {
    this.#left = Math.min(burst, this.#left + (Math.max(0, nowMs - this.#filledMs) * perSecond) / 1000);
    this.#filledMs = nowMs;
    if (this.#left < 1) return false;
    this.#left -= 1;
    return true;
  }
}
