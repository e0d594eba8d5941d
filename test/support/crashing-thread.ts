import { BroadcastChannel } from 'node:worker_threads';
import '../../src/node/viewers/viewer-thread.ts';

/** A viewer thread that crashes when it is told to: the first one that hears it. */
const told = new BroadcastChannel('crash');
told.onmessage = () => {
  const failed = new Error('crashed by a test');
  setImmediate(() => {
    throw failed;
  });
};
told.unref();
