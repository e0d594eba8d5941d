import type { PlaylistVersion } from './playlist-version.ts';
import type { Received } from './receive.ts';

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
