import { setTimeout as sleep } from 'node:timers/promises';
import type { VideoCache } from '../../cache/cache.ts';
import type { Cache, Purge } from '../../cache/types.ts';
import { isPurge, parsePurge, purgeContent } from '../../http/admin/admin-purge.ts';
import type { Log } from '../../log.ts';
import { type Announcement, announcementBytesMax } from '../../peers/wire/announcement.ts';
import { encodeMissed, parseMissed } from './missed-purges.ts';
import { PurgeMemory } from './purge-memory.ts';

/** What members tell each other to forget is under this topic, in the words of `POST /api/purge`. */
export const purgeTopic = 'purge';
/** What was purged lately, for a member that may have been away then. */
export const missedTopic = 'purged';

/** Members listen to so many announcements a second and no more. */
const againMs = 50;
/** All of a store with a million entries takes some minutes. */
const toldTimeoutMs = 600_000;
/** One that fails, as with a disk that has trouble, is tried again. */
const attemptsMax = 5;
const retryMs = 10_000;
/** How much earlier than it was noticed a link may have been dead, and what a member did last may be lost with it. */
const unsureMs = 30_000;

export interface Voice {
  /** False: too much was said lately, this was not. */
  announce(topic: string, message: Uint8Array): boolean;
}

/** Purges of the whole cell: told to the members, heeded when a member tells, and remembered for those that were away. */
export class CellPurges {
  readonly #log: Log;
  readonly #memory = new PurgeMemory();
  readonly #retryMs: number;

  constructor(log: Log, options: { retryMs?: number } = {}) {
    this.#log = log;
    this.#retryMs = options.retryMs ?? retryMs;
  }

  /** Tells the members of a purge here. Rejects when the signal is aborted before it could be said. */
  async tell(which: Purge, { voice, signal }: { voice: Voice; signal: AbortSignal }): Promise<void> {
    const message = Buffer.from(purgeContent(which));
    // No target is that long, so nobody has anything of it.
    if (message.length > announcementBytesMax) return;
    this.#memory.add({ which, atMs: Date.now(), heeded: true });
    while (!voice.announce(purgeTopic, message)) await sleep(againMs, undefined, { signal });
  }

  /** Forgets what a member says that is to be forgotten. */
  async told(message: Buffer, { cache, peer }: { cache: Pick<Cache, 'purge'>; peer: string }): Promise<void> {
    const which = parsePurge(message.toString());
    if (!isPurge(which)) return;
    this.#memory.add({ which, atMs: Date.now(), heeded: true });
    await this.#heed((signal) => cache.purge(which, signal), { which, peer });
  }

  /** What a member is told that links anew; its last link ended at that time, undefined: that is not known. */
  remembered(lastLinkMs: number | undefined): Announcement[] {
    const nowMs = Date.now();
    const sinceMs = lastLinkMs === undefined ? undefined : lastLinkMs - unsureMs;
    return encodeMissed(this.#memory.list(), { nowMs, sinceMs }).map((message) => ({ topic: missedTopic, message }));
  }

  /** Forgets what was purged while this node was away, as far as it is from before that. */
  async missed(
    message: Buffer,
    { cache, peer }: { cache: Pick<VideoCache, 'purgeOlder'>; peer: string },
  ): Promise<void> {
    for (const { which, atMs, wasTold } of parseMissed(message.toString(), Date.now())) {
      if (!this.#memory.add({ which, atMs, heeded: !wasTold }) || wasTold) continue;
      const purge = (signal: AbortSignal) => cache.purgeOlder(which, { beforeMs: atMs, signal });
      await this.#heed(purge, { which, peer, beforeMs: atMs });
    }
  }

  /** Makes a purge that a member asked for. When it fails it is tried again later, behind others. */
  async #heed(
    purge: (signal: AbortSignal) => Promise<number>,
    { attempt = 1, ...about }: { which: Purge; peer: string; beforeMs?: number; attempt?: number },
  ): Promise<void> {
    try {
      const purged = await purge(AbortSignal.timeout(toldTimeoutMs));
      this.#log.info({ ...about, purged }, 'purged, as a member was told to');
    } catch (error) {
      this.#log.warn({ ...about, attempt, reason: String(error) }, 'a purge that a member was told of failed');
      if (attempt === attemptsMax) return;
      setTimeout(() => this.#heed(purge, { ...about, attempt: attempt + 1 }), this.#retryMs).unref();
    }
  }
}
