import type { Answer } from '../../cache/types.ts';
import { Fields } from '../../fields.ts';

/** 400 for delivery directives that the standard forbids. */
export function badRequest(reason: string): Answer {
  return textAnswer(400, reason, []);
}

/** 503: the version asked for did not come within three target durations (RFC 8216bis section 6.2.5.2). */
export function notInTime(): Answer {
  return textAnswer(503, 'the playlist did not get what was asked for in time', ['Retry-After', '1']);
}

function textAnswer(status: number, text: string, fields: readonly string[]): Answer {
  const bytes = Buffer.from(`${text}\n`);
  return {
    kind: 'passed',
    status,
    fields: new Fields([
      ...['Content-Type', 'text/plain; charset=utf-8', 'Cache-Control', 'no-store'],
      ...['Content-Length', String(bytes.length), 'Access-Control-Allow-Origin', '*', ...fields],
    ]),
    cacheStatus: { hit: false },
    body: once(bytes),
  };
}

async function* once(bytes: Buffer): AsyncGenerator<Buffer, void, undefined> {
  yield bytes;
}
