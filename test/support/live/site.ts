/** What is asked of a site of the live origin. */
export interface Ask {
  /** Below the site, without a slash in front. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly range: string | undefined;
  /** Who asks: what its Via field says, for a cache; undefined for anybody else. */
  readonly via: string | undefined;
  /** Aborted when whoever asks has gone, or the origin. */
  readonly signal: AbortSignal;
}

export interface Answer {
  readonly status: number;
  readonly fields: Readonly<Record<string, string>>;
  /** Of chunks: each is sent as it comes. */
  readonly body: Buffer | AsyncIterable<Buffer>;
}

/** One form of the channel, below a folder of the origin. Undefined: there is no such thing. */
export interface Site {
  answer(ask: Ask): Promise<Answer | undefined>;
}

/** What was refused, and why. */
export interface Refusal {
  readonly why: string;
  readonly path: string;
  readonly query: string;
}

const types = {
  m3u8: 'application/vnd.apple.mpegurl',
  mpd: 'application/dash+xml',
  m4s: 'video/mp4',
  mp4: 'video/mp4',
  ts: 'video/mp2t',
  txt: 'text/plain; charset=utf-8',
} as const;

/** An answer with 200; `lifetimeSeconds` 0: it is not to be stored. */
export function found(body: Answer['body'], about: { type: keyof typeof types; lifetimeSeconds: number }): Answer {
  const cacheControl = about.lifetimeSeconds === 0 ? 'no-store' : `max-age=${about.lifetimeSeconds}`;
  return { status: 200, fields: { 'Content-Type': types[about.type], 'Cache-Control': cacheControl }, body };
}

/** Media never change under their name, and have the same validator while they grow and afterwards. */
export function foundMedia(body: Answer['body'], about: { type: 'm4s' | 'mp4' | 'ts'; etag: string }): Answer {
  const { status, fields } = found(body, { type: about.type, lifetimeSeconds: 3600 });
  return { status, fields: { ...fields, ETag: `"${about.etag}"` }, body };
}

export function refused(status: number, why: string): Answer {
  const fields = { 'Content-Type': types.txt, 'Cache-Control': 'no-store' };
  return { status, fields, body: Buffer.from(`${why}\n`) };
}
