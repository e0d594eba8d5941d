import type { Purge } from '../../cache/types.ts';
import { isPurge, purgeOf } from '../../http/admin/admin-purge.ts';
import { announcementsOf } from './announced-lists.ts';
import type { KeptPurge } from './purge-memory.ts';

/** A purge as a member tells of it. */
interface ToldPurge {
  readonly which: Purge;
  /** Epoch milliseconds of this node's clock. */
  readonly atMs: number;
  /** It was when the two were linked, so it was told then. */
  readonly wasTold: boolean;
}

const sinceField = 'sinceAgoMs';

/**
 * Messages of `{"sinceAgoMs":n,"purges":[{"agoMs":n,"purge":{…}},…]}`, each within the bounds of an announcement. Times are
 * distances, for clocks differ. `sinceMs`: what was before that the receiver was told; undefined: that is not known.
 */
export function encodeMissed(
  purges: readonly Pick<KeptPurge, 'text' | 'atMs'>[],
  { nowMs, sinceMs }: { nowMs: number; sinceMs: number | undefined },
): Buffer[] {
  const since = sinceMs === undefined ? '' : `"${sinceField}":${nowMs - sinceMs},`;
  const texts = purges.map(({ text, atMs }) => `{"agoMs":${nowMs - atMs},"purge":${text}}`);
  const around = { start: `{${since}"purges":[`, end: ']}' };
  return [...announcementsOf(around, texts)].map(({ message }) => message);
}

/** What is malformed is left out. */
export function parseMissed(text: string, nowMs: number): ToldPurge[] {
  const message = parseObject(text);
  const sinceAgoMs = agoOf(message[sinceField]) ?? Number.POSITIVE_INFINITY;
  const purges: readonly unknown[] = Array.isArray(message['purges']) ? message['purges'] : [];
  return purges.flatMap((each) => {
    const { agoMs, purge } = Object(each) as { agoMs?: unknown; purge?: unknown };
    const [ago, which] = [agoOf(agoMs), purgeOf(purge)];
    if (ago === undefined || !isPurge(which)) return [];
    return [{ which, atMs: nowMs - ago, wasTold: ago > sinceAgoMs }];
  });
}

function agoOf(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? Math.max(0, value) : undefined;
}

function parseObject(text: string): Record<string, unknown> {
  try {
    return Object(JSON.parse(text)) as Record<string, unknown>;
  } catch {
    return {};
  }
}
