/** Takes pieces from one member, or from a bare stream, for some seconds: `asker.ts OPTIONS`. Prints what it took. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Fields } from '../../src/fields.ts';
import { tuneProcessMemory } from '../../src/node/process/process-memory.ts';
import { groupOf, Placement } from '../../src/peers/members/placement.ts';
import type { PeerPlane } from '../../src/peers/plane.ts';
import { clientOptions } from '../clients/client.ts';
import { usageOf } from '../proc.ts';
import { percentile } from '../statistics.ts';
import { askBare } from './bare.ts';
import { openMember, type PlaneOptions } from './member.ts';

export interface AskerOptions extends PlaneOptions {
  readonly mode: 'bare' | 'bare-blake3' | 'plane';
  readonly address: string;
  readonly giverPid: number;
  readonly pieceBytes: number;
  readonly inFlight: number;
  readonly seconds: number;
  /** 0: as fast as it goes. */
  readonly bytesPerSecond: number;
  /** Asked for in turn where they are the giver's; `{n}` counts up. */
  readonly target: string;
  readonly targets: number;
}

export interface AskerResult {
  readonly bytes: number;
  readonly seconds: number;
  readonly giverCpuSeconds: number;
  readonly askerCpuSeconds: number;
  readonly firstByteP50Ms: number | undefined;
  readonly firstByteP99Ms: number | undefined;
}

const warmUpMs = 1_500;

// As a node does.
tuneProcessMemory();
const options = clientOptions<AskerOptions>();
const firstByteMs: number[] = [];
let bytes = 0;

if (options.mode === 'plane') await askPlane(await openMember(options, { open: async () => undefined }));
else {
  const { pieceBytes, inFlight } = options;
  const onPiece = () => {
    bytes += pieceBytes;
  };
  void askBare(options.address, { pieceBytes, inFlight, checks: options.mode === 'bare-blake3', onPiece });
}
await sleep(warmUpMs);
const before = { bytes, atMs: performance.now(), giver: usageOf([options.giverPid]), asker: process.cpuUsage() };
firstByteMs.length = 0;
await sleep(options.seconds * 1000);
const used = process.cpuUsage(before.asker);
const result: AskerResult = {
  bytes: bytes - before.bytes,
  seconds: (performance.now() - before.atMs) / 1000,
  giverCpuSeconds: usageOf([options.giverPid]).cpuSeconds - before.giver.cpuSeconds,
  askerCpuSeconds: (used.user + used.system) / 1e6,
  firstByteP50Ms: percentile(firstByteMs, 0.5),
  firstByteP99Ms: percentile(firstByteMs, 0.99),
};
process.stdout.write(JSON.stringify(result), () => process.exit(0));

async function askPlane(plane: PeerPlane): Promise<void> {
  while (!plane.peers().some(({ state }) => state === 'up')) await sleep(20);
  const targets = targetsOf(plane);
  const startedMs = performance.now();
  let asked = 0;
  const one = async () => {
    for (;;) {
      const at = asked++;
      const dueMs = options.bytesPerSecond === 0 ? 0 : (at * options.pieceBytes * 1000) / options.bytesPerSecond;
      await sleepUntil(startedMs + dueMs);
      await take(plane, targets[at % targets.length] ?? '/');
    }
  };
  for (let i = 0; i < options.inFlight; i++)
    one().catch((error) => {
      console.error(error);
      process.exit(1);
    });
}

/** Those for which the giver is asked. */
function targetsOf(plane: PeerPlane): readonly string[] {
  const ids = [plane.peerId, ...plane.peers().map(({ peerId }) => peerId)];
  const placement = new Placement(ids.map((peerId) => ({ peerId, weight: 1 })));
  const found: string[] = [];
  for (let n = 0; found.length < options.targets; n++) {
    const target = options.target.replace('{n}', String(n));
    if (placement.order(groupOf(`default ${target}`, 0))[0] !== plane.peerId) found.push(target);
  }
  return found;
}

async function take(plane: PeerPlane, target: string): Promise<void> {
  const startedMs = performance.now();
  const request = { method: 'GET', target, fields: Fields.empty, map: 'default' };
  const supply = await plane.supplier.supply(request, { signal: AbortSignal.timeout(20_000) });
  if (supply === undefined) throw new Error(`nothing was given for ${target}`);
  let first = true;
  for await (const part of supply.body) {
    if (first) firstByteMs.push(performance.now() - startedMs);
    first = false;
    bytes += part.length;
    supply.onTaken?.(part);
  }
}

async function sleepUntil(atMs: number): Promise<void> {
  const waitMs = atMs - performance.now();
  if (waitMs > 0) await sleep(waitMs);
}
