/** One kind of request that is measured: an object of the origin, or a range of it. */
export interface Workload {
  readonly id: string;
  readonly label: string;
  /** Complete length of the object. */
  readonly objectBytes: number;
  /** Inclusive; undefined: the whole object. */
  readonly range: { readonly first: number; readonly last: number } | undefined;
  /** Content bytes of one response. */
  readonly bodyBytes: number;
}

const kibibyte = 1024;
const mebibyte = 1024 * kibibyte;

/** From a playlist to a long segment. The range starts inside a piece, a slice and a page on purpose. */
export const workloads: readonly Workload[] = [
  whole('1k', '1 KB', kibibyte),
  {
    id: '64k-range',
    label: '64 KB of 4 MB',
    objectBytes: 4 * mebibyte,
    range: { first: 1_500_000, last: 1_500_000 + 64 * kibibyte - 1 },
    bodyBytes: 64 * kibibyte,
  },
  whole('256k', '256 KB', 256 * kibibyte),
  whole('1m', '1 MB', mebibyte),
  whole('2m', '2 MB', 2 * mebibyte),
  whole('6m', '6 MB', 6 * mebibyte),
];

export function workloadOf(id: string): Workload {
  const found = workloads.find((each) => each.id === id);
  if (found === undefined) throw new Error(`no size ${id}: must be one of ${workloads.map((each) => each.id)}`);
  return found;
}

/** Origin-form of an object; the origin reads its length from it, so any name is an object of its own. */
export function objectTarget(bytes: number, name: string): string {
  return `/o/${bytes}/${name}.m4s`;
}

/** What `objectTarget` says, or undefined for another target. */
export function readTarget(target: string): { readonly bytes: number; readonly name: string } | undefined {
  const match = /^\/o\/(\d{1,10})\/([\w.-]{1,100})\.m4s$/.exec(target);
  return match === null ? undefined : { bytes: Number(match[1]), name: match[2] ?? '' };
}

export const objectBytesMax = 64 * mebibyte;
/** Names start at different offsets of one pattern, so that one object's bytes are not taken for another's. */
const offsets = 4096;

/** The bytes all objects are cut from. Does not compress and does not repeat within an object. */
export class ObjectBytes {
  readonly #pattern: Buffer;

  constructor(bytesMax: number) {
    this.#pattern = Buffer.allocUnsafe(Math.ceil((bytesMax + offsets) / 4) * 4);
    let state = 0x2545f491;
    for (let at = 0; at < this.#pattern.length; at += 4) {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      this.#pattern.writeInt32LE(state, at);
    }
  }

  /** first .. last of that object. Shared memory: read-only. */
  slice(name: string, first: number, last: number): Buffer {
    const start = offsetOf(name);
    return this.#pattern.subarray(start + first, start + last + 1);
  }
}

function offsetOf(name: string): number {
  let hash = 0;
  for (let i = 0; i < name.length; i++) hash = (hash * 31 + name.charCodeAt(i)) | 0;
  return (hash >>> 0) % offsets;
}

function whole(id: string, label: string, bytes: number): Workload {
  return { id, label, objectBytes: bytes, range: undefined, bodyBytes: bytes };
}
