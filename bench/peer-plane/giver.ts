/** Gives pieces to `asker.ts` from memory: `giver.ts {"mode": …, "pieceBytes": …, …}`. Prints its address, and stays. */
import { Fields } from '../../src/fields.ts';
import { tuneProcessMemory } from '../../src/node/process/process-memory.ts';
import { clientOptions } from '../clients/client.ts';
import { giveBare } from './bare.ts';
import { openMember, type PlaneOptions } from './member.ts';

export interface GiverOptions extends PlaneOptions {
  readonly mode: 'bare' | 'plane';
  readonly pieceBytes: number;
}

const tierPieceBytes = 256 * 1024;

// As a node does.
tuneProcessMemory();
// So that a profile is written.
process.on('SIGTERM', () => process.exit(0));

const options = clientOptions<GiverOptions>();
if (options.mode === 'bare') console.log(JSON.stringify({ address: await giveBare(options.pieceBytes) }));
else {
  const pieces = Array.from({ length: options.pieceBytes / tierPieceBytes }, () => Buffer.alloc(tierPieceBytes, 7));
  const fields = Fields.of({ etag: '"v1"', 'content-length': options.pieceBytes });
  const completeLength = options.pieceBytes;
  const plane = await openMember(options, {
    open: async () => ({
      status: 200,
      fields,
      completeLength,
      body: body(),
      peek,
      buffersAreKept: true,
      fetchedHere: true,
    }),
  });
  function peek(): readonly Buffer[] {
    return pieces;
  }
  async function* body(): AsyncGenerator<Buffer> {
    yield* pieces;
  }
  console.log(JSON.stringify({ address: plane.addresses[0] }));
}
