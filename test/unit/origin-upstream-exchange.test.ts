import { Dispatcher } from 'undici';
import { expect, test } from 'vitest';
import { UpstreamExchange } from '../../src/origin/upstream-exchange.ts';
import { errorOf } from '../support/origin-supplier.ts';

class Waiting extends Dispatcher {
  handler: Dispatcher.DispatchHandler | undefined;

  override dispatch(_: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    this.handler = handler;
    return true;
  }
}

const controller = { aborted: false, paused: false, reason: null, abort() {}, pause() {}, resume() {} };
const request = { method: 'GET', path: '/', fields: [], body: null };

function waitingExchange(signal: AbortSignal) {
  const timeouts = { connectTimeoutMs: 20, firstByteTimeoutMs: 20, idleTimeoutMs: 20 };
  const dispatcher = new Waiting();
  const exchange = new UpstreamExchange({ ...timeouts, origin: 'http://h', signal });
  return { exchange, dispatcher, head: errorOf(exchange.start(dispatcher, request)) };
}

test('no connection within the connect deadline; one that comes later is left to others', async () => {
  const { exchange, dispatcher, head } = waitingExchange(new AbortController().signal);
  const error = await head;
  expect(error).toMatchObject({ code: 'origin-timeout', side: 'upstream' });
  expect(error.message).toBe('http://h did not take a connection within 20 ms');
  expect(() => dispatcher.handler?.onRequestStart?.(controller, null)).toThrow(error);
  expect(exchange.sent).toBe(false);
  expect(await exchange.settled).toBe(error);
});

test('an abort while waiting for a connection does not wait for it', async () => {
  const abort = new AbortController();
  const { head } = waitingExchange(abort.signal);
  abort.abort(new Error('viewer left'));
  expect(await head).toMatchObject({ code: 'aborted', cause: { message: 'viewer left' } });
});
