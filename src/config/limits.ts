import { z } from 'zod';
import { integer } from './values.ts';

const dayMs = 86_400_000;
const mebibyte = 1024 * 1024;

/** What one viewer may cost, and how long a drain may take. */
export const limitsSchema = z
  .strictObject({
    headTimeoutMs: integer(100, 600_000)
      .default(10_000)
      .describe('From the first byte of a request to the end of its header section; then 408.'),
    requestTimeoutMs: integer(1_000, dayMs)
      .default(300_000)
      .describe('For a whole request, content included; then 408 or a closed connection.'),
    keepAliveTimeoutMs: integer(100, 3_600_000)
      .default(65_000)
      .describe(
        'How long a connection may rest between requests. Longer than the 60 s of common load balancers, so that they close first.',
      ),
    stallTimeoutMs: integer(1_000, 3_600_000)
      .default(30_000)
      .describe('How long a viewer may take none of the bytes that wait for it.'),
    handshakeTimeoutMs: integer(100, 600_000).default(10_000).describe('For a TLS handshake.'),
    headBytesMax: integer(1_024, mebibyte)
      .default(16_384)
      .describe('All field lines of a request together; beyond it 431.'),
    targetBytesMax: integer(64, 65_536).default(8_192).describe('The request target; beyond it 414.'),
    fieldsMax: integer(8, 4_096).default(128).describe('Field lines of a request; beyond it 431.'),
    bodyBytesMax: integer(0, 2 ** 40)
      .default(1024 * mebibyte)
      .describe('Content of a request that is passed to the origin; beyond it 413.'),
    pipelineMax: integer(1, 65_536)
      .default(256)
      .describe('Requests waiting behind another on one HTTP/1.1 connection.'),
    streamsMax: integer(1, 65_536).default(100).describe('Concurrent streams of one HTTP/2 connection.'),
    connectionsMax: integer(1, 1_000_000)
      .default(65_536)
      .describe(
        'Connections to each listening address; fewer where the process may have fewer files open (ulimit -n).',
      ),
    drainMs: integer(0, 3_600_000)
      .default(25_000)
      .describe(
        'How long running responses may go on after SIGTERM; then they are cut. Below the 30 s after which Kubernetes kills.',
      ),
  })
  .describe('Bounds on what one viewer may cost. Times in milliseconds, sizes in bytes.');

export type LimitsConfig = Readonly<z.output<typeof limitsSchema>>;
