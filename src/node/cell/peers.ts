import { join } from 'node:path';
import { cacheKey } from '../../cache/key.ts';
import type { Supplier, SupplyRequest } from '../../cache/supply.ts';
import type { EntryStore, MapPolicy, Tier } from '../../cache/types.ts';
import { uploadBytesPerSecond } from '../../config/peering.ts';
import type { Config } from '../../config.ts';
import { messageOf } from '../../errors.ts';
import type { Log } from '../../log.ts';
import type { Metrics } from '../../metrics.ts';
import { type Identity, openIdentity, passingIdentity } from '../../peers/cell/identity.ts';
import type { CellProof } from '../../peers/cell/membership.ts';
import { windowBytes } from '../../peers/members/placement.ts';
import type { PeerPlane, PeerPlaneOptions } from '../../peers/plane.ts';
import type { Announcement } from '../../peers/wire/announcement.ts';
import { HeldGroups } from './held-groups.ts';
import { CachePeerSource } from './peer-source.ts';

/** This node and its cell. Without a cell it has an identity and nothing else. */
export interface Peers {
  readonly peerId: string;
  readonly plane: PeerPlane | undefined;
  readonly source: CachePeerSource;
  /** What this node tells its neighbours that it holds. */
  readonly held: HeldGroups | undefined;
}

interface PeersDeps {
  readonly log: Log;
  readonly metrics: Metrics;
  readonly policies: () => readonly MapPolicy[];
  readonly origin: Supplier;
  readonly tiers: readonly Tier[];
  /** Drops what came from a peer that gives wrong bytes; returns how many responses. */
  readonly purgeGivenBy: (peerId: string) => number;
  /** Undefined when the disk tier is off. */
  readonly store: EntryStore | undefined;
  readonly missedBy: (lastLinkMs: number | undefined) => readonly Announcement[];
  readonly onAnnounced: (peerId: string, topic: string, message: Buffer) => void;
}

/** Rejects when it cannot listen for peers. */
export async function openPeers(config: Config, deps: PeersDeps): Promise<Peers> {
  const { log, metrics, policies, origin, tiers, store, missedBy, onAnnounced } = deps;
  const identity = await identityIn(config.dataDir, log);
  const source = new CachePeerSource(policies);
  const { peerId } = identity;
  if (config.cell === undefined) return { peerId, plane: undefined, source, held: undefined };
  // Loaded for who needs it alone: libp2p takes some 40 MB.
  const { PeerPlane } = await import('../../peers/plane.ts');
  const plane = await PeerPlane.open({
    identity,
    cell: proofOf(config.cell),
    listen: config.peerListen,
    bootstrap: config.peers,
    mdns: config.peering.mdns,
    transport: config.peering.transport,
    ...networkOf(config),
    weight: config.peering.weight,
    uploadBytesPerSecond: (nowMs) => uploadBytesPerSecond(config.peering, nowMs),
    auditShare: config.peering.auditShare,
    source,
    keyOf: (request) => keyOf(request, policies()),
    origin,
    log,
    missedBy,
    onAnnounced,
    onBytes: (direction, bytes) => metrics.peerBytes[direction].add(bytes),
    onOutcome: (direction, outcome) => metrics.peerRequests[direction][outcome].add(1),
    onCorrupt: (peer, reason) => {
      metrics.peerCorruptions.add(1);
      log.error({ peer, reason, purged: deps.purgeGivenBy(peer) }, 'a peer gave wrong bytes');
    },
  });
  const held = new HeldGroups({ tiers, windowBytes, holds: (key, first, is) => plane.holds(key, first, is) });
  if (store !== undefined)
    void held
      .restore(store)
      .catch((error) => log.warn({ reason: String(error) }, 'what the disk holds is not told to peers'));
  return { peerId, plane, source, held };
}

/** Takes over a credential that was issued anew; another cell, or its key instead, needs a restart. */
export async function reloadCredential(config: Config, { plane, log }: { plane: PeerPlane | undefined; log: Log }) {
  const credential = config.cell?.credential;
  if (credential === undefined || plane === undefined) return;
  try {
    await plane.replaceCredential(credential);
  } catch (error) {
    log.error({ reason: messageOf(error) }, 'the cell credential is not taken over');
  }
}

function networkOf({ peering }: Config): Pick<PeerPlaneOptions, 'reachable' | 'relay'> {
  const { reachable, relay, relayBytesPerSecond } = peering;
  return {
    reachable,
    ...(relay && { relay: { bytesPerSecond: relayBytesPerSecond || Number.POSITIVE_INFINITY } }),
  };
}

function proofOf(cell: NonNullable<Config['cell']>): CellProof {
  const { name, key, credential } = cell;
  return key === undefined ? { name, credential } : { name, keyHex: Buffer.from(key).toString('hex') };
}

function keyOf({ map, target }: SupplyRequest, policies: readonly MapPolicy[]): string {
  const policy = policies.find(({ name }) => name === map);
  return policy === undefined ? `${map} ${target}` : cacheKey({ target, policy });
}

/** A disk that cannot be used is no reason not to serve: then this node is somebody new at each start. */
async function identityIn(dataDir: string, log: Log): Promise<Identity> {
  const file = join(dataDir, 'identity');
  try {
    return await openIdentity(file);
  } catch (error) {
    log.error(
      { file, reason: messageOf(error) },
      'the identity of this node cannot be kept: it has another one until it ends',
    );
    return passingIdentity();
  }
}
