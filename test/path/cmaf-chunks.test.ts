import { once } from 'node:events';
import { type IncomingMessage, request, type ServerResponse } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { type Edge, startEdge } from '../support/edge.ts';
import { startOrigin, type TestOrigin } from '../support/origin.ts';
import { patternBytes } from '../support/pattern.ts';
import { until } from '../support/until.ts';
import { view } from '../support/viewer.ts';

/** A CMAF segment whose chunks leave the encoder one by one; its length is known to nobody before it ends. */
class GrowingSegment {
  readonly bytes: Buffer;
  readonly #chunkBytes: number;
  readonly #fields: Readonly<Record<string, string>>;
  #responses: ServerResponse[] = [];
  sent = 0;

  constructor({ chunks = 5, chunkBytes = 40_000, fields = {} as Record<string, string> } = {}) {
    this.bytes = patternBytes('cmaf', 0, chunks * chunkBytes);
    this.#chunkBytes = chunkBytes;
    this.#fields = fields;
  }

  readonly route = (_: IncomingMessage, response: ServerResponse): void => {
    response.writeHead(200, { 'Content-Type': 'video/mp4', ...this.#fields });
    response.write(this.bytes.subarray(0, this.sent));
    if (this.sent === this.bytes.length) response.end();
    else this.#responses.push(response);
  };

  /** The encoder brings one chunk more. */
  grow(): void {
    const chunk = this.bytes.subarray(this.sent, this.sent + this.#chunkBytes);
    this.sent += chunk.length;
    for (const response of this.#responses) {
      if (this.sent === this.bytes.length) response.end(chunk);
      else response.write(chunk);
    }
  }

  grownUp(): void {
    while (this.sent < this.bytes.length) this.grow();
  }
}

/** A player that reads as the bytes come. */
class Player {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly status: number | undefined;
  readonly ended: Promise<unknown>;
  #chunks: Buffer[] = [];

  private constructor(response: IncomingMessage) {
    this.headers = response.headers;
    this.status = response.statusCode;
    response.on('data', (chunk: Buffer) => this.#chunks.push(chunk));
    this.ended = once(response, 'end');
    this.ended.catch(() => {});
  }

  static async open(url: string, headers: Readonly<Record<string, string>> = {}): Promise<Player> {
    const outgoing = request(url, { headers, agent: false }).end();
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
    return new Player(response);
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  /** Resolves once so many bytes are here, and no sooner. */
  async has(length: number): Promise<void> {
    await until(() => this.bytes.length >= length, `${length} bytes, of which ${this.bytes.length} came,`);
    expect(this.bytes.length).toBe(length);
  }
}

const path = '/live/v1/7.m4s';
let origin: TestOrigin;
let edge: Edge;

async function stage(segment: GrowingSegment): Promise<string> {
  origin = await startOrigin({ [path]: segment.route });
  edge = await startEdge({ origins: [origin.url] });
  return edge.url + path;
}

afterEach(async () => {
  await edge.close();
  await origin.close();
});

describe.each([
  ['with a strong validator', { ETag: '"s7"' }],
  ['without any validator', {}],
])('a segment that is still being made, %s', (_what, fields) => {
  it('flows through: a viewer has each chunk before the origin sends the next', async () => {
    const segment = new GrowingSegment({ fields: fields as Record<string, string> });
    const url = await stage(segment);
    segment.grow();
    const player = await Player.open(url);
    await player.has(40_000);
    for (let chunk = 2; chunk < 5; chunk++) {
      segment.grow();
      await player.has(chunk * 40_000);
    }
    segment.grownUp();
    await player.ended;
    expect(player.bytes.equals(segment.bytes)).toBe(true);
    expect(player.headers['content-length']).toBeUndefined();
  });

  it('is one fetch for all: who comes later gets what is there at once, then what comes', async () => {
    const segment = new GrowingSegment({ fields: fields as Record<string, string> });
    const url = await stage(segment);
    segment.grow();
    const first = await Player.open(url);
    await first.has(40_000);
    segment.grow();
    await first.has(80_000);
    const late = await Promise.all(Array.from({ length: 20 }, () => Player.open(url)));
    for (const player of late) await player.has(80_000);
    segment.grow();
    for (const player of [first, ...late]) await player.has(120_000);
    segment.grownUp();
    for (const player of [first, ...late]) {
      await player.ended;
      expect(player.bytes.equals(segment.bytes)).toBe(true);
    }
    expect(origin.count(path)).toBe(1);
  });

  it('is a stored response once it has ended: whole, with its length, and in ranges', async () => {
    const segment = new GrowingSegment({ fields: fields as Record<string, string> });
    const url = await stage(segment);
    const viewing = view(url);
    await until(() => origin.count(path) === 1);
    segment.grownUp();
    expect((await viewing).body.equals(segment.bytes)).toBe(true);
    const again = await view(url);
    expect(again.headers['content-length']).toBe('200000');
    expect(again.headers['cache-status']).toContain('hit');
    const part = await view(url, { headers: { range: 'bytes=50000-129999' } });
    expect([part.status, part.headers['content-range']]).toEqual([206, 'bytes 50000-129999/200000']);
    expect(part.body.equals(segment.bytes.subarray(50_000, 130_000))).toBe(true);
    expect(origin.count(path)).toBe(1);
  });

  it('the first viewer leaving ends it for nobody', async () => {
    const segment = new GrowingSegment({ fields: fields as Record<string, string> });
    const url = await stage(segment);
    segment.grow();
    const first = view(url, { leaveAfterBytes: 40_000 });
    const other = await Player.open(url);
    await expect(first).rejects.toThrow();
    segment.grownUp();
    await other.ended;
    expect(other.bytes.equals(segment.bytes)).toBe(true);
    expect(origin.count(path)).toBe(1);
  });

  it('ranges while it arrives come from the one fetch, as far as it is (RFC 8673)', async () => {
    const segment = new GrowingSegment({ fields: fields as Record<string, string> });
    const url = await stage(segment);
    segment.grow();
    const first = await Player.open(url);
    await first.has(40_000);
    const here = await Player.open(url, { range: 'bytes=10000-19999' });
    await here.ended;
    expect([here.status, here.headers['content-range']]).toEqual([206, 'bytes 10000-19999/*']);
    expect(here.bytes.equals(segment.bytes.subarray(10_000, 20_000))).toBe(true);
    // Whether all of it will exist is not known before it does.
    const opening = Player.open(url, { range: 'bytes=30000-99999' });
    segment.grownUp();
    const across = await opening;
    await across.ended;
    expect(across.status).toBe(206);
    expect(across.bytes.equals(segment.bytes.subarray(30_000, 100_000))).toBe(true);
    await first.ended;
    expect(origin.count(path)).toBe(1);
  });

  it.each(['9007199254740991', '999999999999'])(
    'a range to a very large position is sent as it comes, to the end (RFC 8673): %s',
    async (last) => {
      const segment = new GrowingSegment({ fields: fields as Record<string, string> });
      const url = await stage(segment);
      segment.grow();
      const first = await Player.open(url);
      await first.has(40_000);
      const late = await Player.open(url, { range: `bytes=30000-${last}` });
      expect([late.status, late.headers['content-range']]).toEqual([206, `bytes 30000-${last}/*`]);
      expect(late.headers['content-length']).toBeUndefined();
      await late.has(10_000);
      // From where the next part begins: there is nothing of it yet.
      const hinted = Player.open(url, { range: `bytes=80000-${last}` });
      segment.grow();
      await late.has(50_000);
      segment.grow();
      await late.has(90_000);
      await (await hinted).has(40_000);
      const beyond = Player.open(url, { range: `bytes=200000-${last}` });
      segment.grownUp();
      await Promise.all([late.ended, (await hinted).ended]);
      expect(late.bytes.equals(segment.bytes.subarray(30_000))).toBe(true);
      expect((await hinted).bytes.equals(segment.bytes.subarray(80_000))).toBe(true);
      expect((await beyond).status).toBe(416);
      await first.ended;
      expect(origin.count(path)).toBe(1);
    },
  );

  it('the first to ask may ask for a range: from 0 to the end as it grows', async () => {
    const segment = new GrowingSegment({ fields: fields as Record<string, string> });
    const url = await stage(segment);
    segment.grow();
    const player = await Player.open(url, { range: 'bytes=0-' });
    await player.has(40_000);
    segment.grow();
    await player.has(80_000);
    segment.grownUp();
    await player.ended;
    expect(player.bytes.equals(segment.bytes)).toBe(true);
    expect(origin.count(path)).toBe(1);
  });

  it('a fetch that breaks off is never taken for the whole', async () => {
    const segment = new GrowingSegment({ fields: fields as Record<string, string> });
    let broken: ServerResponse | undefined;
    origin = await startOrigin((incoming, response) => {
      if (broken !== undefined) return segment.route(incoming, response);
      broken = response;
      response.writeHead(200, { 'Content-Type': 'video/mp4', ...(fields as Record<string, string>) });
      response.write(segment.bytes.subarray(0, 40_000));
    });
    edge = await startEdge({ origins: [origin.url] });
    const player = await Player.open(edge.url + path);
    await player.has(40_000);
    segment.grownUp();
    broken?.destroy();
    await player.ended.catch(() => {});
    const again = await view(edge.url + path);
    expect(again.body.equals(segment.bytes)).toBe(true);
    // Either cut off where the origin was, or continued from there.
    expect(segment.bytes.subarray(0, player.bytes.length).equals(player.bytes)).toBe(true);
  });
});
