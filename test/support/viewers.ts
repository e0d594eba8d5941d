import { EventEmitter, once } from 'node:events';
import { limitsSchema } from '../../src/config/limits.ts';
import type { AccessRecord } from '../../src/http/exchange/access.ts';
import type { ViewerLimits } from '../../src/http/limits.ts';
import { startViewers, type Viewers, type ViewersOptions } from '../../src/http/listener.ts';
import { FakeCache, policyOf } from './fake-cache.ts';

/** A live listener over a FakeCache, with what it logged and recorded. */
export interface TestViewers {
  readonly viewers: Viewers;
  readonly url: string;
  readonly cache: FakeCache;
  readonly records: AccessRecord[];
  readonly logged: string[];
  /** Resolves with the next access record that is not here yet. */
  nextRecord(): Promise<AccessRecord>;
}

/** Limits are those of the configuration where they are not given. */
export type ViewersChanges = Partial<Omit<ViewersOptions, 'limits'>> & { readonly limits?: Partial<ViewerLimits> };

export async function openViewers({ limits, ...changes }: ViewersChanges = {}): Promise<TestViewers> {
  const cache = new FakeCache();
  const records: AccessRecord[] = [];
  const logged: string[] = [];
  const events = new EventEmitter();
  const note = (about: object, message: string) => {
    logged.push(`${message} ${String((about as { err?: unknown }).err ?? '')}`);
    events.emit('logged');
  };
  const viewers = await startViewers({
    listen: [{ host: '127.0.0.1', port: 0 }],
    cache,
    policies: [policyOf()],
    limits: { ...limitsSchema.parse({}), ...limits },
    log: { info: note, warn: note, error: note },
    onFinished: (record) => {
      records.push(record);
      events.emit('finished', record);
    },
    ...changes,
  });
  const nextRecord = async () => (await once(events, 'finished'))[0] as AccessRecord;
  return { viewers, url: viewers.urls[0] ?? '', cache, records, logged, nextRecord };
}
