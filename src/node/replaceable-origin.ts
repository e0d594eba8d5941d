import type { Supplier } from '../cache/supply.ts';
import type { MapConfig } from '../config/maps.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { OriginMap } from '../origin/origin-map.ts';
import { OriginSupplier } from '../origin/supplier.ts';

/** How long what an old configuration began may go on. */
const replacedLingerMs = 600_000;

/** The origin supplier of the current configuration; one that is replaced still finishes what it has begun. */
export class ReplaceableOrigin implements Supplier {
  readonly name = 'origin';
  readonly #deps: { log: Log; metrics: Metrics };
  #current: OriginSupplier;

  constructor(maps: readonly MapConfig[], deps: { log: Log; metrics: Metrics }) {
    this.#deps = deps;
    this.#current = this.#create(maps);
  }

  supply(...asked: Parameters<Supplier['supply']>): ReturnType<Supplier['supply']> {
    return this.#current.supply(...asked);
  }

  health(): ReturnType<OriginSupplier['health']> {
    return this.#current.health();
  }

  replace(maps: readonly MapConfig[]): void {
    const old = this.#current;
    this.#current = this.#create(maps);
    setTimeout(() => void old.close(), replacedLingerMs).unref();
  }

  close(): Promise<void> {
    return this.#current.close();
  }

  #create(maps: readonly MapConfig[]): OriginSupplier {
    const { log, metrics } = this.#deps;
    return new OriginSupplier({
      maps: maps.map(originMapOf),
      log,
      onAttempt: (outcome) => metrics.originRequests[outcome].add(1),
      onBytes: (bytes) => metrics.originBytes.add(bytes),
    });
  }
}

function originMapOf(map: MapConfig): OriginMap {
  return {
    name: map.name,
    prefix: map.prefix,
    upstreams: map.origins,
    ...(map.host !== undefined && { hostField: map.host }),
    fieldsAdded: map.headers,
    redirectHosts: map.redirectHosts,
    connectTimeoutMs: map.timeouts.connectMs,
    firstByteTimeoutMs: map.timeouts.firstByteMs,
    idleTimeoutMs: map.timeouts.idleMs,
    attemptsMax: map.attemptsMax,
    connectionsMax: map.connectionsMax,
    requestsMax: map.requestsMax,
  };
}
