import { viewerGone } from '../../errors.ts';

/** Resolves once the viewer has taken what was written; rejects when it is gone. Stalls are the connection's to end. */
export function drained(stream: {
  on(event: 'drain' | 'close', listener: () => void): unknown;
  off(event: 'drain' | 'close', listener: () => void): unknown;
  readonly destroyed: boolean;
}): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = () => {
      stream.off('drain', onDrain);
      stream.off('close', onClose);
    };
    const onDrain = () => {
      settle();
      resolve();
    };
    const onClose = () => {
      settle();
      reject(viewerGone());
    };
    if (stream.destroyed) return onClose();
    stream.on('drain', onDrain);
    stream.on('close', onClose);
  });
}
