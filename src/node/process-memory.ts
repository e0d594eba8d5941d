import { setFlagsFromString } from 'node:v8';
import { openLibc } from '../libc.ts';

/** Just under the largest threshold that glibc takes over by itself (DEFAULT_MMAP_THRESHOLD_MAX, 32 MiB). */
const mallocThresholdBytes = 31 * 1024 * 1024;

/** glibc, malloc.h: how many heaps there may be. */
const M_ARENA_MAX = -8;
const mallocSetting = { mallopt: { arguments: ['int32', 'int32'], return: 'int32' } } as const;

/**
 * Fits the process to a program that holds most of its memory in buffers, before it has any. For the whole process, its
 * threads included; docs/decisions/memory.md has the measurements.
 */
export function tuneProcessMemory(): void {
  // V8 marks its whole heap anew for each 64 MiB of buffers that come, however many it holds and however many have gone:
  // 16 times for each GB. With this the limit grows with what is held, as it does for everything else on the heap.
  setFlagsFromString('--external-memory-accounted-in-global-limit');
  // What has been let go of may wait for the next mark up to these shares of what is held: buffers, and the heap itself.
  setFlagsFromString('--external-memory-max-growing-factor=1.1');
  setFlagsFromString('--heap-growing-percent=30');
  // glibc maps, faults in and unmaps each buffer over 128 KiB, until a larger one was freed: then it reuses its heap.
  new ArrayBuffer(mallocThresholdBytes).transfer(0);
  // A heap for each thread that allocates holds what that thread once needed for good.
  openLibc(mallocSetting)?.call.mallopt(M_ARENA_MAX, 1);
}
