import type { MapPolicy } from '../cache/types.ts';
import { type MapConfig, mapWithDefaults, policyOf } from '../config/maps.ts';
import type { Config } from '../config.ts';
import { startSampleOrigin } from '../sample/origin.ts';

/** The origin maps of this node as they are now: those of the configuration, or the built-in sample. */
export class NodeMaps {
  #maps: readonly MapConfig[];
  #policies: readonly MapPolicy[];
  readonly #sample: { readonly close: () => Promise<void> } | undefined;

  private constructor(maps: readonly MapConfig[], sample?: { readonly close: () => Promise<void> }) {
    this.#maps = maps;
    this.#policies = maps.map(policyOf);
    this.#sample = sample;
  }

  /** Starts the sample origin when the configuration maps nothing. `status` is what its page shows. */
  static async open({ maps }: Config, { status }: { status: () => object }): Promise<NodeMaps> {
    if (maps.length > 0) return new NodeMaps(maps);
    const sample = await startSampleOrigin({ status });
    // The sample is meant to be played from anywhere, so every site may read it.
    const map = mapWithDefaults({ name: 'sample', prefix: '/', origins: [sample.url], cors: true });
    return new NodeMaps([map], sample);
  }

  get maps(): readonly MapConfig[] {
    return this.#maps;
  }

  get policies(): readonly MapPolicy[] {
    return this.#policies;
  }

  /** The page that plays the sample, of the listener at that URL; undefined when no sample is served. */
  samplePage(listener: string | undefined): string | undefined {
    if (this.#sample === undefined) return undefined;
    const url = new URL(listener ?? 'http://localhost');
    if (url.hostname === '0.0.0.0' || url.hostname === '[::]') url.hostname = 'localhost';
    return url.href;
  }

  /** Takes over the maps of another configuration; a node that serves the sample goes on with it. */
  replace({ maps }: Config): void {
    if (this.#sample !== undefined) return;
    this.#maps = maps;
    this.#policies = maps.map(policyOf);
  }

  async close(): Promise<void> {
    await this.#sample?.close();
  }
}
