import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PeerSource } from '../../src/peers/answer/source.ts';
import { openIdentity } from '../../src/peers/cell/identity.ts';
import { PeerPlane } from '../../src/peers/plane.ts';

export interface PlaneOptions {
  readonly cell: { readonly name: string; readonly keyHex: string };
  readonly bootstrap: readonly string[];
}

/** The peer plane as a node has it, without the node. */
export async function openMember({ cell, bootstrap }: PlaneOptions, source: PeerSource): Promise<PeerPlane> {
  const directory = await mkdtemp(join(process.env['BENCH_DIRECTORY'] ?? tmpdir(), 'peer-'));
  return PeerPlane.open({
    identity: await openIdentity(join(directory, 'identity')),
    cell,
    listen: ['/ip4/127.0.0.1/tcp/0'],
    bootstrap,
    mdns: false,
    source,
    keyOf: ({ map, target }) => `${map} ${target}`,
    log: { debug: () => {}, info: () => {}, warn: console.error, error: console.error },
    onBytes: () => {},
    onOutcome: () => {},
    onCorrupt: (peerId, reason) => console.error(peerId, reason),
  });
}
