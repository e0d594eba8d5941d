import { Writable } from 'node:stream';
import { parentPort, workerData } from 'node:worker_threads';
import { messageOf } from '../../errors.ts';
import { AccessLines } from '../../http/exchange/access-line.ts';
import { startViewers, type Viewers } from '../../http/listener.ts';
import { openLog } from '../../log.ts';
import { createRequestCounts } from '../../metrics/requests.ts';
import { Tally } from '../../metrics/tally.ts';
import { BatchedPort, receiveAll } from '../../workers/batched-port.ts';
import { Counterweight } from '../../workers/counterweight.ts';
import { LentMemory } from '../../workers/lent-memory.ts';
import type { ToMain, ToThread } from '../../workers/messages.ts';
import { RelayedCache } from '../../workers/relayed-cache.ts';
import type { Notice, Order, ThreadData } from './thread-messages.ts';

/** A thread that talks to viewers: the place where its parts meet. Everything but hits is the main thread's. */
const data = workerData as ThreadData;
const tell = (notice: Notice): void => parentPort?.postMessage(notice);

const requests = createRequestCounts();
const ramBytes = new Tally();
let linesTaken = (): void => {};
const lines = new Writable({
  decodeStrings: false,
  write: (text: string | Buffer, _encoding, done) => {
    // One copy, which changes hands: strings would be copied twice, and the main thread would write them out once more.
    const bytes = typeof text === 'string' ? new TextEncoder().encode(text) : new Uint8Array(text);
    linesTaken = done;
    parentPort?.postMessage({ kind: 'lines', bytes } satisfies Notice, [bytes.buffer]);
  },
});
const output = openLog({ level: data.logLevel, pretty: data.pretty, destination: lines });
const accessLines = new AccessLines();
const port = new BatchedPort<ToMain>(data.port);
const memory = data.arena && new LentMemory(data.arena, (loan) => port.postMessage({ kind: 'returned', loan }));
const cache = new RelayedCache(port, {
  memory,
  now: Date.now,
  onServed: (_source, bytes) => ramBytes.add(bytes),
  onShared: new Counterweight().add,
});
receiveAll<ToThread>(data.port, (message) => cache.receive(message));

try {
  const viewers = await startViewers({
    listen: data.listen,
    tlsListen: data.https,
    ...(data.tls && { tls: data.tls }),
    reusePort: true,
    cache,
    backing: memory,
    policies: data.policies,
    limits: data.limits,
    unsentBytesMax: data.unsentBytesMax,
    log: output.log,
    onStarted: () => requests.started(),
    onFinished: (record) => {
      requests.finished(record);
      if (data.accessLog) output.log.access(record, accessLines.of);
    },
  });
  parentPort?.on('message', (order: Order) => obey(order, viewers));
  tell({ kind: 'listening', urls: viewers.urls });
} catch (error) {
  tell({ kind: 'not-listening', reason: messageOf(error) });
}

function obey(order: Order, viewers: Viewers): void {
  switch (order.kind) {
    case 'reload':
      viewers.replacePolicies(order.policies);
      return output.log.setLevel(order.logLevel);
    case 'report':
      return report(viewers);
    case 'lines-taken':
      return linesTaken();
    case 'stop-accepting':
      return viewers.stopAccepting();
    case 'drain':
      return void drain(viewers, order.deadlineMs);
    default:
      return order satisfies never;
  }
}

function report(viewers: Viewers): void {
  const report = { requests: requests.take(), ramBytes: ramBytes.value, connections: viewers.connections() };
  ramBytes.value = 0;
  tell({ kind: 'report', report });
}

async function drain(viewers: Viewers, deadlineMs: number): Promise<void> {
  await viewers.drain(deadlineMs);
  await viewers.close();
  await output.flush();
  report(viewers);
  tell({ kind: 'drained' });
}
