import type { CacheRequest } from '../../cache/types.ts';
import type { Fields } from '../../fields.ts';
import { listMember } from '../../structured-fields.ts';

/** What a node says of itself and of the way to a player (CTA-5006). */
export interface ServerData {
  /** Organisation and node, unique in the chain (`n`). */
  readonly name: string;
  /** Throughput a player may expect (`etp`). */
  readonly throughputKbps?: number;
  /** The node is under duress (`du`). */
  readonly duress?: boolean;
  /** How long the answer was held back until there was something to say (`ht`). */
  readonly heldMs?: number;
}

/**
 * The fields with our member at the end of CMSD-Dynamic, after those of servers behind us. `ht` goes to CMSD-Static,
 * where no origin has said it.
 */
export function withServerData(fields: Fields, data: ServerData): Fields {
  const before = fields.get('CMSD-Dynamic');
  const ours = dynamicMember(data);
  const dynamic = before === undefined || before.trim() === '' ? ours : `${before}, ${ours}`;
  const answered = fields.with('CMSD-Dynamic', dynamic);
  const held = whole(data.heldMs);
  if (held === undefined) return answered;
  const said = fields.get('CMSD-Static');
  if (said === undefined || said.trim() === '')
    return answered.with('CMSD-Static', `ht=${held},n="${safe(data.name)}"`);
  return /(?:^|[,\s])ht=/.test(said) ? answered : answered.with('CMSD-Static', `${said},ht=${held}`);
}

/** With what is known of the way to the viewer of this request. */
export function dataFor(request: Pick<CacheRequest, 'throughputKbps'>, data: ServerData): ServerData {
  const throughputKbps = request.throughputKbps?.();
  return throughputKbps === undefined ? data : { ...data, throughputKbps };
}

function dynamicMember({ name, throughputKbps, duress }: ServerData): string {
  const parameters = new Map<string, number | boolean>();
  const throughput = rounded(throughputKbps);
  if (throughput !== undefined) parameters.set('etp', throughput);
  if (duress === true) parameters.set('du', true);
  return listMember(safe(name), parameters);
}

/** Rounded to the nearest hundred kbit/s, as CTA-5004 does: no finer than what it is an estimate of. */
function rounded(kbps: number | undefined): number | undefined {
  const value = whole(kbps);
  return value === undefined ? undefined : Math.min(999_999_999, Math.round(value / 100) * 100);
}

function whole(value: number | undefined): number | undefined {
  return value !== undefined && value >= 0 && value < 1e12 ? Math.round(value) : undefined;
}

function safe(name: string): string {
  return name.replaceAll(/[^A-Za-z0-9._-]/g, '-').slice(0, 64);
}
