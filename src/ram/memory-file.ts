import { closeSync, readFileSync, readSync } from 'node:fs';
import { type Libc, openLibc, pageBytes } from '../libc.ts';

const definitions = {
  memfd_create: { return: 'i32', arguments: ['string', 'u32'] },
  ftruncate: { return: 'i32', arguments: ['i32', 'i64'] },
  mmap: { return: 'pointer', arguments: ['pointer', 'u64', 'i32', 'i32', 'i32', 'i64'] },
  madvise: { return: 'i32', arguments: ['pointer', 'u64', 'i32'] },
  fallocate: { return: 'i32', arguments: ['i32', 'i32', 'i64', 'i64'] },
  pipe2: { return: 'i32', arguments: ['pointer', 'i32'] },
  sendfile: { return: 'i32', arguments: ['i32', 'i32', 'pointer', 'u64'] },
} as const;

const closeOnExec = 1;
const mapFailed = 2n ** 64n - 1n;
/** MAP_PRIVATE, MAP_ANONYMOUS and MAP_NORESERVE with PROT_NONE: addresses, and nothing there. */
const reserved = { protection: 0, flags: 0x4022 };
/** MAP_SHARED and MAP_FIXED with PROT_READ and PROT_WRITE. */
const shared = { protection: 3, flags: 0x11 };
const punchHole = 3;
const adviceCollapse = 25;

/** The file is used in parts of so many bytes, aligned: as large as the largest pages that Linux may hold it in. */
export const extentBytes = 2 * 1024 * 1024;

/**
 * A file in memory, without a name, of which the kernel can send parts without a copy. Its memory is taken when it is
 * written to, one extent after the other.
 */
export class MemoryFile {
  readonly fd: number;
  /** Where it is mapped, for all threads of the process. */
  readonly address: bigint;
  readonly #libc: Libc<typeof definitions>;

  private constructor(libc: Libc<typeof definitions>, { fd, address }: { fd: number; address: bigint }) {
    this.#libc = libc;
    this.fd = fd;
    this.address = address;
  }

  /** Undefined where there is no such thing, or not one to rely on. `bytes`: whole extents. */
  static open(bytes: number): MemoryFile | undefined {
    const libc = openLibc(definitions);
    if (libc === undefined || largestPageBytes() > extentBytes) return undefined;
    const fd = libc.call.memfd_create('eddy', closeOnExec);
    if (fd < 0) return undefined;
    const address = libc.call.ftruncate(fd, BigInt(bytes)) === 0 ? map(libc, fd, BigInt(bytes)) : undefined;
    if (address !== undefined) {
      const file = new MemoryFile(libc, { fd, address });
      if (file.#keepsWhatWasSent()) return file;
    }
    closeSync(fd);
    return undefined;
  }

  /** The memory of one extent, not to be used after `discard`. */
  extent(offset: number): ArrayBuffer {
    const address = this.address + BigInt(offset);
    const buffer = this.#libc.memoryAt(address, extentBytes);
    // One large page, if there is one, instead of 512 faults and as many pieces to send. It needs one that is in use.
    new Uint8Array(buffer)[0] = 0;
    this.#libc.call.madvise(address, BigInt(extentBytes), adviceCollapse);
    return buffer;
  }

  /** Takes the memory of an extent from the file. Those whom it was sent to keep it as it was. */
  discard(offset: number): boolean {
    return this.#libc.call.fallocate(this.fd, punchHole, BigInt(offset), BigInt(extentBytes)) === 0;
  }

  /** Tries what all depends on: what was sent and not yet received stays what it was, however the file is used again. */
  #keepsWhatWasSent(): boolean {
    const { call, addressOf } = this.#libc;
    const ends = new Int32Array(new ArrayBuffer(8));
    if (call.pipe2(addressOf(ends.buffer), 0) !== 0) return false;
    const [readEnd = -1, writeEnd = -1] = ends;
    try {
      new Uint8Array(this.extent(0)).fill(1);
      const from = new BigInt64Array(new ArrayBuffer(8));
      if (call.sendfile(writeEnd, this.fd, addressOf(from.buffer), BigInt(pageBytes)) !== pageBytes) return false;
      if (!this.discard(0)) return false;
      new Uint8Array(this.extent(0)).fill(2);
      // By the file as well, so that it is known to be the same memory.
      const sent = Buffer.alloc(pageBytes);
      const now = Buffer.alloc(1);
      readSync(readEnd, sent);
      readSync(this.fd, now, { position: pageBytes });
      return sent.every((byte) => byte === 1) && now[0] === 2 && this.discard(0);
    } finally {
      closeSync(readEnd);
      closeSync(writeEnd);
    }
  }
}

/** At an address that large pages can have. Addresses that are left over stay reserved. */
function map({ call }: Libc<typeof definitions>, fd: number, bytes: bigint): bigint | undefined {
  const step = BigInt(extentBytes);
  const start = call.mmap(0n, bytes + step, reserved.protection, reserved.flags, -1, 0n);
  if (start === mapFailed) return undefined;
  const aligned = ((start + step - 1n) / step) * step;
  return call.mmap(aligned, bytes, shared.protection, shared.flags, fd, 0n) === aligned ? aligned : undefined;
}

/** A part of a page that is taken from a file is cleared, for those as well whom it was sent to. */
function largestPageBytes(): number {
  try {
    return Number(readFileSync('/sys/kernel/mm/transparent_hugepage/hpage_pmd_size', 'latin1'));
  } catch {
    return 0;
  }
}
