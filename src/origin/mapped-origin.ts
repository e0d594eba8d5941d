import type { Route } from './attempts.ts';
import { RequestBudget } from './budget.ts';
import type { HealthReport } from './health.ts';
import { type OriginMap, type OriginSettings, originSettings, upstreamUrl } from './origin-map.ts';
import { upstreamPath } from './target.ts';
import { createUpstream, type Upstream } from './upstream.ts';

interface MappedOriginOptions {
  readonly nowMs: () => number;
  readonly onHealth: (health: HealthReport & { map: string; url: string }) => void;
}

/** One origin map at work: its upstreams, its request budget, and the hosts that redirects may lead to. */
export class MappedOrigin {
  readonly settings: OriginSettings;
  readonly budget: RequestBudget;
  readonly #options: MappedOriginOptions;
  readonly #upstreams: readonly Upstream[];
  /** By origin; bounded by `redirectHosts` times two schemes. */
  readonly #redirectUpstreams = new Map<string, Upstream>();
  readonly #redirectHosts: ReadonlySet<string>;

  constructor(map: OriginMap, options: MappedOriginOptions) {
    this.settings = originSettings(map);
    this.#options = options;
    const { requestsMax, connectionsMax } = this.settings;
    // More than the connections would wait inside undici, where no deadline sees them.
    this.budget = new RequestBudget(map.name, { ...this.settings, requestsMax: Math.min(requestsMax, connectionsMax) });
    this.#upstreams = map.upstreams.map((text) => this.#create(upstreamUrl(map, text), true));
    this.#redirectHosts = new Set((map.redirectHosts ?? []).map((host) => host.toLowerCase()));
  }

  /** @throws EddyError for a target that this map does not serve */
  route(target: string): Route {
    const { name, prefix } = this.settings;
    const paths = new Map(
      this.#upstreams.map((each) => [each, upstreamPath(target, { name, prefix, basePath: each.basePath })]),
    );
    return { upstreams: this.#upstreams, pathAt: (upstream) => paths.get(upstream) ?? target };
  }

  /** Where a redirect to that URL goes; undefined when it is not to be followed. */
  redirectAllowed(location: URL): { upstream: Upstream; trusted: boolean } | undefined {
    if (!this.#listed(location)) return undefined;
    const configured = this.#upstreams.find((each) => each.origin === location.origin);
    if (configured !== undefined) return { upstream: configured, trusted: true };
    const upstream = this.#redirectUpstreams.getOrInsertComputed(location.origin, (origin) =>
      this.#create(new URL(origin), false),
    );
    return { upstream, trusted: false };
  }

  health(): (HealthReport & { map: string; url: string })[] {
    return this.#upstreams.map((each) => ({ map: this.settings.name, url: urlOf(each), ...each.health.report }));
  }

  async close(): Promise<void> {
    const all = [...this.#upstreams, ...this.#redirectUpstreams.values()];
    await Promise.all(all.map(({ pool }) => pool.destroy()));
  }

  #listed(location: URL): boolean {
    const port = location.port || (location.protocol === 'https:' ? '443' : '80');
    return this.#redirectHosts.has(location.host) || this.#redirectHosts.has(`${location.hostname}:${port}`);
  }

  #create(url: URL, configured: boolean): Upstream {
    const { nowMs, onHealth } = this.#options;
    const about = { map: this.settings.name, url: url.origin + url.pathname };
    return createUpstream(url, this.settings, {
      nowMs,
      configured,
      onChange: (report) => onHealth({ ...about, ...report }),
    });
  }
}

function urlOf(upstream: Upstream): string {
  return upstream.origin + upstream.basePath;
}
