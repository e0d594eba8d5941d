import { z } from 'zod';

/** What lets one node into a cell until some time, as whoever has the cell's key issued it. Nothing in it is secret. */
export interface CellCredential {
  readonly cell: string;
  /** Of the cell: 32 bytes. */
  readonly publicKey: Uint8Array;
  readonly peerId: string;
  readonly expiresMs: number;
  /** 64 bytes. */
  readonly signature: Uint8Array;
}

const fileSchema = z.strictObject({
  cell: z.string().min(1).max(64),
  publicKey: z.string().regex(/^[0-9a-f]{64}$/),
  peerId: z.string().regex(/^[1-9A-HJ-NP-Za-km-z]{40,128}$/),
  expires: z.iso.datetime(),
  signature: z.string().regex(/^[0-9a-f]{128}$/),
});

/** As the file holds it: JSON, times by RFC 3339, bytes in hex. */
export function credentialText({ cell, publicKey, peerId, expiresMs, signature }: CellCredential): string {
  const file: z.input<typeof fileSchema> = {
    cell,
    publicKey: Buffer.from(publicKey).toString('hex'),
    peerId,
    expires: new Date(expiresMs).toISOString(),
    signature: Buffer.from(signature).toString('hex'),
  };
  return `${JSON.stringify(file, undefined, 2)}\n`;
}

/** Undefined when the text has not the form of one. Whether it counts is for the cell to say. */
export function parseCredential(text: string): CellCredential | undefined {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { data } = fileSchema.safeParse(json);
  const expiresMs = Date.parse(data?.expires ?? '');
  if (data === undefined || !(expiresMs >= 0)) return undefined;
  const { cell, peerId } = data;
  return {
    cell,
    publicKey: Buffer.from(data.publicKey, 'hex'),
    peerId,
    expiresMs,
    signature: Buffer.from(data.signature, 'hex'),
  };
}
