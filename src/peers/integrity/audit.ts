import type { Supplier, Supply, SupplyRequest } from '../../cache/supply.ts';
import { Fields } from '../../fields.ts';
import { conditionNames } from '../../semantics/condition-names.ts';
import { contentLengthOf } from '../../semantics/content-length.ts';
import { parseContentRange, type Span } from '../../semantics/content-range.ts';

interface AuditOptions {
  /** Asked for the same bytes. */
  readonly origin: Supplier;
  /** Share of bodies that are audited, 0 to 1. */
  readonly share: () => number;
  /** How long after a body the origin is asked. */
  readonly delayMs: number;
  readonly random: () => number;
  /** The bytes of the peer differ from those of the origin under the same strong validator. */
  readonly onMismatch: (peerId: string, request: SupplyRequest, reason: string) => void;
}

interface Audited {
  bytes(bytes: Buffer, position: number): void;
  /** The body came to its end: now the origin is asked. */
  end(): void;
}

const sampleBytes = 16 * 1024;
const timeoutMs = 10_000;
/** Audits that are not done yet. */
const waitingMax = 64;

/** Compares some of what peers give with the origin's own bytes: a random stretch of a random body, after it was given. */
export class Audit {
  readonly #options: AuditOptions;
  #waiting = 0;

  constructor(options: AuditOptions) {
    this.#options = options;
  }

  /** Undefined when this one is not audited, or cannot be: only a strong validator makes bytes comparable. */
  begin(body: { request: SupplyRequest; status: number; fields: Fields; peerId: string }): Audited | undefined {
    const { fields, status } = body;
    const etag = fields.get('etag');
    const range = status === 206 ? parseContentRange(fields.get('content-range')) : wholeRange(fields);
    if (etag === undefined || !etag.startsWith('"') || range === undefined || (status !== 200 && status !== 206))
      return undefined;
    if (this.#options.random() >= this.#options.share() || this.#waiting >= waitingMax) return undefined;
    const length = range.last - range.first + 1;
    const start = Math.floor(this.#options.random() * Math.max(1, length - sampleBytes));
    const sample = Buffer.alloc(Math.min(sampleBytes, length - start));
    return {
      bytes: (bytes, position) => {
        const from = Math.max(start, position);
        const to = Math.min(start + sample.length, position + bytes.length);
        if (from < to) bytes.copy(sample, from - start, from - position, to - position);
      },
      end: () => {
        this.#waiting++;
        const compare = async () => this.#compare(body, { first: range.first + start, sample, etag });
        const timer = setTimeout(
          () =>
            void compare()
              .catch(() => {})
              .finally(() => this.#waiting--),
          this.#options.delayMs,
        );
        timer.unref();
      },
    };
  }

  async #compare(
    { request, peerId }: { request: SupplyRequest; peerId: string },
    { first, sample, etag }: { first: number; sample: Buffer; etag: string },
  ): Promise<void> {
    const last = first + sample.length - 1;
    const fields = new Fields([
      ...request.fields.without(conditionNames).raw,
      'Range',
      `bytes=${first}-${last}`,
      'If-Range',
      etag,
    ]);
    const supply = await this.#options.origin.supply(
      { ...request, fields },
      { signal: AbortSignal.timeout(timeoutMs) },
    );
    if (supply === undefined) return;
    const range = parseContentRange(supply.fields.get('content-range'));
    const comparable = supply.status === 206 && supply.fields.get('etag') === etag && range?.first === first;
    const bytes = await firstBytes(supply, comparable ? sample.length : 0);
    if (!comparable || bytes.length !== sample.length || bytes.equals(sample)) return;
    this.#options.onMismatch(peerId, request, `bytes ${first}-${last} of ${request.target} are not the origin's`);
  }
}

function wholeRange(fields: Fields): Span | undefined {
  const length = contentLengthOf(fields) ?? 0;
  return length > 0 ? { first: 0, last: length - 1 } : undefined;
}

async function firstBytes({ body }: Supply, count: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    if (length > count) break;
    chunks.push(chunk);
    if (length === count) break;
  }
  return Buffer.concat(chunks);
}
