import type { FunctionDefinitions, WrappedFunctionsFromDefinitions } from 'node:ffi';

type Ffi = typeof import('node:ffi');

/** Functions of the C library that Node itself does not offer. */
export interface Libc<T extends FunctionDefinitions> {
  readonly call: WrappedFunctionsFromDefinitions<T>;
  /** Memory at that address, which is never freed by it. */
  readonly memoryAt: (address: bigint, bytes: number) => ArrayBuffer;
  /** Valid as long as the buffer is. */
  readonly addressOf: (buffer: ArrayBuffer) => bigint;
}

/** What the kernel hands memory over in; where its pages are larger, whole ones of these are as right. */
export const pageBytes = 4096;

/** Their arguments are declared as they are on 64-bit machines. */
const knownMachines: readonly string[] = ['x64', 'arm64'];
/**
 * Whether this is the release of node whose private and experimental parts are used: others may take other arguments, and
 * end the process over wrong ones.
 */
export const isKnownRelease = process.versions.node.startsWith('26.');

/**
 * Undefined where they cannot be had: another system, another release of Node, one without node:ffi, or a C library that
 * lacks one of them. What fails says so by its result only: errno is not reliable by the time it could be read.
 */
export function openLibc<const T extends FunctionDefinitions>(definitions: T): Libc<T> | undefined {
  if (process.platform !== 'linux' || !isKnownRelease || !knownMachines.includes(process.arch)) return undefined;
  try {
    const ffi = loadFfi();
    if (ffi === undefined) return undefined;
    // The program itself: it is linked with the C library, whatever that is called.
    const { functions } = ffi.dlopen(null, definitions);
    return {
      call: functions,
      memoryAt: (address, bytes) => ffi.toArrayBuffer(address, bytes, false),
      addressOf: (buffer) => ffi.getRawPointer(buffer),
    };
  } catch {
    return undefined;
  }
}

/** It warns that it is experimental, which is no news to whoever runs the pinned Node. */
function loadFfi(): Ffi | undefined {
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    return process.getBuiltinModule('node:ffi');
  } finally {
    process.emitWarning = emitWarning;
  }
}
