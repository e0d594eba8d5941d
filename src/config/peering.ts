import { z } from 'zod';
import { flag, fraction, size } from './values.ts';

const kibibyte = 1024;

/** A time of day and how much peers are given then. */
const hoursSchema = z.strictObject({
  from: timeOfDay().describe("Begin, in the node's time zone."),
  to: timeOfDay().describe('End; before the begin: on the next day.'),
  uploadBytesPerSecond: rate().describe('Bytes a second in that time, to all peers together; 0 for no limit.'),
});

/** What a member of a cell does for the others. */
export const peeringSchema = z
  .strictObject({
    mdns: flag().default(true).describe('Looks for members on the LAN, and can be found there.'),
    transport: z
      .enum(['direct', 'stock'], { error: 'direct or stock' })
      .default('direct')
      .describe(
        "TLS on the socket itself, or libp2p's own tcp and tls at a third of the speed. One for the whole cell.",
      ),
    weight: fraction(0.01, 100)
      .default(1)
      .describe('Share of the pieces this node is responsible for, relative to others. By disk and uplink.'),
    reachable: z
      .union([z.literal('auto'), z.boolean()], { error: 'auto, true or false' })
      .default('auto')
      .describe(
        'Whether other members can connect to peerListen. false (behind NAT): those that relay lead to this node. auto: they are asked to try.',
      ),
    relay: flag()
      .default(false)
      .describe('Leads members that are not reachable to each other. For a node that all of them can connect to.'),
    relayBytesPerSecond: size({ least: 16 * kibibyte })
      .prefault('4MiB')
      .describe(
        'Bytes a second relayed between all other members together, beside uploadBytesPerSecond; 0 for no limit.',
      ),
    uploadBytesPerSecond: rate().prefault(0).describe('Bytes a second given to all peers together; 0 for no limit.'),
    uploadSchedule: z
      .array(hoursSchema, { error: 'a list of times of day' })
      .max(24, { error: 'a list of at most 24 times of day' })
      .default([])
      .describe('Other limits for times of day; the first that names the present time counts.'),
    auditShare: fraction(0, 1)
      .default(0.01)
      .describe(
        'Share of what a peer gives that the cell compares with the origin, 16 KiB of it, half a minute later.',
      ),
  })
  .describe('How this node takes part in its cell.');

export type PeeringConfig = Readonly<z.output<typeof peeringSchema>>;

/** Bytes a second that peers may be given at that time; Infinity for no limit. */
export function uploadBytesPerSecond(config: PeeringConfig, nowMs: number): number {
  const now = new Date(nowMs);
  const minute = now.getHours() * 60 + now.getMinutes();
  const hours = config.uploadSchedule.find(({ from, to }) =>
    from <= to ? minute >= from && minute < to : minute >= from || minute < to,
  );
  return (hours ?? config).uploadBytesPerSecond || Number.POSITIVE_INFINITY;
}

/** Minutes since midnight. */
function timeOfDay() {
  const error = 'a time of day as HH:MM, such as 22:30';
  return z
    .string({ error })
    .regex(/^(?:[01]\d|2[0-3]):[0-5]\d$/, { error })
    .transform((text) => Number(text.slice(0, 2)) * 60 + Number(text.slice(3)));
}

function rate() {
  return size({ least: 16 * kibibyte });
}
