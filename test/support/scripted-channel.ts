import type { IncomingMessage, ServerResponse } from 'node:http';

/** A plain HLS channel whose playlist a test moves on by hand. */
export class ScriptedChannel {
  readonly targetSeconds: number;
  readonly window: number;
  first = 0;
  last: number;
  ended = false;
  /** Fields of the playlist's response. */
  fields: Record<string, string> = {};
  /** Set: playlists are answered by this instead. */
  instead: ((request: IncomingMessage, response: ServerResponse) => void) | undefined;
  /** Makes the URI of a segment. */
  uriOf = (sequence: number): string => `seg-${sequence}.ts`;
  /** Lines of its own after the header. */
  lines: string[] = [];
  #version = 0;

  constructor({ targetSeconds = 2, window = 5, last = 4 } = {}) {
    this.targetSeconds = targetSeconds;
    this.window = window;
    this.last = last;
    this.first = Math.max(0, last - window + 1);
  }

  /** A segment is added, and one goes when the window is full. */
  advance(by = 1): void {
    this.last += by;
    this.first = Math.max(0, this.last - this.window + 1);
    this.#version++;
  }

  text(): string {
    const lines = [
      '#EXTM3U',
      '#EXT-X-VERSION:3',
      `#EXT-X-TARGETDURATION:${this.targetSeconds}`,
      `#EXT-X-MEDIA-SEQUENCE:${this.first}`,
      ...this.lines,
    ];
    for (let sequence = this.first; sequence <= this.last; sequence++)
      lines.push(`#EXTINF:${this.targetSeconds}.000,`, this.uriOf(sequence));
    if (this.ended) lines.push('#EXT-X-ENDLIST');
    return `${lines.join('\n')}\n`;
  }

  /** Answers a request for the playlist, conditional ones with 304. */
  readonly playlist = (request: IncomingMessage, response: ServerResponse): void => {
    if (this.instead !== undefined) return this.instead(request, response);
    const etag = `"v${this.first}-${this.last}-${this.#version}-${this.ended}"`;
    if (request.headers['if-none-match'] === etag) {
      response.writeHead(304, { ETag: etag, ...this.fields }).end();
      return;
    }
    const body = this.text();
    response.writeHead(200, {
      'Content-Type': 'application/vnd.apple.mpegurl',
      'Content-Length': Buffer.byteLength(body),
      ETag: etag,
      ...this.fields,
    });
    response.end(body);
  };
}
