import type { Manifest } from '../manifest.ts';

/** Players take a playlist that came with nothing new better than none, and wait for 10 s and more. */
const offeredHoldMsMax = 8_000;
const idleMsMin = 10_000;
const keepaliveMsMin = 3_000;

/** How long a playlist is followed after the last viewer asked. */
export const idleMs = (manifest: Manifest): number => Math.max(idleMsMin, 5 * targetMs(manifest));

/** How old one may be that is given: as long as its own window, a player that is not at the edge does not run dry. */
export const staleMs = (manifest: Manifest): number =>
  Math.max(3 * targetMs(manifest), (manifest.windowSeconds ?? 0) * 1_000);

/** How long a request for a version to come is held (RFC 8216bis section 6.2.5.2). `offered`: by the edge, not the origin. */
export const holdMs = (manifest: Manifest, { offered }: { offered: boolean }): number =>
  Math.min(offered ? offeredHoldMsMax : Number.POSITIVE_INFINITY, 3 * targetMs(manifest));

/** For how long numbers of before a restart are no fault of a player's. */
export const restartMs = (manifest: Manifest): number => 3 * targetMs(manifest);

/** A member that does not own a playlist asks the owner no more often than that while it is told what is new. */
export const keepaliveMs = (manifest: Manifest): number => Math.max(keepaliveMsMin, 2 * targetMs(manifest));

/** How long the owner may be silent, the time of the next version included, before a member asks for itself. */
export const silenceMs = ({ updateSeconds }: Manifest): number => updateSeconds * 1_500 + 500;

function targetMs({ targetSeconds, updateSeconds }: Manifest): number {
  return (targetSeconds ?? updateSeconds) * 1_000;
}
