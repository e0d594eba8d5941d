import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const outputBytesMax = 64 * 1024 * 1024;

/** Bytes that the kernel holds to be sent, or until they are acknowledged, for all TCP connections of a port of ours. */
export async function sendMemory(port: number): Promise<number> {
  const command = ['-tnmH', 'state', 'established', `sport = :${port}`];
  const { stdout } = await promisify(execFile)('ss', command, { maxBuffer: outputBytesMax });
  return parseSendMemory(stdout);
}

/** The sum of `w` in what `ss -m` prints of each socket: `skmem:(r0,rb131072,t0,tb2626560,f0,w4352,o0,bl0,d0)`. */
export function parseSendMemory(text: string): number {
  return [...text.matchAll(/skmem:\([^)]*,w(\d+)/g)].reduce((sum, [, bytes]) => sum + Number(bytes), 0);
}
