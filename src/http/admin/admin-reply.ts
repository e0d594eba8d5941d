import type { ServerResponse } from 'node:http';

/** A whole answer of the admin listener. */
export interface AdminReply {
  readonly status: number;
  /** Name, value, name, value. */
  readonly fields: readonly string[];
  readonly content: Buffer;
}

export function jsonReply(status: number, value: object, fields: readonly string[] = []): AdminReply {
  const content = Buffer.from(`${JSON.stringify(value)}\n`);
  return { status, fields: ['Content-Type', 'application/json', ...fields], content };
}

/** An error: what is wrong and what would be right. */
export function problem(status: number, error: string, fields: readonly string[] = []): AdminReply {
  return jsonReply(status, { error }, fields);
}

export function sendReply(
  response: ServerResponse,
  { status, fields, content }: AdminReply,
  { head, close }: { head: boolean; close: boolean },
): void {
  const always = [
    ...['Content-Length', String(content.length)],
    ...['Cache-Control', 'no-store'],
    ...['X-Content-Type-Options', 'nosniff'],
    ...(close ? ['Connection', 'close'] : []),
  ];
  response.writeHead(status, [...fields, ...always]);
  response.end(head ? undefined : content);
}
