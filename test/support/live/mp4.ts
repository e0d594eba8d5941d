/** One sample of a track: an access unit or an audio frame. */
export interface MediaSample {
  readonly data: Buffer;
  readonly key: boolean;
}

/** A movie fragment to be written. */
export interface Fragment {
  /** mfhd, from 1. */
  readonly sequence: number;
  /** Ticks of the track's timescale. */
  readonly decodeTime: number;
  /** Ticks of each sample. */
  readonly sampleDuration: number;
  readonly samples: readonly MediaSample[];
}

const keyFlags = 0x02000000;
const otherFlags = 0x01010000;

/** One `moof` and its `mdat` (ISO/IEC 14496-12 section 8.8). */
export function writeFragment({ sequence, decodeTime, sampleDuration, samples }: Fragment): Buffer {
  const sizes = samples.map(({ data }) => u32(data.length));
  const [first = keyFlags] = samples.map(({ key }) => (key ? keyFlags : otherFlags));
  const moof = (dataOffset: number): Buffer =>
    box('moof', [
      box('mfhd', [u32(0), u32(sequence)]),
      box('traf', [
        // default-base-is-moof, default-sample-duration, default-sample-flags.
        box('tfhd', [u32(0x020028), u32(1), u32(sampleDuration), u32(otherFlags)]),
        box('tfdt', [u32(0x01000000), u64(decodeTime)]),
        // data-offset, first-sample-flags, sample-size.
        box('trun', [u32(0x000205), u32(samples.length), u32(dataOffset), u32(first), ...sizes]),
      ]),
    ]);
  const mdat = box(
    'mdat',
    samples.map(({ data }) => data),
  );
  return Buffer.concat([moof(moof(0).length + 8), mdat]);
}

/** Samples of a segment with one fragment, in which each sample has its size and all follow each other in `mdat`. */
export function readSamples(segment: Buffer): MediaSample[] {
  const trun = find(segment, ['moof', 'traf', 'trun']);
  const flags = trun.readUInt32BE(0) & 0xffffff;
  if ((flags & ~0x205) !== 0 || (flags & 0x200) === 0) throw new Error(`trun with flags ${flags.toString(16)}`);
  const count = trun.readUInt32BE(4);
  const sizesAt = 8 + ((flags & 1) === 0 ? 0 : 4) + ((flags & 4) === 0 ? 0 : 4);
  const mdat = find(segment, ['mdat']);
  const samples: MediaSample[] = [];
  let at = 0;
  for (let i = 0; i < count; i++) {
    const size = trun.readUInt32BE(sizesAt + 4 * i);
    // Audio has no first-sample-flags: all of its samples are sync samples.
    samples.push({ data: mdat.subarray(at, at + size), key: i === 0 || (flags & 4) === 0 });
    at += size;
  }
  return samples;
}

/** Timescale that an initialization section gives its one track. */
export function readTimescale(init: Buffer): number {
  return find(init, ['moov', 'trak', 'mdia', 'mdhd']).readUInt32BE(12);
}

/** Content of the first box at the end of that path. */
function find(bytes: Buffer, path: readonly string[]): Buffer {
  const [type, ...rest] = path;
  for (let at = 0; at + 8 <= bytes.length; at += Math.max(8, bytes.readUInt32BE(at))) {
    if (bytes.toString('latin1', at + 4, at + 8) !== type) continue;
    const content = bytes.subarray(at + 8, at + bytes.readUInt32BE(at));
    return rest.length === 0 ? content : find(content, rest);
  }
  throw new Error(`no ${type} box`);
}

function box(type: string, content: readonly Buffer[]): Buffer {
  const length = content.reduce((sum, each) => sum + each.length, 8);
  return Buffer.concat([u32(length), Buffer.from(type, 'latin1'), ...content], length);
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}
