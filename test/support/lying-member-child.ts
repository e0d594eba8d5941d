/**
 * A member of a cell that does not keep to the rules, in a process of its own: `lying-member-child.ts JSON` with
 * LyingMemberOptions. It has the cell's key and speaks the protocol; only what it gives is wrong.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Fields } from '../../src/fields.ts';
import { PeerPlane, type PeerPlaneOptions } from '../../src/peers/plane.ts';
import { openIdentity } from '../../src/peers/identity.ts';
import type { PeerAnswer, PeerRequest } from '../../src/peers/source.ts';
import type { LyingMemberCommand, LyingMemberOptions, LyingMemberReport } from './lying-member.ts';
import { quietLog } from './peer-options.ts';

const options = JSON.parse(process.argv[2] ?? '{}') as LyingMemberOptions;
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
  for (const path of command.claims ?? []) plane.holds(`default ${path}`, 0, true);
  tell();
});
process.on('disconnect', () => process.exit(0));
tell();

async function open({ target, fields }: PeerRequest, signal: AbortSignal): Promise<PeerAnswer | undefined> {
  asked++;
  if (lie === 'claims') return undefined;
  const asks = fields.get('range');
  const headers = asks === undefined ? {} : { range: asks, 'if-range': fields.get('if-range') ?? '' };
  const response = await fetch(options.origin + target, { headers, signal });
  if (!response.ok || response.body === null) return undefined;
  const given = Fields.of(Object.fromEntries(response.headers));
  const bytes = Buffer.from(await response.arrayBuffer());
  const length = Number(/\/(\d+)$/.exec(response.headers.get('content-range') ?? '')?.[1] ?? bytes.length);
  if (lie === 'flips') bytes[Math.floor(bytes.length / 2)] = (bytes[Math.floor(bytes.length / 2)] ?? 0) ^ 1;
  const body = lie === 'slow' ? slowly(bytes, signal) : atOnce(bytes);
  const old = lie === 'old-validator' ? given.with('ETag', '"v0"') : given;
  return { status: response.status, fields: old, completeLength: length, body };
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
