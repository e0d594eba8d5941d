import { setTimeout as sleep } from 'node:timers/promises';
import type { Cache, Purge } from '../cache/types.ts';
import { parsePurge } from '../http/admin-purge.ts';
import type { Log } from '../log.ts';
import { announcementBytesMax } from '../peers/wire/announcement.ts';

/** What members tell each other to forget is under this topic, in the words of `POST /api/purge`. */
export const purgeTopic = 'purge';

/** Members listen to so many announcements a second and no more. */
const againMs = 50;
const toldTimeoutMs = 60_000;

export interface Voice {
  /** False: too much was said lately, this was not. */
  announce(topic: string, message: Uint8Array): boolean;
}

/** Tells the members of a purge. Rejects when the signal is aborted before it could be said. */
export async function tellPurge(which: Purge, { voice, signal }: { voice: Voice; signal: AbortSignal }): Promise<void> {
  const message = Buffer.from(JSON.stringify(which === 'all' ? { all: true } : which));
  // No target is that long, so nobody has anything of it.
  if (message.length > announcementBytesMax) return;
  while (!voice.announce(purgeTopic, message)) await sleep(againMs, undefined, { signal });
}

/** Forgets what a member was told to forget. */
export async function purgeAsTold(
  message: Buffer,
  { cache, peer, log }: { cache: Pick<Cache, 'purge'>; peer: string; log: Log },
): Promise<void> {
  const which = parsePurge(message.toString());
  if (typeof which === 'object' && 'wrong' in which) return;
  try {
    const purged = await cache.purge(which, AbortSignal.timeout(toldTimeoutMs));
    log.info({ which, purged, peer }, 'purged, as a member was told to');
  } catch (error) {
    log.warn({ which, peer, reason: String(error) }, 'a purge that a member was told of failed');
  }
}
