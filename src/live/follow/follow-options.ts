import type { Clock } from '../clock.ts';
import type { Manifest } from '../manifest.ts';
import type { Received } from '../message/receive.ts';
import type { PlaylistVersion } from './playlist-version.ts';
import type { AwaitedVersion } from './waiters.ts';

/** What asking the origin for a playlist brought. */
export type Loaded =
  | {
      readonly kind: 'version';
      readonly version: PlaylistVersion;
      /**
       * The same as what follows the version at hand though its numbers began anew, that many milliseconds after the newest
       * media; undefined while it has nothing that viewers have not had.
       */
      readonly anew?: (elapsedMs: number) => PlaylistVersion | undefined;
    }
  /** The version at hand is current. */
  | { readonly kind: 'same'; readonly received: Received }
  /** No origin gave it, or not whole: for a while what is known goes on. */
  | { readonly kind: 'failed' }
  /** It must not be shared any more, or is no playlist any more. */
  | { readonly kind: 'gone' };

export type CameVersion = Extract<Loaded, { kind: 'version' }>;

export interface FollowOptions {
  readonly clock: Clock;
  /** Asks the origin. Never rejects. `wanted`: block until the playlist has that. Aborted: nobody wants it any more. */
  readonly load: (wanted: AwaitedVersion | undefined, signal: AbortSignal) => Promise<Loaded>;
  /** Whether the edge offers blocking reload by itself. */
  readonly blocks: (manifest: Manifest) => boolean;
  /** Whether the origin is to be asked for versions to come. */
  readonly waitsUpstream: (manifest: Manifest) => boolean;
  /** Whether this node asks the origin; another member does otherwise, and tells. */
  readonly owns: () => boolean;
  /** A newer version is there, and viewers are not released yet; or the version at hand was found current. */
  readonly tell: (version: PlaylistVersion, what: 'newer' | 'current') => void;
  /** A newer version is there, and all who waited for it are released. */
  readonly onVersion: (version: PlaylistVersion, before: PlaylistVersion) => void;
  /** It is not followed any more. Once. `fault`: one of ours, for which a version could not be taken. */
  readonly onEnd: (fault: unknown) => void;
}
