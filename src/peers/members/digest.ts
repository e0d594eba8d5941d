import { hash } from 'node:crypto';

/** Size of a digest. 13 bits each for 10,000 groups (40 GB in whole windows): 0.2% of answers are false; 4% at 20,000. */
export const digestBytes = 16 * 1024;
const bits = digestBytes * 8;
const probes = 7;
/** A change is told in blocks of this size. */
const blockBytes = 64;
const blocks = digestBytes / blockBytes;

/**
 * What this node holds, as a Bloom filter of groups that can also forget. `full` and `changes` are what peers are sent:
 * the filter once, 16 KiB, then 66 bytes for each block that changed since `changes` was last taken.
 */
export class HeldDigest {
  readonly #bytes = Buffer.alloc(digestBytes);
  /** How many held groups set that bit; 255 is never counted down again. */
  readonly #counts = new Uint8Array(bits);
  readonly #changed = new Set<number>();

  add(group: string): void {
    for (const bit of bitsOf(group)) {
      const count = this.#counts[bit] ?? 0;
      if (count < 255) this.#counts[bit] = count + 1;
      if (count === 0) this.#write(bit, true);
    }
  }

  /** Only for what was added before. */
  remove(group: string): void {
    for (const bit of bitsOf(group)) {
      const count = this.#counts[bit] ?? 0;
      if (count === 0 || count === 255) continue;
      this.#counts[bit] = count - 1;
      if (count === 1) this.#write(bit, false);
    }
  }

  /** A copy. */
  full(): Buffer {
    return Buffer.from(this.#bytes);
  }

  /** The oldest changed blocks, as many as fit in `bytesMax`; undefined when nothing changed. Taken only once. */
  takeChanges(bytesMax: number): Buffer | undefined {
    const taken = [...this.#changed].slice(0, Math.floor(bytesMax / (2 + blockBytes)));
    if (taken.length === 0) return undefined;
    const encoded = Buffer.alloc(taken.length * (2 + blockBytes));
    taken.forEach((block, i) => {
      const at = i * (2 + blockBytes);
      encoded.writeUInt16BE(block, at);
      this.#bytes.copy(encoded, at + 2, block * blockBytes, (block + 1) * blockBytes);
      this.#changed.delete(block);
    });
    return encoded;
  }

  #write(bit: number, set: boolean): void {
    const at = bit >>> 3;
    const mask = 1 << (bit & 7);
    const byte = this.#bytes[at] ?? 0;
    this.#bytes[at] = set ? byte | mask : byte & ~mask;
    this.#changed.add(Math.floor(at / blockBytes));
  }
}

/** What a peer says it holds. */
export class PeerDigest {
  #bytes: Buffer | undefined;

  /** Whether it claims to hold that group: sometimes wrongly, and until it has told anything never. */
  claims(group: string): boolean {
    const bytes = this.#bytes;
    if (bytes === undefined) return false;
    for (const bit of bitsOf(group)) if (((bytes[bit >>> 3] ?? 0) & (1 << (bit & 7))) === 0) return false;
    return true;
  }

  /** False when it is no digest: then nothing changed. */
  replace(full: Buffer): boolean {
    if (full.length !== digestBytes) return false;
    this.#bytes = Buffer.from(full);
    return true;
  }

  /** False when these are no changes, or nothing was there to change. */
  change(changes: Buffer): boolean {
    const size = 2 + blockBytes;
    if (this.#bytes === undefined || changes.length % size !== 0) return false;
    for (let at = 0; at < changes.length; at += size) if (changes.readUInt16BE(at) >= blocks) return false;
    for (let at = 0; at < changes.length; at += size)
      changes.copy(this.#bytes, changes.readUInt16BE(at) * blockBytes, at + 2, at + size);
    return true;
  }
}

/** Each member's digest is asked for the same group, one after the other. */
let last: { readonly group: string; readonly bits: readonly number[] } = { group: '', bits: [] };

function bitsOf(group: string): readonly number[] {
  if (last.group !== group || last.bits.length === 0) last = { group, bits: hashed(group) };
  return last.bits;
}

/** Double hashing (Kirsch and Mitzenmacher): as good as `probes` hashes. */
function hashed(group: string): number[] {
  const digest = hash('sha256', group, 'buffer');
  const [start, step] = [digest.readUInt32BE(0), (digest.readUInt32BE(4) | 1) >>> 0];
  return Array.from({ length: probes }, (_, i) => (start + i * step) % bits);
}
