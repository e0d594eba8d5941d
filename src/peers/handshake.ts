import type { Cell } from './cell-key.ts';
import { type Credential, credentialFault, decodeCredential, encodeCredential } from './credential.ts';
import { PeerError } from './failure.ts';
import type { FramedStream } from './framed-stream.ts';
import { encodeFrame } from './frames.ts';
import { encodeJson, type Hello, parseHello } from './messages.ts';

/** It spoke, and not as a member does. */
export class StrangerError extends PeerError {
  constructor(message: string) {
    super('broken', message);
  }
}

/** What this node shows of itself. */
export interface Greeting {
  readonly cell: Cell;
  readonly credential: () => Promise<Credential>;
  readonly weight: number;
}

export const helloTimeoutMs = 3_000;

/** Shows our proof on a control stream we opened and checks the other one's. Rejects with PeerError. */
export async function greet(stream: FramedStream, peerId: string, greeting: Greeting): Promise<Hello> {
  await sendHello(stream, greeting);
  return checkedHello(stream, peerId, greeting.cell);
}

/** Checks who opened a control stream before saying anything, then shows our own proof. Rejects with PeerError. */
export async function welcome(stream: FramedStream, peerId: string, greeting: Greeting): Promise<Hello> {
  const hello = await checkedHello(stream, peerId, greeting.cell);
  await sendHello(stream, greeting);
  return hello;
}

async function sendHello(stream: FramedStream, { cell, credential, weight }: Greeting): Promise<void> {
  const encoded = encodeCredential(await credential()).toString('base64');
  stream.send(encodeFrame('hello', encodeJson({ cell: cell.tag, credential: encoded, weight })));
}

async function checkedHello(stream: FramedStream, peerId: string, cell: Cell): Promise<Hello> {
  const frame = await stream.first(helloTimeoutMs);
  if (frame.name !== 'hello') throw new StrangerError(`${frame.name} instead of hello`);
  const hello = parseHello(frame.payload);
  if (hello.cell !== cell.tag) throw new StrangerError('a node of another cell');
  const credential = decodeCredential(Buffer.from(hello.credential, 'base64'), peerId);
  if (credential === undefined) throw new StrangerError('a malformed credential');
  const fault = await credentialFault(cell, credential, { peerId, nowMs: Date.now() });
  if (fault !== undefined) throw new StrangerError(`a credential that does not count: ${fault}`);
  return hello;
}
