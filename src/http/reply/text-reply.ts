import { STATUS_CODES } from 'node:http';
import type { Reply } from './reply.ts';
import { ReplyFields } from './reply-fields.ts';

/** An answer of our own with a line of plain text. `close` ends an HTTP/1.1 connection after it. */
export function textReply(
  status: number,
  text: string,
  { fields = [], close = false }: { fields?: readonly string[]; close?: boolean } = {},
): Reply {
  const bytes = Buffer.from(`${status} ${STATUS_CODES[status] ?? ''}: ${text}\n`);
  return {
    status,
    fields: new ReplyFields([
      ...['Date', new Date().toUTCString()],
      ...['Content-Type', 'text/plain; charset=utf-8'],
      ...['Content-Length', String(bytes.length)],
      ...['Cache-Control', 'no-store'],
      ...['X-Content-Type-Options', 'nosniff'],
      ...fields,
      ...(close ? ['Connection', 'close'] : []),
    ]),
    body: { kind: 'buffers', buffers: [bytes] },
  };
}

/** An answer of our own without content. */
export function emptyReply(status: number, fields: readonly string[]): Reply {
  const all = new ReplyFields(['Date', new Date().toUTCString(), ...fields]);
  return { status, fields: all, body: { kind: 'none' } };
}

/** A whole message for a connection whose parser gave up: written as it is, then the connection closes. */
export function serializeReply(reply: Reply): Buffer {
  const head = `HTTP/1.1 ${reply.status} ${STATUS_CODES[reply.status] ?? ''}\r\n${reply.fields.text}`;
  const content = reply.body.kind === 'buffers' ? reply.body.buffers : [];
  return Buffer.concat([Buffer.from(`${head}\r\n`, 'latin1'), ...content]);
}
