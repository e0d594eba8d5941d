import { PeerError } from '../failure.ts';
import type { FramedStream } from '../wire/framed-stream.ts';
import { encodeFrame } from '../wire/frames.ts';
import { encodeJson, type Hello, parseHello } from '../wire/messages.ts';
import type { Cell } from './cell-key.ts';
import { credentialFault, decodeCredential } from './credential.ts';
import type { Membership } from './membership.ts';

/** It spoke, and not as a member does. */
export class StrangerError extends PeerError {
  constructor(message: string) {
    super('broken', message);
  }
}

/** What this node shows of itself. */
export interface Greeting {
  readonly membership: Membership;
  readonly weight: number;
}

/** What the other end showed of itself, and until when that counts. */
interface Shown {
  readonly hello: Hello;
  readonly expiresMs: number;
}

export const helloTimeoutMs = 3_000;

/** Shows our proof on a control stream we opened and checks the other one's. Rejects with PeerError. */
export async function greet(stream: FramedStream, peerId: string, greeting: Greeting): Promise<Shown> {
  sendHello(stream, greeting);
  return checkedHello(stream, peerId, greeting.membership.cell);
}

/** Checks who opened a control stream before saying anything, then shows our own proof. Rejects with PeerError. */
export async function welcome(stream: FramedStream, peerId: string, greeting: Greeting): Promise<Shown> {
  const shown = await checkedHello(stream, peerId, greeting.membership.cell);
  sendHello(stream, greeting);
  return shown;
}

/** When a credential that is shown later counts until. Rejects with StrangerError if it does not. */
export async function checkedCredential(encoded: Buffer, peerId: string, cell: Cell): Promise<number> {
  const credential = decodeCredential(encoded, peerId);
  if (credential === undefined) throw new StrangerError('a malformed credential');
  const fault = await credentialFault(cell, credential, { peerId, nowMs: Date.now() });
  if (fault !== undefined) throw new StrangerError(`a credential that does not count: ${fault}`);
  return credential.expiresMs;
}

function sendHello(stream: FramedStream, { membership, weight }: Greeting): void {
  const fault = membership.fault(Date.now());
  if (fault !== undefined) throw new PeerError('aborted', `this node is no member: ${fault}`);
  const credential = membership.shown().toString('base64');
  stream.send(encodeFrame('hello', encodeJson({ cell: membership.cell.tag, credential, weight })));
}

async function checkedHello(stream: FramedStream, peerId: string, cell: Cell): Promise<Shown> {
  const frame = await stream.first(helloTimeoutMs);
  if (frame.name !== 'hello') throw new StrangerError(`${frame.name} instead of hello`);
  const hello = parseHello(frame.payload);
  if (hello.cell !== cell.tag) throw new StrangerError('a node of another cell');
  return { hello, expiresMs: await checkedCredential(Buffer.from(hello.credential, 'base64'), peerId, cell) };
}
