import { announcementBytesMax } from '../../peers/wire/announcement.ts';

/** What a message says around its list: JSON before the first item and behind the last. */
interface Around {
  readonly start: string;
  readonly end: string;
}

/** One announcement, and the items it has. */
interface Part {
  readonly items: readonly string[];
  readonly message: Buffer;
}

/** Whether an announcement has room for this item, which is JSON. */
export function fits(around: Around, item: string): boolean {
  return bytesOf(item) <= bytesLeft(around);
}

/** Announcements that have all items, which fit, in order: as many in each as it holds. */
export function* announcementsOf(around: Around, items: Iterable<string>): Generator<Part, void, undefined> {
  let part: string[] = [];
  let left = bytesLeft(around);
  for (const item of items) {
    const bytes = bytesOf(item);
    if (bytes > left && part.length > 0) {
      yield { items: part, message: messageOf(around, part) };
      part = [];
      left = bytesLeft(around);
    }
    part.push(item);
    left -= bytes;
  }
  if (part.length > 0) yield { items: part, message: messageOf(around, part) };
}

function messageOf({ start, end }: Around, items: readonly string[]): Buffer {
  return Buffer.from(`${start}${items.join(',')}${end}`);
}

function bytesLeft({ start, end }: Around): number {
  return announcementBytesMax - Buffer.byteLength(start) - Buffer.byteLength(end);
}

/** In UTF-8, with the comma behind it. */
function bytesOf(item: string): number {
  return Buffer.byteLength(item) + 1;
}
