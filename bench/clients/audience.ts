/** Viewers of a live channel and of a file at many nodes, who check every byte: test/support/cell-audience.ts. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Audience, type Seat } from '../../test/support/cell-audience.ts';
import type { CellMedia } from '../../test/support/cell-media.ts';
import { percentile } from '../statistics.ts';
import { clientOptions } from './client.ts';

export interface AudienceClientOptions {
  readonly urls: readonly string[];
  readonly media: CellMedia;
  readonly viewersEach: number;
  /** The file that all watch, a megabyte each `stepMs`. */
  readonly file: string;
  readonly stepMs: number;
  readonly seconds: number;
}

export interface AudienceClientResult {
  readonly liveUnique: number;
  readonly fileUnique: number;
  readonly playlistUnique: number;
  /** Bytes asked for of each path and ETag. */
  readonly asked: readonly (readonly [name: string, bytes: number])[];
  readonly fetches: number;
  readonly bytes: number;
  readonly faults: readonly string[];
  readonly late: number;
  readonly wholeP50Ms: number | undefined;
  readonly wholeP99Ms: number | undefined;
  readonly firstByteP50Ms: number | undefined;
  readonly firstByteP99Ms: number | undefined;
  readonly busy: number;
}

const faultsMax = 10;

async function watch(options: AudienceClientOptions): Promise<AudienceClientResult> {
  const { urls, media, viewersEach, file, stepMs, seconds } = options;
  const seats: Seat[] = urls.map((http) => ({ http }));
  const audience = new Audience({ media, open: () => seats });
  const startedMs = performance.now();
  for (const seat of seats) {
    audience.watchLive(seat, viewersEach);
    audience.watchFiles(seat, { viewers: viewersEach, names: [file], stepMs });
  }
  await sleep(seconds * 1000);
  await audience.stop();
  const { user, system } = process.cpuUsage();
  const at = (values: readonly number[], share: number) => percentile(values, share);
  return {
    liveUnique: audience.uniqueBytes('/live/seg-'),
    fileUnique: audience.uniqueBytes('/vod/'),
    playlistUnique: audience.uniqueBytes('/live/index'),
    asked: [...audience.askedBytes()],
    ...{ fetches: audience.fetches, bytes: audience.bytes, late: audience.late.length },
    faults: audience.faults.slice(0, faultsMax),
    wholeP50Ms: at(audience.wholeMs, 0.5),
    wholeP99Ms: at(audience.wholeMs, 0.99),
    firstByteP50Ms: at(audience.firstByteMs, 0.5),
    firstByteP99Ms: at(audience.firstByteMs, 0.99),
    busy: (user + system) / 1e3 / (performance.now() - startedMs),
  };
}

process.stdout.write(JSON.stringify(await watch(clientOptions())), () => process.exit(0));
