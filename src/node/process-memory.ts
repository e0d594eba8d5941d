import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';
import { openLibc } from '../libc.ts';

/** Share of all buffers that V8 lets wait for the collector, some of them longer while it is at work. */
export const uncollectedShare = 1 / 11;

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
/** What may come between two looks. */
const marginBytes = 40e6;
const checkMs = 200;
/** Where giving back is not enough, it is tried again when so much has come on top. */
const regrownBytes = 10e6;
/** From here on V8's young generation does not grow, which would be to 64 MiB and more; so it takes up to twice this. */
const youngBytesMax = 8 * 1024 * 1024;
const youngCheckMs = 100;

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
  // glibc maps, faults in and unmaps each buffer over 128 KiB, until a larger one was freed: then it reuses its heap.
  new ArrayBuffer(mallocThresholdBytes).transfer(0);
  // A heap for each thread that allocates holds what that thread once needed for good.
  openLibc(glibc)?.call.mallopt(M_ARENA_MAX, 1);
}

/**
 * Keeps what is resident within bounds from now on, as far as memory can be given back that is not in use. It takes some
 * 10 ms each time, so it is left until there is more than there should be.
 */
export function boundResidentMemory(ramBytesMax: number): void {
  const libc = openLibc(glibc);
  if (libc === undefined) return;
  const { rss } = process.memoryUsage;
  const limitBytes = ramBytesMax * residentOfBudget + programBytes - marginBytes;
  let dueBytes = limitBytes;
  const check = (): void => {
    const isDue = rss() > dueBytes;
    if (isDue) libc.call.malloc_trim(0n);
    dueBytes = Math.max(limitBytes, Math.min(isDue ? Number.POSITIVE_INFINITY : dueBytes, rss() + regrownBytes));
  };
  setInterval(check, checkMs).unref();
}

/**
 * Keeps V8's young generation small. All that came since it was last collected waits for the next time, a part of an
 * origin's body with every few objects, and what is alive of it is copied in one go, for which viewers wait. V8 takes its
 * largest size from the command line only, but looks up each time how much it grows. That counts for all threads.
 */
export function boundYoungGeneration(): void {
  let grows: boolean | undefined;
  const check = (): void => {
    const space = getHeapSpaceStatistics().find((each) => each.space_name === 'new_space');
    const mayGrow = (space?.space_size ?? 0) < youngBytesMax;
    if (mayGrow === grows) return;
    grows = mayGrow;
    setFlagsFromString(`--semi-space-growth-factor=${mayGrow ? 2 : 1}`);
  };
  check();
  setInterval(check, youngCheckMs).unref();
}
