import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Announced } from '../../src/live/manifest.ts';
import type { ClientData } from '../../src/live/prefetch/cmcd.ts';
import { nextWanted } from '../../src/live/prefetch/next-wanted.ts';
import { type FetchOptions, type Outcome, Prefetcher } from '../../src/live/prefetch/prefetcher.ts';
import { type MediaReference, Sequences } from '../../src/live/prefetch/sequences.ts';
import { fuzzSeed } from '../support/fuzz.ts';
import { HandClock } from '../support/hand-clock.ts';

const wanted = (name: string): MediaReference => ({ key: `m /${name}`, target: `/${name}`, range: undefined });

/** A prefetcher whose fetches a test brings to their end. */
class Stage {
  readonly clock = new HandClock();
  readonly running = new Map<string, FetchOptions<string> & { end(outcome: 'fetched' | 'present' | 'failed'): void }>();
  readonly outcomes: Outcome[] = [];
  readonly bytes = { useful: 0, wasted: 0 };
  readonly prefetcher: Prefetcher<string>;

  constructor(limits: { bytesMax?: number; requestsMax?: number } = {}) {
    this.prefetcher = new Prefetcher<string>({
      ...{ clock: this.clock, bytesMax: 1000, requestsMax: 2, ...limits },
      fetch: ({ target }, options) =>
        new Promise((resolve) => {
          this.running.set(target, {
            ...options,
            end: (outcome) => {
              this.running.delete(target);
              resolve(outcome);
            },
          });
        }),
      counts: {
        requests: (outcome) => this.outcomes.push(outcome),
        bytes: (outcome, count) => {
          this.bytes[outcome] += count;
        },
      },
    });
  }

  seen(name: string, next: readonly string[], viewing = 'a'): void {
    this.prefetcher.seen(`m /${name}`, { viewing, wanted: next.map(wanted), context: viewing });
  }

  async fetched(name: string, count: number): Promise<boolean | undefined> {
    const fetch = this.running.get(`/${name}`);
    const goesOn = fetch?.onBytes(count);
    fetch?.end('fetched');
    await new Promise((resolve) => setImmediate(resolve));
    return goesOn;
  }

  get targets(): string[] {
    return [...this.running.keys()];
  }
}

describe('fetching ahead', () => {
  test('what a viewer then asks for was useful', async () => {
    const stage = new Stage();
    stage.seen('1', ['2', '3']);
    expect(stage.targets).toEqual(['/2', '/3']);
    await stage.fetched('2', 100);
    stage.seen('2', ['3', '4']);
    expect([stage.outcomes, stage.bytes]).toEqual([['useful'], { useful: 100, wasted: 0 }]);
    expect(stage.targets).toEqual(['/3', '/4']);
    // On its way when the viewer asks: it joins.
    stage.seen('3', ['4', '5']);
    await stage.fetched('3', 50);
    expect(stage.bytes).toEqual({ useful: 150, wasted: 0 });
  });

  test('no more at once than that; what another viewer wants too is fetched once', () => {
    const stage = new Stage();
    stage.seen('1', ['2', '3', '4']);
    stage.seen('1', ['2', '3', '4'], 'b');
    expect(stage.targets).toEqual(['/2', '/3']);
  });

  test('no more bytes than that, however many fetches bring them; room is made by use', async () => {
    const stage = new Stage({ bytesMax: 100, requestsMax: 8 });
    stage.seen('1', ['2', '3']);
    expect(stage.running.get('/2')?.onBytes(60)).toBe(true);
    expect(await stage.fetched('3', 60)).toBe(false);
    expect(stage.bytes.wasted).toBe(60);
    await stage.fetched('2', 40);
    stage.seen('1', ['2', '4']);
    expect(stage.targets).toEqual([]);
    stage.seen('2', ['4']);
    expect(stage.targets).toEqual(['/4']);
    expect(stage.prefetcher.bytes).toBe(0);
  });

  test('another rendition: what was to come is dropped, what came counts as wasted in time', async () => {
    const stage = new Stage({ requestsMax: 1 });
    stage.seen('v1/1', ['v1/2', 'v1/3', 'v1/4'], 'player v');
    await stage.fetched('v1/2', 70);
    const { signal } = stage.running.get('/v1/3') ?? {};
    stage.running.get('/v1/3')?.onBytes(30);
    stage.seen('v2/2', ['v2/3'], 'player v');
    expect(signal?.aborted).toBe(true);
    expect(stage.outcomes).toEqual(['dropped', 'dropped']);
    expect(stage.running.get('/v1/3')?.onBytes(10)).toBe(false);
    await stage.fetched('v1/3', 0);
    expect(stage.targets).toEqual(['/v2/3']);
    stage.clock.turn(120_000);
    expect(stage.bytes).toEqual({ useful: 0, wasted: 100 });
    expect(stage.prefetcher.bytes).toBe(0);
  });

  test('what is there already, and what fails, is no waste', async () => {
    const stage = new Stage();
    stage.seen('1', ['2', '3']);
    stage.running.get('/2')?.end('present');
    stage.running.get('/3')?.end('failed');
    await new Promise((resolve) => setImmediate(resolve));
    expect([stage.outcomes.toSorted(), stage.bytes]).toEqual([['failed', 'present'], { useful: 0, wasted: 0 }]);
  });

  test('a fetch that never ends is given up', () => {
    const stage = new Stage();
    stage.seen('1', ['2']);
    const { signal } = stage.running.get('/2') ?? {};
    stage.clock.turn(30_000);
    expect(signal?.aborted).toBe(true);
  });

  test('whatever viewers do: bounds hold, and every byte is accounted for once', async () => {
    const event = fc.record({
      viewing: fc.constantFrom('a', 'b', 'c'),
      at: fc.nat(20),
      ahead: fc.nat(6),
      ends: fc.nat(3),
      turn: fc.constantFrom(0, 0, 0, 1_000, 40_000),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(event, { maxLength: 40 }), async (events) => {
        const stage = new Stage({ bytesMax: 300, requestsMax: 3 });
        let brought = 0;
        for (const { viewing, at, ahead, ends, turn } of events) {
          const next = Array.from({ length: ahead }, (_, i) => `${at + i + 1}`);
          stage.seen(`${at}`, next, viewing);
          expect(stage.targets.length).toBeLessThanOrEqual(3);
          for (const name of stage.targets.slice(0, ends)) {
            const before = stage.prefetcher.bytes + stage.bytes.useful + stage.bytes.wasted;
            stage.running.get(name)?.onBytes(50);
            brought += stage.prefetcher.bytes + stage.bytes.useful + stage.bytes.wasted - before;
            await stage.fetched(name.slice(1), 0);
          }
          expect(stage.prefetcher.bytes).toBeLessThanOrEqual(300 + 3 * 50);
          stage.clock.turn(turn);
        }
        stage.prefetcher.close();
        expect(stage.prefetcher.bytes).toBe(0);
        expect(stage.bytes.useful + stage.bytes.wasted).toBe(brought);
      }),
      { seed: fuzzSeed, numRuns: 200 },
    );
  });
});

