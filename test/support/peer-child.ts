/**
 * A node of the test cell in a process of its own: `peer-child.ts DIRECTORY [BOOTSTRAP]`. Prints its first address, then
 * answers every request with two megabytes of the pattern named by the target, of which it holds back the second while
 * the target begins with `/held`.
 */
import { join } from 'node:path';
import { Fields } from '../../src/fields.ts';
import { openIdentity } from '../../src/peers/cell/identity.ts';
import { PeerPlane } from '../../src/peers/plane.ts';
import { patternBytes } from './pattern.ts';
import { cellKeyHex, keyOf, quietLog } from './peer-options.ts';

const [, , directory = '', bootstrap] = process.argv;
const half = 1_000_000;

const plane = await PeerPlane.open({
  identity: await openIdentity(join(directory, 'identity')),
  cell: { name: 'test', keyHex: cellKeyHex },
  listen: ['/ip4/127.0.0.1/tcp/0'],
  bootstrap: bootstrap === undefined ? [] : [bootstrap],
  mdns: false,
  source: {
    open: async ({ target }) => ({
      status: 200,
      fields: Fields.of({ 'content-length': 2 * half, etag: '"v1"' }),
      completeLength: 2 * half,
      body: (async function* () {
        yield patternBytes(target, 0, half);
        if (target.startsWith('/held')) await new Promise(() => {});
        yield patternBytes(target, half, half);
      })(),
    }),
  },
  keyOf,
  log: quietLog,
  onBytes: () => {},
  onOutcome: () => {},
  onCorrupt: () => {},
});
console.log(JSON.stringify({ address: plane.addresses[0], peerId: plane.peerId }));
