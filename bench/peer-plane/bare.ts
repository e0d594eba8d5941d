import { once } from 'node:events';
import { generateKeyPair } from '@libp2p/crypto/keys';
import type { Libp2p, Stream } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import { blake3 } from '../../src/peers/blake3.ts';
import { muxer } from '../../src/peers/transport/host.ts';
import { TlsTransport } from '../../src/peers/transport/tls-transport.ts';

/** The stream that everything else is held against: request and length, then the bytes, and nothing else. */
const protocol = '/eddy-bench/1';
const headBytes = 8;
const sendBytes = 64 * 1024;

/** TLS on the socket, then the muxer of the library. */
export async function bareHost(listen: readonly string[]): Promise<Libp2p> {
  return createLibp2p({
    privateKey: await generateKeyPair('Ed25519'),
    addresses: { listen: [...listen] },
    transports: [(components) => new TlsTransport(components, { muxer: muxer(), acceptAddress: () => true })],
    streamMuxers: [muxer],
    connectionMonitor: { enabled: false },
  });
}

/** Answers each byte that comes with a piece of that many bytes, in sends of 64 KB. Resolves to its address. */
export async function giveBare(pieceBytes: number): Promise<string> {
  const host = await bareHost(['/ip4/127.0.0.1/tcp/0']);
  // One buffer for a head and what follows it: the least that can be sent.
  const frame = Buffer.alloc(headBytes + sendBytes, 7);
  frame.writeUInt32BE(sendBytes);
  await host.handle(protocol, (stream) => {
    let wanted = 0;
    const drained = waiterOf(stream);
    let giving = false;
    const give = async () => {
      giving = true;
      for (; wanted > 0; wanted--)
        for (let sent = 0; sent < pieceBytes; sent += sendBytes) {
          while (stream.writableNeedsDrain) await drained();
          stream.send(frame);
        }
      giving = false;
    };
    stream.addEventListener('message', ({ data }) => {
      wanted += data.byteLength;
      if (!giving) void give();
    });
  });
  return host.getMultiaddrs().map(String)[0] ?? '';
}

/** Asks for pieces, that many at a time, and calls `onPiece` for each that came. `checks`: with BLAKE3 of all of it as it comes. */
export async function askBare(
  address: string,
  {
    pieceBytes,
    inFlight,
    checks,
    onPiece,
  }: { pieceBytes: number; inFlight: number; checks: boolean; onPiece: () => void },
): Promise<void> {
  const host = await bareHost([]);
  const connection = await host.dial(multiaddr(address));
  const stream = await connection.newStream([protocol]);
  const framed = pieceBytes + (pieceBytes / sendBytes) * headBytes;
  let received = 0;
  stream.addEventListener('message', ({ data }) => {
    if (checks) for (const part of data instanceof Uint8Array ? [data] : data) blake3(part);
    received += data.byteLength;
    for (; received >= framed; received -= framed) {
      onPiece();
      stream.send(Buffer.alloc(1));
    }
  });
  stream.send(Buffer.alloc(inFlight));
  await once(stream as unknown as EventTarget, 'close');
}

/** A stream's own `onDrain` resolves at once after the first time. */
function waiterOf(stream: Stream): () => Promise<void> {
  let waiting: PromiseWithResolvers<void> | undefined;
  stream.addEventListener('drain', () => {
    waiting?.resolve();
    waiting = undefined;
  });
  return () => {
    waiting ??= Promise.withResolvers<void>();
    return waiting.promise;
  };
}