describe('what will be asked for next', () => {
  const plain: ClientData = {
    ...{ sessionId: 's', objectType: 'v', format: undefined, streamType: undefined, bufferMs: 20_000 },
    ...{ throughputKbps: undefined, playbackRate: undefined },
    ...{ startup: false, starved: false, next: [] },
  };
  const next = (count: number): MediaReference[] => ['2', '3', '4'].slice(0, count).map(wanted);
  const named = (reference: string): MediaReference | undefined =>
    reference === 'evil' ? undefined : wanted(reference);
  const plan = (data: Partial<ClientData> | undefined, segments = 2): string[] =>
    nextWanted({ data: data && { ...plain, ...data }, segments, next, named }).map(({ target }) => target);

  test.each<[string, Partial<ClientData> | undefined, string[]]>([
    ['a player that says nothing', undefined, ['/2', '/3']],
    ['a full buffer', {}, ['/2', '/3']],
    ['a low buffer', { bufferMs: 1_000 }, ['/2']],
    ['start or seek', { startup: true }, []],
    ['recovery', { starved: true }, []],
    ['start, but it says what comes', { startup: true, next: [{ reference: 'x', range: undefined }] }, ['/x']],
    ['its own word', { next: [{ reference: 'x', range: undefined }] }, ['/x']],
    ['its own word, of another host', { next: [{ reference: 'evil', range: undefined }] }, ['/2', '/3']],
    ['paused', { playbackRate: 0, next: [{ reference: 'x', range: undefined }] }, []],
    ['an initialization section', { objectType: 'i' }, []],
  ])('%s', (_what, data, expected) => {
    expect(plan(data)).toEqual(expected);
  });

  test('switched off', () => {
    expect(plan({ next: [{ reference: 'x', range: undefined }] }, 0)).toEqual([]);
  });
});

describe('sequences', () => {
  const options = {
    keyOf: (target: string) => `m ${target}`,
    toEdge: (url: string) => (url.startsWith('https://o.example/') ? url.slice('https://o.example'.length) : undefined),
  };
  const segments = (rendition: string, count: number, host = 'o.example'): Announced[] =>
    Array.from({ length: count }, (_, i) => ({ role: 'segment', url: `https://${host}/${rendition}/${i}`, rendition }));

  test('follow the manifest within a rendition, and only hosts that are mapped', () => {
    const sequences = new Sequences();
    sequences.set('m', [...segments('a', 3), ...segments('b', 3), ...segments('c', 3, 'evil.example')], options);
    expect(
      sequences
        .after('m /a/0', undefined)
        ?.next(5)
        .map(({ target }) => target),
    ).toEqual(['/a/1', '/a/2']);
    expect(
      sequences
        .after('m /b/1', undefined)
        ?.next(5)
        .map(({ target }) => target),
    ).toEqual(['/b/2']);
    expect(sequences.after('m /c/0', undefined)).toBeUndefined();
    expect(sequences.size).toBe(6);
  });

  test('tell parts of one file apart by where they begin', () => {
    const sequences = new Sequences();
    const parts = [0, 100, 200].map(
      (first): Announced => ({ role: 'segment', url: 'https://o.example/f', range: { first, last: first + 99 } }),
    );
    sequences.set('m', parts, options);
    expect(sequences.after('m /f', 100)?.next(5)).toMatchObject([{ target: '/f', range: { first: 200, last: 299 } }]);
  });

  test('are bounded: another version takes the place of the one before, old manifests go', () => {
    const sequences = new Sequences();
    for (let version = 0; version < 3; version++) sequences.set('m', segments(`v${version}`, 100), options);
    expect(sequences.size).toBe(100);
    for (let number = 0; number < 7; number++) sequences.set(`${number}`, segments(`n${number}`, 20_000), options);
    expect(sequences.size).toBeLessThanOrEqual(50_000);
    expect(sequences.after('m /n6/0', undefined)).toBeDefined();
    expect(sequences.after('m /n0/0', undefined)).toBeUndefined();
  });
});
