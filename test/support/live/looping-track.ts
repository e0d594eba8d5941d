import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { type MediaSample, readSamples, readTimescale, writeFragment } from './mp4.ts';

export type TrackName = 'high' | 'low' | 'audio';

const media = fileURLToPath(new URL('../../../src/sample/media/cmaf/', import.meta.url));
const sampleSegments = 12;
/** Of the sample media: 25 frames a second, AAC frames of 1024 samples. */
const ticksPerSample = { high: 512, low: 512, audio: 1024 } as const;
const roundSeconds = 24;

/**
 * The sample's track without end: its 24 s again and again, with decode times that go on, so that nothing is
 * discontinuous. Samples are counted from the beginning of the channel.
 */
export class LoopingTrack {
  readonly name: TrackName;
  readonly init: Buffer;
  readonly timescale: number;
  /** Of one sample. */
  readonly sampleTicks: number;
  readonly #samples: readonly MediaSample[];

  constructor(name: TrackName, { init, samples }: { init: Buffer; samples: readonly MediaSample[] }) {
    this.name = name;
    this.init = init;
    this.timescale = readTimescale(init);
    this.sampleTicks = ticksPerSample[name];
    this.#samples = samples.slice(0, (roundSeconds * this.timescale) / this.sampleTicks);
  }

  /** The first sample that starts at or after that many milliseconds. */
  sampleAt(ms: number): number {
    return Math.ceil((ms * this.timescale) / 1000 / this.sampleTicks - 1e-6);
  }

  /** When the sample begins. */
  startMs(sample: number): number {
    return (sample * this.sampleTicks * 1000) / this.timescale;
  }

  /** Samples first .. end - 1 as one fragment. */
  fragment(first: number, end: number): Buffer {
    const samples: MediaSample[] = [];
    for (let i = first; i < end; i++) {
      const sample = this.#samples[i % this.#samples.length];
      if (sample !== undefined) samples.push(sample);
    }
    const { sampleTicks: sampleDuration } = this;
    return writeFragment({ sequence: first + 1, decodeTime: first * sampleDuration, sampleDuration, samples });
  }
}

/** Reads a track of the sample media. */
export async function readTrack(name: TrackName): Promise<LoopingTrack> {
  const init = await readFile(`${media}${name}/init.mp4`);
  const samples: MediaSample[] = [];
  for (let i = 0; i < sampleSegments; i++) samples.push(...readSamples(await readFile(`${media}${name}/${i}.m4s`)));
  return new LoopingTrack(name, { init, samples });
}
