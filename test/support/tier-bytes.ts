/** Bytes of a made-up representation: each depends on the id and its own offset only, so any mix-up shows. */
export function bytesOf(id: number, first: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  for (let i = 0; i < length; i++) bytes[i] = ((first + i) * 31 + ((first + i) >>> 8) * 7 + id * 131) & 0xff;
  return bytes;
}
