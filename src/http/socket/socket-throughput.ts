import type { Socket } from 'node:net';
import { openLibc } from '../../libc.ts';
import { fdOf } from './socket-fd.ts';

/** kbit/s that a connection has carried of late; undefined: too little was sent to tell, or it cannot be known. */
export type ThroughputOf = (socket: Socket) => number | undefined;

const definitions = {
  getsockopt: { return: 'i32', arguments: ['i32', 'i32', 'i32', 'pointer', 'pointer'] },
} as const;
/** IPPROTO_TCP and TCP_INFO. */
const [tcp, tcpInfo] = [6, 11];
/** Where `struct tcp_info` has them, and its size up to their ends: the kernel only ever appends. */
const [ackedAt, deliveryRateAt, infoBytes] = [120, 160, 168];

/** Less than this tells of the start of a connection and not of the way to its viewer. */
const ackedBytesMin = 256 * 1024;

/**
 * What the kernel measured between sending and acknowledgement (`tcpi_delivery_rate`): at least this was possible. A
 * viewer who takes its bytes slowly is shown as slow, and so is a node that had little to send. Undefined where the system
 * does not tell.
 */
export function openThroughput(): ThroughputOf | undefined {
  const libc = openLibc(definitions);
  if (libc === undefined) return undefined;
  const info = new DataView(new ArrayBuffer(infoBytes));
  const length = new Uint32Array(1);
  const [infoAddress, lengthAddress] = [libc.addressOf(info.buffer), libc.addressOf(length.buffer)];
  return (socket) => {
    length[0] = infoBytes;
    const failed = libc.call.getsockopt(fdOf(socket), tcp, tcpInfo, infoAddress, lengthAddress) !== 0;
    if (failed || length[0] < infoBytes) return undefined;
    if (info.getBigUint64(ackedAt, true) < ackedBytesMin) return undefined;
    const bytesPerSecond = Number(info.getBigUint64(deliveryRateAt, true));
    return bytesPerSecond > 0 ? (bytesPerSecond * 8) / 1000 : undefined;
  };
}
