import type { Socket } from 'node:net';
import type { Fields } from '../../fields.ts';
import type { ReadRequest } from './request.ts';

/** A request as its transport read it: parsed into parts, not yet validated. */
export interface RequestHead {
  readonly method: string;
  /** Request target as received; `:path` on HTTP/2. */
  readonly target: string;
  readonly version: '1.0' | '1.1' | '2';
  /** Header fields without pseudo-header fields. */
  readonly fields: Fields;
  readonly scheme: 'http' | 'https';
  /** `:authority` on HTTP/2. */
  readonly authority?: string | undefined;
  /** Names this server where an HTTP/1.0 request does not. */
  readonly localAuthority: string;
  readonly remote: string;
  /** Of its connection. Only to be looked at. */
  readonly socket?: Socket | undefined;
  /** Content; present when the message has any. The first read sends 100 (Continue) where it was asked for. */
  readonly body?: AsyncIterable<Uint8Array> | undefined;
  /** What a transport that validates by itself made of it. */
  readonly read?: ReadRequest;
}
