import type { FollowedPlaylist } from '../follow/followed-playlist.ts';

/** One line of `/api/streams`. Milliseconds and seconds; null: not known. */
export interface StreamReport {
  /** Target of the playlist, without its query: that may hold a token. */
  readonly url: string;
  readonly kind: 'hls' | 'll-hls' | 'dash';
  /** An estimate: players ask once for each version. */
  readonly viewers: number;
  /** Requests that are held now. */
  readonly waiting: number;
  /** Between now and the end of the newest media, by the channel's own clock. */
  readonly edgeLagMs: number | null;
  readonly mediaSequence: number | null;
  readonly part: number | null;
  readonly windowSeconds: number | null;
  /** Since the playlist was last known to be current. */
  readonly ageMs: number;
  /** Requests of viewers, and those that it took upstream for them. */
  readonly requests: number;
  readonly upstreamRequests: number;
  /** `owner` asks the origin, `member` is told by another node of the cell. */
  readonly role: 'owner' | 'member';
}

export function reportOf(
  followed: FollowedPlaylist,
  { target, nowMs, owns }: { target: string; nowMs: number; owns: boolean },
): StreamReport {
  const { kind, newest, windowSeconds, edgeMs, updateSeconds } = followed.version.manifest;
  return {
    url: target.split('?', 1)[0] ?? target,
    kind,
    viewers: Math.max(followed.waiting, followed.audience.viewers(nowMs, updateSeconds)),
    waiting: followed.waiting,
    edgeLagMs: edgeMs === undefined ? null : nowMs - edgeMs,
    mediaSequence: newest?.mediaSequence ?? null,
    part: newest?.part ?? null,
    windowSeconds: windowSeconds ?? null,
    ageMs: nowMs - followed.validatedMs,
    requests: followed.audience.requests,
    upstreamRequests: followed.loads,
    role: owns ? 'owner' : 'member',
  };
}
