import { availableParallelism } from 'node:os';
import { getHeapSpaceStatistics, getHeapStatistics, setFlagsFromString } from 'node:v8';
import { openLibc } from '../../libc.ts';

/** Share of all buffers that V8 lets wait for the collector, some of them longer while it is at work. */
const uncollectedShare = 1 / 11;
/** Of a small RAM budget more is needed: for what is known of stored responses, the index's tables, and holes in the heap. */
const spareBytesMin = 64 * 1024 * 1024;
const spareShareMax = 1 / 2;

/** Just under the largest threshold that glibc takes over by itself (DEFAULT_MMAP_THRESHOLD_MAX, 32 MiB). */
const mallocThresholdBytes = 31 * 1024 * 1024;
/** glibc, malloc.h: how many heaps there may be. */
const M_ARENA_MAX = -8;
const glibc = {
  mallopt: { arguments: ['int32', 'int32'], return: 'int32' },
  malloc_trim: { arguments: ['uint64'], return: 'int32' },
} as const;

/** How much may be resident: this many times the RAM budget, and what a program takes that has nothing in it. */
const residentOfBudget = 1.3;
const programBytes = 150e6;
/** Below this nothing is gained: a node that serves from disk alone, or hardly anything, takes as much. */
const boundBytesMin = 250e6;
/** What may come between two looks. */
const marginBytes = 40e6;
const checkMs = 200;
/** Where giving back is not enough, it is tried again when so much has come on top. */
const regrownBytes = 10e6;
/** Of what is left to the bound so much may wait for the collector, or come, within these bounds; V8 itself adds some 16 MB. */
const waitingOfRoom = 0.5;
const waitingBytesMin = 12e6;
const waitingBytesMax = 64e6;
/** Of a large RAM budget more: while it fills all that comes is kept, and a mark finds nothing. */
const waitingOfBudgetMax = 0.5;
/** The least change that V8 is told. */
const shareChangeMin = 0.01;
/** Up to here V8's young generation is made to grow, and no further, which would be to 64 MiB and more; it takes up to twice this. */
const youngBytes = 8 * 1024 * 1024;
const youngCheckMs = 100;
/** An array of so many numbers takes about 8 KB of it. */
const survivorLength = 1024;

/** Share of the RAM budget that is not for pieces, but for what waits for the collector and what it takes to know them. */
export function spareShare(ramBytesMax: number): number {
  return Math.min(spareShareMax, Math.max(uncollectedShare, spareBytesMin / ramBytesMax));
}

/**
 * Fits the process to a program that holds most of its memory in buffers, before it has any. For the whole process, its
 * threads included; docs/decisions/memory.md has the measurements.
 */
export function tuneProcessMemory(): void {
  // V8 marks its whole heap anew for each 64 MiB of buffers that come, however many it holds and however many have gone:
  // 16 times for each GB. With this the limit grows with what is held, as it does for everything else on the heap.
  setFlagsFromString('--external-memory-accounted-in-global-limit');
  // What has been let go of may wait for the next mark up to these shares of what is held: buffers, and the heap itself.
  setFlagsFromString(`--external-memory-max-growing-factor=${1 / (1 - uncollectedShare)}`);
  setFlagsFromString('--heap-growing-percent=20');
  // Threads that help would do so on the core of the one that waits for them, whenever they get it.
  if (availableParallelism() === 1) setFlagsFromString('--no-parallel-scavenge');
  // V8 would lower that limit while few objects are made. Then buffers that come and go with viewers reach it again and
  // again, with nothing to collect.
  setFlagsFromString('--no-scavenger-updates-allocation-limit');
  // glibc maps, faults in and unmaps each buffer over 128 KiB, until a larger one was freed: then it reuses its heap.
  new ArrayBuffer(mallocThresholdBytes).transfer(0);
  // A heap for each thread that allocates holds what that thread once needed for good.
  openLibc(glibc)?.call.mallopt(M_ARENA_MAX, 1);
}

/**
 * Keeps what is resident within bounds from now on. What was let go of waits longer for the collector while there is room.
 * What is not in use is given back, which takes some 10 ms each time, so it is left until there is more than there should be.
 */
export function boundResidentMemory(ramBytesMax: number): void {
  const libc = openLibc(glibc);
  const boundBytes = Math.max(boundBytesMin, ramBytesMax * residentOfBudget + programBytes);
  const trimmedFromBytes = boundBytes - marginBytes;
  const letWait = waitingSetter(Math.max(waitingBytesMax, ramBytesMax * waitingOfBudgetMax));
  let dueBytes = trimmedFromBytes;
  const check = (): void => {
    const before = residentBytesNow();
    if (before === undefined) return;
    if (before > dueBytes) {
      libc?.call.malloc_trim(0n);
      // Anew from what could not be given back.
      dueBytes = Number.POSITIVE_INFINITY;
    }
    const residentBytes = residentBytesNow() ?? before;
    dueBytes = Math.max(trimmedFromBytes, Math.min(dueBytes, residentBytes + regrownBytes));
    letWait((boundBytes - residentBytes) * waitingOfRoom);
  };
  setInterval(check, checkMs).unref();
}

/** Undefined while the system does not tell: it takes a file descriptor, and viewers may have the last one. */
function residentBytesNow(): number | undefined {
  try {
    return process.memoryUsage.rss();
  } catch {
    return undefined;
  }
}

/** Tells V8 how much may come before it marks its heap again. It counts in shares of what is held. */
function waitingSetter(bytesMax: number): (bytes: number) => void {
  let known = 0;
  return (bytes) => {
    const { used_heap_size: heapBytes, external_memory: bufferBytes } = getHeapStatistics();
    const share = Math.max(waitingBytesMin, Math.min(bytesMax, bytes)) / (heapBytes + bufferBytes);
    if (Math.abs(share - known) < shareChangeMin) return;
    known = share;
    setFlagsFromString(`--external-memory-max-growing-factor=${(1 + share).toFixed(3)}`);
    setFlagsFromString(`--heap-growing-percent=${Math.ceil(share * 100)}`);
  };
}

/**
 * Keeps V8's young generation at a size. All that came since it was last collected waits for the next time, and what is
 * alive of it is copied in one go, for which viewers wait: so it must not be large. V8 makes it the smallest there is when
 * little was allocated for some seconds, and does not let it grow before as much as fits in it has survived: after a rest
 * it would be collected 200 times a second for a long time, since of hits next to nothing survives. V8 takes its sizes
 * from the command line only, but looks up each time how much it grows. That counts for all threads.
 */
export function boundYoungGeneration(): void {
  const kept: { survivors: unknown } = { survivors: undefined };
  let grows: boolean | undefined;
  const check = (): void => {
    const space = getHeapSpaceStatistics().find((each) => each.space_name === 'new_space');
    const bytes = space?.space_size ?? 0;
    const mayGrow = bytes < youngBytes;
    kept.survivors = mayGrow ? survivors(bytes / 2) : undefined;
    if (mayGrow === grows) return;
    grows = mayGrow;
    setFlagsFromString(`--semi-space-growth-factor=${mayGrow ? 2 : 1}`);
  };
  check();
  setInterval(check, youngCheckMs).unref();
}

/** What survives as long as it is held. */
function survivors(bytes: number): readonly unknown[] {
  return Array.from({ length: Math.ceil(bytes / 8 / survivorLength) }, () => new Array(survivorLength).fill(0));
}
