/**
 * A member of a cell that does not keep to the rules, in a process of its own: `lying-member-child.ts JSON` with
 * LyingMemberOptions. It has the cell's key and speaks the protocol; only what it gives is wrong.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Fields } from '../../src/fields.ts';
import type { PeerAnswer, PeerRequest } from '../../src/peers/answer/source.ts';
import { openIdentity } from '../../src/peers/cell/identity.ts';
import { PeerPlane, type PeerPlaneOptions } from '../../src/peers/plane.ts';
import { cellMedia, KnownBytes, lengthOf } from './cell-media.ts';
import type { LyingMemberCommand, LyingMemberOptions, LyingMemberReport } from './lying-member.ts';
import { askedRange } from './origin-resource.ts';
import { quietLog } from './peer-options.ts';

let options = JSON.parse(process.argv[2] ?? '{}') as LyingMemberOptions;
const known = new KnownBytes();
const slowStepBytes = 4_000;
let lie = options.lie;
let asked = 0;

const plane = await PeerPlane.open({
  identity: await openIdentity(join(options.directory, 'identity')),
  cell: { name: options.cell, keyHex: readFileSync(options.keyFile, 'utf8').trim() },
  listen: [options.listen ?? '/ip4/127.0.0.1/tcp/0'],
  bootstrap: options.bootstrap,
  mdns: false,
  source: { open },
  keyOf: ({ map, target }) => `${map} ${target}`,
  log: quietLog,
  onBytes: () => {},
  onOutcome: () => {},
  onCorrupt: () => {},
} satisfies PeerPlaneOptions);

process.on('message', (command: LyingMemberCommand) => {
  lie = command.lie ?? lie;
  options = { ...options, ...command };
  for (const path of command.claims ?? []) plane.holds(`default ${path}`, 0, true);
  tell();
});
process.on('disconnect', () => process.exit(0));
tell();

/** As a node would answer that had fetched everything long ago. */
async function open({ target, fields }: PeerRequest, signal: AbortSignal): Promise<PeerAnswer | undefined> {
  asked++;
  const length = lengthOf(target, cellMedia);
  if (lie === 'claims' || length === undefined) return undefined;
  const version = lie === 'old-version' ? options.version - 1 : options.version;
  const etag = `"v${version}"`;
  const whole = Buffer.from(known.of(target, { length, version }));
  if (lie === 'flips') whole[length / 2] = (whole[length / 2] ?? 0) ^ 1;
  const part = askedRange({ range: fields.get('range'), ifRange: fields.get('if-range') }, { length, etag });
  if (part === 'unsatisfiable') return undefined;
  const { first, last } = part === 'all' ? { first: 0, last: length - 1 } : part;
  const bytes = whole.subarray(first, last + 1);
  const about = { ETag: etag, 'Cache-Control': 'max-age=3600', 'Content-Length': bytes.length, ...digest(target) };
  const range = { 'Content-Range': `bytes ${first}-${last}/${length}` };
  return {
    status: part === 'all' ? 200 : 206,
    fields: Fields.of(part === 'all' ? about : { ...about, ...range }),
    completeLength: length,
    body: lie === 'slow' ? slowly(bytes, signal) : atOnce(bytes),
  };
}

/** What the origin says of the right bytes. */
function digest(target: string): Record<string, string> {
  if (!options.reprDigest) return {};
  const right = known.of(target, { length: lengthOf(target, cellMedia) ?? 0, version: options.version });
  return { 'Repr-Digest': `sha-256=:${createHash('sha256').update(right).digest('base64')}:` };
}

async function* atOnce(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}

async function* slowly(bytes: Buffer, signal: AbortSignal): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += slowStepBytes) {
    yield bytes.subarray(at, at + slowStepBytes);
    await sleep((slowStepBytes / 20_000) * 1000, undefined, { signal });
  }
}

function tell(): void {
  process.send?.({ peerId: plane.peerId, address: plane.addresses[0] ?? '', asked } satisfies LyingMemberReport);
}
