import type { Policy } from './policies/policy.ts';
import { Ring } from './policies/ring.ts';
import type { Trace } from './trace.ts';

/** The first part of a trace fills the cache and is not counted. */
const warmupShare = 0.2;

export interface Outcome {
  readonly byteHitRatio: number;
  readonly pieceHitRatio: number;
  /** Bytes written / bytes admitted. */
  readonly writeAmplification: number;
  /** Bytes written / bytes requested by viewers. */
  readonly writtenShare: number;
}

/** Replays a trace. `answered`: accesses that a tier in front answers, which count as hits and never reach the policy. */
export function replay({ accesses, sizes }: Trace, policy: Policy, answered?: Uint8Array): Outcome {
  const warmup = Math.floor(accesses.length * warmupShare);
  const total = { bytes: 0, hitBytes: 0, hits: 0 };
  let before = written(policy, 0);
  for (let i = 0; i < accesses.length; i++) {
    if (i === warmup) before = written(policy, 0);
    const key = accesses[i] as number;
    const size = sizes[key] as number;
    const hit = answered?.[i] === 1 || policy.access(key);
    if (i < warmup) continue;
    total.bytes += size;
    if (!hit) continue;
    total.hitBytes += size;
    total.hits += 1;
  }
  const after = written(policy, total.bytes - total.hitBytes);
  const admitted = after.admitted - before.admitted;
  const reappended = after.reappended - before.reappended;
  return {
    byteHitRatio: total.hitBytes / total.bytes,
    pieceHitRatio: total.hits / (accesses.length - warmup),
    writeAmplification: (admitted + reappended) / admitted,
    writtenShare: (admitted + reappended) / total.bytes,
  };
}

/** What a policy wrote so far; one that keeps no account writes each missed byte once. */
function written(policy: Policy, missedBytes: number): { admitted: number; reappended: number } {
  if (!(policy instanceof Ring)) return { admitted: missedBytes, reappended: 0 };
  return { admitted: policy.admittedBytes, reappended: policy.reappendedBytes };
}
